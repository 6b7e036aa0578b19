"""The labels of a user's own task: taken from the train rows where the spec does not list them, and checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from blurb_tune.core.errors import Problem, did_you_mean
from blurb_tune.tasks.examples import NamedProblem, Row, is_flags, is_list, normalize_label, short_repr
from blurb_tune.tasks.scoring.schemes import other_scheme
from blurb_tune.tasks.task import BINARY_METRICS, OUTSIDE, Kind, Task

# More labels than this, on more than half of the rows, are no labels but texts, numbers or ids.
_MANY_LABELS = 20
_MANY_SHOWN = 8
_LEAST = {1: "one label", 2: "two labels"}
_TRUTH = ("false", "true")
_READ_AS_TRUTH = ("no", "off", "yes", "on")
_NOT_AVAILABLE = frozenset({"na", "n/a", "#n/a", "<na>", "nan", "none", "null"})
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def infer_labels(task: Task, rows: Sequence[Row]) -> tuple[str, ...]:
    """All labels of the rows: numbers in ascending order, other labels in the order of their characters."""
    if task.kind is Kind.REGRESSION or _has_flags(task, rows):
        return ()
    return tuple(sorted(set(_labels(task, rows)), key=_order))


def check_labels(task: Task, rows: Sequence[Row], place: str) -> list[Problem]:
    """What is wrong with the labels of a task whatever else its rows may hold; `place` names the data in messages."""
    if task.kind is Kind.REGRESSION or task.label_field in task.fields or not _has_column(task, rows):
        return []  # the last two are told as what they are
    return [NamedProblem(place, what, key) for key, what in _faults(task, rows)]


def check_enough(task: Task, rows: Sequence[Row | Problem], place: str) -> list[Problem]:
    """What the labels of a task lack. Nothing is said where some rows or labels cannot be read: they may hold it."""
    readable = [row for row in rows if isinstance(row, Row)]
    if task.kind is Kind.REGRESSION or len(readable) < len(rows) or not _has_column(task, readable):
        return []
    return [NamedProblem(place, what, key) for key, what in _lacks(task, readable)]


def note_labels(task: Task, counts: Mapping[str, int], told: Sequence[str] = ()) -> Iterator[str]:
    """What the labels are, and which may be mistakes. counts: of train, in examples or words. told: are rare, as is known."""
    if not task.labels:
        return
    yield f"{'words with each tag' if task.per_token else 'labels'} in train: {_shown_counts(task, counts)}"
    if alike := _alike(task.labels):
        yield f"labels that differ in case, blanks or as numbers only: {'; '.join(alike)}"
    if absent := [label for label in task.labels if _plain(label) in _NOT_AVAILABLE and label not in task.left_out]:
        yield f"taken as labels: {join_limited(map(repr, absent))}; rows without a label have to be left out"
    joined = [label for label in task.labels if "," in label or "|" in label] if task.kind is Kind.MULTI_LABEL else []
    if joined:
        yield f"labels with a comma or a bar: {join_limited(map(repr, joined))}; between labels there is a semicolon"
    if alone := [label for label in task.labels if counts.get(label) == 1 and label not in told]:
        yield f"labels with one train {'word' if task.per_token else 'example'} alone: {join_limited(map(repr, alone))}"
    if task.per_token and OUTSIDE not in task.labels:
        yield f"there is no tag {OUTSIDE!r}: every word is read as part of an entity"


def join_limited(names: Any) -> str:
    """The first eight, and the number of the others."""
    names = list(names)
    rest = len(names) - _MANY_SHOWN
    return ", ".join(names[:_MANY_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _shown_counts(task: Task, counts: Mapping[str, int]) -> str:
    """In the labels' order; of more than eight the most frequent first."""
    is_binary = task.kind is Kind.CLASSIFICATION and len(task.labels) == len(_TRUTH)
    positive = {task.labels[-1]: " (the positive class)"} if is_binary else {}
    labels = sorted(task.labels, key=lambda label: -counts.get(label, 0) if len(task.labels) > _MANY_SHOWN else 0)
    return join_limited(f"{label} {counts.get(label, 0)}{positive.get(label, '')}" for label in labels)


def _alike(labels: Sequence[str]) -> list[str]:
    groups: dict[object, list[str]] = {}
    for label in labels:
        plain = _plain(label)
        groups.setdefault(Decimal(plain) if _NUMBER.fullmatch(plain) else plain, []).append(repr(label))
    return [" and ".join(group) for group in groups.values() if len(group) > 1]


def _plain(label: str) -> str:
    return "".join(label.casefold().split())


def _faults(task: Task, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    column = task.label_field
    if _has_flags(task, rows) and not task.labels:
        yield "label", f"{column!r} has lists of 0 and 1; name what they stand for in `labels:`"
    elif len(task.labels) > _MANY_LABELS and not task.per_token and 2 * len(task.labels) > len(rows):
        yield "label", f"{column!r} holds {len(task.labels)} labels in {len(rows)} rows; are column and `kind` right?"
    if task.metric in BINARY_METRICS and len(task.labels) > len(_TRUTH):
        yield "metric", f"{task.metric!r} is of two classes, but there are {len(task.labels)}: {', '.join(task.labels)}"
    if task.per_token and (fault := other_scheme(task.labels)):
        yield "label", f"{column!r} has {fault}"
    read = sorted(set(_labels(task, rows)).intersection(_READ_AS_TRUTH)) if set(task.labels) & set(_TRUTH) else []
    if read:
        yield "labels", f"YAML reads yes, no, on and off as true and false: write {', '.join(f'{name!r}' for name in read)}"


def _lacks(task: Task, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    column, least = task.label_field, 1 if task.kind is Kind.MULTI_LABEL else 2
    is_whole = all(any(_labels(task, [row])) for row in rows)
    if not task.labels and not _has_flags(task, rows):
        yield "label", f"{column!r} holds no label{_other_values(task, rows)}; expected at least {_LEAST[least]}"
    elif 0 < len(task.labels) < least and is_whole:
        yield "label", f"{column!r} holds {task.labels[0]!r} alone; expected at least {_LEAST[least]}"
    for label in task.left_out if task.labels else ():
        if label not in task.labels:
            yield "left_out", f"unknown label {label!r}{did_you_mean(label, task.labels)}"
    if task.labels and set(task.labels) <= set(task.left_out):
        yield "left_out", "with all labels left out there is nothing to score"


def _other_values(task: Task, rows: Sequence[Row]) -> str:
    values = [row.values.get(task.label_field) for row in rows]
    other = next((value for value in values if not isinstance(value, str | list | None)), None)
    return f", but values of type {type(other).__name__}, such as {short_repr(other)}" if other is not None else ""


def _has_column(task: Task, rows: Sequence[Row]) -> bool:
    return any(task.label_field in row.values for row in rows)


def _has_flags(task: Task, rows: Sequence[Row]) -> bool:
    values = [row.values.get(task.label_field) for row in rows] if task.kind is Kind.MULTI_LABEL else []
    return any(values) and all(is_flags(value) for value in values)


def _labels(task: Task, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        value = row.values.get(task.label_field)
        for item in value if is_list(value) and task.kind is not Kind.CLASSIFICATION else (value,):
            name: Any = normalize_label(item)
            if isinstance(name, str) and name.strip():
                yield name


def _order(label: str) -> tuple[bool, Decimal, str]:
    is_number = _NUMBER.fullmatch(label) is not None
    return (not is_number, Decimal(label) if is_number else Decimal(), label)
