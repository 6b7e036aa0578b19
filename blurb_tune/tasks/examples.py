"""What the rows of a data file are, and the examples that they become."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from blurb_tune.core.errors import Problem

_MAX_SHOWN = 60
MANY_SHOWN = 8
# A whole number that is written with a point, as pandas does where a column has gaps.
_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")

# Words of a text that is not given as words.
WORD = re.compile(r"\w+|[^\w\s]")

Label = float | int | tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One row of a data file: where it stands (`train.jsonl:3`), and its values by column."""

    location: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """One labeled text, pair of texts, or sentence.

    texts: the one or two texts; the words of a token classification. label: a score (regression), the index in `Task.labels`
    (classification), 0 or 1 for each of them (multi-label), or an index for each word (token classification).
    """

    id: str
    texts: tuple[str, ...]
    label: Label


@dataclass(frozen=True)
class NamedProblem(Problem):
    """A problem with something that the spec names. key: the key in the spec's `task:` that names it, or `data`."""

    key: str


def normalize_label(label: Any) -> Any:
    """A label as `Task.labels` spells it: 1, 1.0 and "1.0" as "1", true as "true"; what is no such thing stays as it is."""
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, str):
        return str(int(found[1])) if (found := _WHOLE.fullmatch(label)) else label
    is_whole = isinstance(label, int) or (isinstance(label, float) and math.isfinite(label) and label == int(label))
    return str(int(label)) if is_whole else label


def is_flags(label: Any) -> bool:
    """Whether a multi-label value is a list of 0 and 1, one for each label."""
    return is_list(label) and all(flag in (0, 1) and not isinstance(flag, bool) for flag in label)


def is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def surrogate_fault(name: str, text: str) -> str | None:
    """What is wrong with a text that JSON can escape, but that tokenizers and UTF-8 have nothing for."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return f"{name} holds half a surrogate pair, which is no character"
    return None


def short_repr(value: Any) -> str:
    """A value for a message, not longer than fits a line."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def join_limited(names: Any) -> str:
    """The first eight, and the number of the others."""
    names = list(names)
    rest = len(names) - MANY_SHOWN
    return ", ".join(names[:MANY_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
