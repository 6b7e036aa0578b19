"""What the text of a table's cell means: tables know text alone, where a task wants numbers or lists."""

from __future__ import annotations

import ast
import json
import re
import warnings
from contextlib import suppress
from dataclasses import replace
from typing import Any

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row, short_repr
from blurb_tune.tasks.task import Kind, Task

LABEL_SEPARATOR = ";"

# As tables write numbers; Python would read `1_000` and the digits of other scripts, too.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ITEM = r"""'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.]*|None|True|False"""
# A flat list as Python writes it; and as numpy does, with blanks alone between items, which Python would join to one.
_PYTHON_LIST = re.compile(rf"\[\s*(?:(?:{_ITEM})(?:\s*,\s*(?:{_ITEM}))*)?\s*\]", re.DOTALL)
_NUMPY_LIST = re.compile(rf"\[\s*(?:{_ITEM})(?:\s+(?:{_ITEM}))*\s*\]", re.DOTALL)
_ITEMS = re.compile(_ITEM, re.DOTALL)
# What looks like a list: of words, which may begin with a bracket themselves, and of labels.
_LIKE_WORDS = re.compile(r"""\[+['"]""")
_LIKE_LABELS = re.compile(r"""\[+['"]|\[[^][\s,;]*[\s,;][^][]*\]$""")


def coerce_cells(task: Task, row: Row) -> Row | Problem:
    """A row whose text cells are what the task's kind wants; what cannot be read as such stays text.

    Regression: a number. Multi-label: labels with semicolons between them, or a list. Token classification: words and tags
    with blanks between them, or lists. A list is one in JSON, or as Python or numpy write it, and with them pandas:
    `['B', 'O']`, `['B' 'O']`. Blanks around a label are no part of it.

    A cell that looks like a list and can be read as none is a Problem in the row's place: one that begins with a bracket and
    a quote (`['`), and a cell of labels that stands in one pair of brackets and holds a blank, comma or semicolon
    (`[B, O]`). Other cells with brackets are text: words may begin with them (`[ 3H ] thymidine`), and so may a label.
    """
    values = dict(row.values)
    faults = []
    for name in [task.label_field, *(task.fields if task.per_token else ())]:
        if isinstance(cell := values.get(name), str):
            try:
                values[name] = _value(task.kind, cell.strip(), is_label=name == task.label_field)
            except ValueError as error:
                faults.append(f"`{name}` must be {error}, but got {short_repr(cell)}, which begins like a list and is none")
    return Problem(row.place, "; ".join(faults)) if faults else replace(row, values=values)


def _value(kind: Kind, cell: str, *, is_label: bool) -> Any:
    """Raises ValueError with what was expected."""
    match kind:
        case Kind.REGRESSION:
            if _NUMBER.fullmatch(cell):
                return float(cell)
        case Kind.MULTI_LABEL:
            items = _list(cell, _LIKE_LABELS, "labels with semicolons")
            return items if items is not None else [name for part in cell.split(LABEL_SEPARATOR) if (name := part.strip())]
        case Kind.TOKEN_CLASSIFICATION:
            items = _list(cell, *((_LIKE_LABELS, "tags with blanks") if is_label else (_LIKE_WORDS, "words with blanks")))
            return items if items is not None else cell.split()
    return cell


def _list(cell: str, like_a_list: re.Pattern[str], otherwise: str) -> list[Any] | None:
    """The list that a cell spells out; None where it is `otherwise`. Raises ValueError where it only looks like a list."""
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
