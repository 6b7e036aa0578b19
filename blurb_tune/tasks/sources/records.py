"""Tables in JSON: one object a line, an array of objects, or one object that holds a table in one of the usual shapes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row, is_list, join_limited, short_repr

Reading = Iterator[Row | Problem]

# Of an object that holds a table: the rows, and a version or a name beside them.
_MOST_KEYS = 3


def read_lines(lines: Sequence[str | Problem], file: str) -> Reading:
    """The rows of a text with one JSON object a line; a Problem stands for a line that could not be decoded."""
    for number, line in enumerate(lines if any(lines) else [], start=1):
        location = f"{file}:{number}"
        if isinstance(line, Problem):
            yield line
            continue
        try:
            record = json.loads(line, object_pairs_hook=unique_keys)
        except (ValueError, RecursionError) as error:
            yield Problem(location, f"expected a JSON object, but this is no JSON: {error}")
            continue
        if isinstance(record, dict):
            yield Row(location, record)
        else:
            yield Problem(location, f"expected a JSON object, but got {short_repr(record)}")


def read_records(text: str, file: str) -> Reading:
    """The rows of a JSON text, of whichever of these shapes.

    An array of objects. One object a line. One object whose values are the rows, by their ids, as PubMedQA's; whose one list
    of objects are the rows, as BioASQ's `questions`; or whose values are the columns, as pandas writes them.
    """
    begin = text.lstrip()[:1]
    try:
        whole = json.loads(text, object_pairs_hook=unique_keys) if begin in ("[", "{") else None
    except json.JSONDecodeError as error:
        if begin == "{" and _is_first_line_whole(text):
            yield from read_lines(text.removesuffix("\n").split("\n"), file)
        else:
            yield Problem(f"{file}:{error.lineno}", f"this is no JSON: {error.msg} (column {error.colno})")
        return
    except RecursionError:
        yield Problem(file, "this is no table: it is nested too deep")
        return
    except ValueError as error:  # a number of thousands of digits, or a key that stands twice
        yield Problem(file, f"this is no JSON that can be read: {error}")
        return
    if whole is None:
        yield from read_lines(text.removesuffix("\n").split("\n"), file)
    elif isinstance(whole, list):
        yield from _items(whole, file, "item")
    else:
        yield from _of_object(whole, text, file)


def unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object, for the hook of `json.loads`. Raises ValueError where a key stands twice: the last would be read."""
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise ValueError(f"the key {short_repr(name)} stands twice")
    return found


def _is_first_line_whole(text: str) -> bool:
    try:
        return isinstance(json.loads(text.lstrip().partition("\n")[0]), dict)
    except (ValueError, RecursionError):
        return False


def _items(items: Sequence[Any], file: str, what: str) -> Reading:
    for number, item in enumerate(items, start=1):
        location = f"{file}, {what} {number}"
        if isinstance(item, dict):
            yield Row(location, item)
        else:
            yield Problem(location, f"expected a JSON object, but got {short_repr(item)}")


def _of_object(whole: Mapping[str, Any], text: str, file: str) -> Reading:
    values, is_line = list(whole.values()), "\n" not in text.strip()
    tables = [name for name, value in whole.items() if is_list(value) and value and all(isinstance(v, dict) for v in value)]
    if len(tables) == 1 and len(whole) <= _MOST_KEYS:
        yield from _items(whole[tables[0]], file, f"{tables[0]} item")
    elif values and all(isinstance(value, dict) for value in values):
        if _are_columns(values):
            yield from _from_columns({name: column.values() for name, column in whole.items()}, file)
        else:
            yield from (Row(f"{file}, {name!r}", {"id": name, **value}) for name, value in whole.items())
    elif _are_lists_alike(values) and (not is_line or _hold_texts(values)):
        yield from _from_columns(whole, file)
    elif is_line:
        yield Row(f"{file}:1", whole)
    else:
        expected = "an array of objects, one object a line, or an object with the rows by their ids"
        yield Problem(
            file, f"this is one JSON object and no table (with {join_limited(map(repr, whole))}); expected {expected}"
        )


def _are_columns(values: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the values are columns by the number of the row, as `DataFrame.to_json` writes them."""
    keys = list(values[0])
    return keys == [str(number) for number in range(len(keys))] and all(list(value) == keys for value in values)


def _are_lists_alike(values: Sequence[Any]) -> bool:
    return len(values) > 1 and all(is_list(value) for value in values) and len({len(value) for value in values}) == 1


def _hold_texts(values: Sequence[Sequence[Any]]) -> bool:
    """Whether lists are of texts, not of words, which one row may hold."""
    return any(isinstance(item, str) and " " in item for value in values for item in value)


def _from_columns(columns: Mapping[str, Any], file: str) -> Reading:
    for number, cells in enumerate(zip(*columns.values(), strict=True), start=1):
        yield Row(f"{file}, row {number}", dict(zip(columns, cells, strict=True)))
