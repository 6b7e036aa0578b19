"""From the rows of a data file to examples, naming everything that is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from blurb_tune.core.errors import Problem, did_you_mean
from blurb_tune.tasks.examples import Example, Label, NamedProblem, Row, is_flags, is_list, normalize_label, short_repr
from blurb_tune.tasks.task import Kind, Task

MAX_PROBLEMS = 20


_ANY_NUMBER = (-sys.float_info.max, sys.float_info.max)


def parse(task: Task, rows: Iterable[Row | Problem], file: str) -> tuple[list[Example], list[Problem]]:
    """The examples of one split, and what is wrong with the rows that gave none.

    A reader hands over a Problem in place of a row that it could not read. `file` is named in problems that are no row's; at
    most 20 problems are named, then the number of the others. Of a task whose labels are not known only texts and ids are
    judged, and there are no examples.
    """
    rows = list(rows)
    if not rows:
        return [], [Problem(file, "there are no rows; expected at least one example")]
    if absent := list(absent_columns(task, rows, file)):
        return [], cut([*absent, *(row for row in rows if isinstance(row, Problem))], file)
    examples: list[Example] = []
    problems: list[Problem] = []
    first_places: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Problem):
            problems.append(row)
            continue
        faults = _faults(task, row.values)
        name = str(row.values[task.id_field]) if task.id_field and _has_id(task, row.values) else str(number)
        if (first := first_places.setdefault(name, row.place)) != row.place:
            faults.append(f"id {short_repr(name)} stands at {first} already; ids must differ within a file")
        problems += [Problem(row.place, fault) for fault in faults]
        if not faults and _knows_labels(task):
            texts = row.values[task.fields[0]] if task.per_token else [row.values[field] for field in task.fields]
            examples.append(Example(name, tuple(texts), _label(task, row.values[task.label_field])))
    return examples, cut(problems, file)


def cut(problems: list[Problem], file: str) -> list[Problem]:
    """The first 20 problems of a file, and the number of the others."""
    rest = len(problems) - MAX_PROBLEMS
    if rest <= 0:
        return problems
    return [*problems[:MAX_PROBLEMS], Problem(file, f"and {rest} more {'problems' if rest > 1 else 'problem'} in this file")]


def absent_columns(task: Task, rows: Iterable[Row | Problem], file: str) -> Iterable[Problem]:
    """The task's columns that no row has: said once, not for every row."""
    columns = list(dict.fromkeys(str(name) for row in rows if isinstance(row, Row) for name in row.values))
    wanted = [("text", name) for name in task.fields]
    wanted += [("label", task.label_field), *([("id", task.id_field)] if task.id_field else [])]
    for key, name in wanted if columns else ():
        if name not in columns:
            yield NamedProblem(file, f"there is no column {name!r}{did_you_mean(name, columns)}", key)


def _knows_labels(task: Task) -> bool:
    return bool(task.labels) or task.kind is Kind.REGRESSION


def _faults(task: Task, row: Mapping[str, Any]) -> list[str]:
    faults = []
    if task.id_field is not None:
        if task.id_field not in row:
            faults.append(f"`{task.id_field}` is missing")
        elif not _has_id(task, row):
            faults.append(f"`{task.id_field}` must be a string or an integer, but got {short_repr(row[task.id_field])}")
    text_faults = _word_faults(task.fields[0], row) if task.per_token else [_text_fault(row, name) for name in task.fields]
    faults += [fault for fault in text_faults if fault]
    if task.label_field not in row:
        faults.append(f"`{task.label_field}` is missing; expected {_expected_label(task)}")
    elif _knows_labels(task):
        faults += _label_faults(task, row)
    return faults


def _has_id(task: Task, row: Mapping[str, Any]) -> bool:
    name = row.get(task.id_field or "")
    return (isinstance(name, str) and bool(name.strip())) or (isinstance(name, int) and not isinstance(name, bool))


def _text_fault(row: Mapping[str, Any], name: str) -> str | None:
    return _string_fault(f"`{name}`", row[name]) if name in row else f"`{name}` is missing"


