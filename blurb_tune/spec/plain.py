"""What a program holds as a spec, as the plain data that a file could have held."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from typing import Any

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.spec.documents import MAX_DEPTH, shorten

_EXPECTED = "expected plain data (mappings, lists, texts, numbers, true, false, null)"


def plain_data(data: Mapping[str, Any], root: str) -> dict[str, Any]:
    """`data` as new mappings and lists of texts, numbers, dates, booleans and None.

    Paths become texts; tuples, ranges, arrays of numpy and tensors become lists. root: the location of the whole. Raises
    InputError with everything that cannot be written to a file, each by its key path.
    """
    problems: list[Problem] = []

    def plain(value: Any, location: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            problems.append(Problem(location, f"this is nested more than {MAX_DEPTH} levels deep"))
            return None
        if callable(as_list := getattr(value, "tolist", None)):
            value = as_list()
        if value is None or isinstance(value, bool | datetime.date):
            return value
        for kind in (str, int, float):  # an enumeration's member is its value
            if isinstance(value, kind):
                return value if type(value) is kind else kind(getattr(value, "value", value))
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if isinstance(value, Mapping):
            return {key: plain(item, f"{location}.{key}" if depth else str(key), depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | range):
            return [plain(item, f"{location}[{index}]", depth + 1) for index, item in enumerate(value)]
        problems.append(Problem(location, shorten(f"{_EXPECTED}, but got {value!r}")))
        return None

    found = plain(dict(data), root, 0)
    if problems:
        raise InputError(problems)
    return dict(found)
