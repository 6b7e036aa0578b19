"""The labels of a user's own task: taken from the data where the spec does not list them, and checked as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from blurb_tune.errors import Problem, did_you_mean
from blurb_tune.tasks.examples import NamedProblem, Row, is_flags, is_list, spelled
from blurb_tune.tasks.task import BINARY_METRICS, Kind, Task

# More labels than this, on more than half of the rows, are no labels but texts, numbers or ids.
_MANY_LABELS = 20
_LEAST = {1: "one label", 2: "two labels"}
_TRUTH = ("false", "true")
_READ_AS_TRUTH = ("no", "off", "yes", "on")


def infer_labels(task: Task, rows: Sequence[Row]) -> tuple[str, ...]:
    """All labels of the rows: numbers in ascending order, other labels in the order of their characters."""
    if task.kind is Kind.REGRESSION or _has_flags(task, rows):
        return ()
    return tuple(sorted(set(_labels(task, rows)), key=_order))


def check_labels(task: Task, rows: Sequence[Row], place: str) -> list[Problem]:
    """What is wrong with the labels of a task as a whole; `place` names the data in messages."""
    if task.kind is Kind.REGRESSION or not rows:
        return []
    return [NamedProblem(place, what, key) for key, what in _faults(task, rows)]


def _faults(task: Task, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    column, least = task.label_field, 1 if task.kind is Kind.MULTI_LABEL else 2
    if _has_flags(task, rows) and not task.labels:
        yield "label", f"{column!r} has lists of 0 and 1; name what they stand for in `labels:`"
    elif not any(column in row.values for row in rows):
        return  # which is told as a column that is not there
    elif len(task.labels) < least:
        held = f"{task.labels[0]!r} alone" if task.labels else "no label"
        yield "label", f"{column!r} holds {held}; expected at least {_LEAST[least]}"
    elif len(task.labels) > _MANY_LABELS and not task.per_token and 2 * len(task.labels) > len(rows):
        yield "label", f"{column!r} holds {len(task.labels)} labels in {len(rows)} rows; are column and `kind` right?"
    if task.metric in BINARY_METRICS and len(task.labels) not in (0, 2):
        yield "metric", f"{task.metric!r} is of two classes, but there are {len(task.labels)}: {', '.join(task.labels)}"
    for label in task.left_out if task.labels else ():
        if label not in task.labels:
            yield "left_out", f"unknown label {label!r}{did_you_mean(label, task.labels)}"
    if task.labels and set(task.labels) <= set(task.left_out):
        yield "left_out", "with all labels left out there is nothing to score"
    read = sorted(set(_labels(task, rows)).intersection(_READ_AS_TRUTH)) if set(task.labels) & set(_TRUTH) else []
    if read:
        yield "labels", f"YAML reads yes, no, on and off as true and false: write {', '.join(f'{name!r}' for name in read)}"


def _has_flags(task: Task, rows: Sequence[Row]) -> bool:
    values = [row.values.get(task.label_field) for row in rows] if task.kind is Kind.MULTI_LABEL else []
    return any(values) and all(is_flags(value) for value in values)


def _labels(task: Task, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        value = row.values.get(task.label_field)
        for item in value if is_list(value) and task.kind is not Kind.CLASSIFICATION else (value,):
            name: Any = spelled(item)
            if isinstance(name, str) and name.strip():
                yield name


def _order(label: str) -> tuple[bool, int, str]:
    is_number = label.removeprefix("-").isdecimal()
    return (not is_number, int(label) if is_number else 0, label)