def _string_fault(name: str, text: Any) -> str | None:
    if not isinstance(text, str):
        return f"{name} must be a string, but got {short_repr(text)}"
    if not text.strip():
        return f"{name} is empty"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return f"{name} holds half a surrogate pair, which is no character"
    return None


def _word_faults(name: str, row: Mapping[str, Any]) -> list[str | None]:
    if name not in row:
        return [f"`{name}` is missing"]
    words = row[name]
    if not is_list(words) or not words:
        return [f"`{name}` must be a list of at least one word, but got {short_repr(words)}"]
    return [_string_fault(f"word {number} of `{name}`", word) for number, word in enumerate(words, start=1)]


def _label_faults(task: Task, row: Mapping[str, Any]) -> list[str]:
    label = row[task.label_field]
    match task.kind:
        case Kind.REGRESSION:
            low, high = task.label_range or _ANY_NUMBER
            is_number = isinstance(label, int | float) and not isinstance(label, bool)
            return [] if is_number and low <= label <= high else [_wrong(task, label)]
        case Kind.CLASSIFICATION:
            return _class_faults(task, label)
        case _ if not is_list(label):
            return [_wrong(task, label)]
        case Kind.MULTI_LABEL:
            return [] if _are_all_flags(task, label) else _list_faults(task, label)
        case Kind.TOKEN_CLASSIFICATION:
            words = row.get(task.fields[0])
            if is_list(words) and len(words) != len(label):
                return [f"`{task.fields[0]}` has {len(words)} words, but `{task.label_field}` has {len(label)} tags"]
            return _list_faults(task, label)


def _list_faults(task: Task, labels: Sequence[Any]) -> list[str]:
    """Each unknown label once; one fault of the whole list where something in it is no text."""
    unknown = {short_repr(name): name for name in labels if _index(task, name) < 0}
    if not all(isinstance(name, str) and name.strip() for name in unknown.values()):
        return [_wrong(task, labels)]
    return [fault for name in unknown.values() for fault in _class_faults(task, name)]


def _class_faults(task: Task, label: Any) -> list[str]:
    if _index(task, label) >= 0:
        return []
    is_name = isinstance(label, str) and label.strip()
    return [f"unknown label {short_repr(label)}{did_you_mean(label, task.labels)}" if is_name else _wrong(task, label)]


def _wrong(task: Task, label: Any) -> str:
    return f"`{task.label_field}` must be {_expected_label(task)}, but got {short_repr(label)}"


def _expected_label(task: Task) -> str:
    labels = ", ".join(task.labels)
    match task.kind:
        case Kind.REGRESSION:
            return "a number from {:g} to {:g}".format(*task.label_range) if task.label_range else "a finite number"
        case _ if not task.labels:
            return "a label"
        case Kind.CLASSIFICATION:
            return f"one of: {labels}"
        case Kind.MULTI_LABEL:
            return f"a list of labels, or of {len(task.labels)} times 0 or 1; the labels are: {labels}"
        case Kind.TOKEN_CLASSIFICATION:
            return f"a list with one of these for each word: {labels}"


def _label(task: Task, label: Any) -> Label:
    if task.kind is Kind.REGRESSION:
        return float(label)
    if task.kind is Kind.CLASSIFICATION:
        return _index(task, label)
    if task.kind is Kind.TOKEN_CLASSIFICATION:
        return tuple(_index(task, name) for name in label)
    if _are_all_flags(task, label):
        return tuple(int(flag) for flag in label)
    present = {_index(task, name) for name in label}
    return tuple(int(index in present) for index in range(len(task.labels)))


def _index(task: Task, label: Any) -> int:
    """The index of a label by its name, -1 of none; a whole number stands for the label that is spelled like it."""
    name = normalize_label(label)
    name = task.label_aliases.get(name, name) if isinstance(name, str) else name
    return task.labels.index(name) if name in task.labels else -1


def _are_all_flags(task: Task, label: Sequence[Any]) -> bool:
    return len(label) == len(task.labels) and is_flags(label)
