"""Lists in the cells of a table, which knows text alone."""

from __future__ import annotations

import ast
import json
import re
import warnings
from contextlib import suppress
from typing import Any

_ITEM = r"""'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.]*|None|True|False"""
# A flat list as Python writes it; and as numpy does, with blanks alone between items, which Python would join to one.
_PYTHON_LIST = re.compile(rf"\[\s*(?:(?:{_ITEM})(?:\s*,\s*(?:{_ITEM}))*)?\s*\]", re.DOTALL)
_NUMPY_LIST = re.compile(rf"\[\s*(?:{_ITEM})(?:\s+(?:{_ITEM}))*\s*\]", re.DOTALL)
_ITEMS = re.compile(_ITEM, re.DOTALL)
# What looks like a list: of words, which may begin with a bracket themselves, and of labels.
LIKE_WORDS = re.compile(r"""\[+['"]""")
LIKE_LABELS = re.compile(r"""\[+['"]|\[[^][\s,;]*[\s,;][^][]*\]$""")


def read_list(cell: str, like_a_list: re.Pattern[str], otherwise: str) -> list[Any] | None:
    """The list that a cell spells out, in JSON, or as Python or numpy write it; None where it is `otherwise`.

    Raises ValueError where it only looks like a list: where `like_a_list` matches its beginning.
    """
    if not cell.startswith("["):
        return None
    with suppress(ValueError, RecursionError):
        return list(json.loads(cell))
    if _PYTHON_LIST.fullmatch(cell) or _NUMPY_LIST.fullmatch(cell):
        with suppress(ValueError, SyntaxError), warnings.catch_warnings(action="ignore"):
            return list(ast.literal_eval(f"[{', '.join(_ITEMS.findall(cell))}]"))
    if like_a_list.match(cell):
        raise ValueError(f"{otherwise} between them, a JSON list, or a list as Python writes it")
    return None
