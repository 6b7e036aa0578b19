"""The labels of a custom task: taken from the train rows where the spec does not list them, and checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from blurb_tune.core.errors import Problem, did_you_mean
from blurb_tune.tasks.examples import MANY_SHOWN, NamedProblem, Row, join_limited, normalize_label, short_repr
from blurb_tune.tasks.task import Task

# More labels than this, on more than half of the rows, are no labels but texts, numbers or ids.
_MANY_LABELS = 20
# So many labels that are all numbers may be scores or grades.
_MANY_NUMBERS = 5
_LEAST = {1: "one label", 2: "two labels"}
_OF_TWO = 2
_NOT_AVAILABLE = frozenset({"na", "n/a", "#n/a", "<na>", "nan", "none", "null"})
# A label on no more rows than that, while another is so many times as frequent, may be a misspelling of it.
_RARE, _TIMES_MORE, _SHORTEST_WORD = 2, 20, 3
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def infer_labels(task: Task, rows: Sequence[Row]) -> tuple[str, ...]:
    """All labels of the rows: numbers in ascending order, other labels in the order of their characters."""
    if not task.kind.has_labels or _has_flags(task, rows):
        return ()
    return tuple(sorted(set(_labels(task, rows)), key=_order))


def with_aliases(task: Task, rows: Sequence[Row]) -> Task:
    """The task with the labels that it reads those of the rows as, where these are written in another way."""
    written = list(dict.fromkeys(_labels(task, rows)))
    names = [label for label in written if label not in task.label_aliases]
    if names and len(written) == len(names) + 1:  # one index alone, such as a `0` among tags, may be a name itself
        names = written
    found = task.kind.aliases(dict.fromkeys([*task.labels, *names]))
    aliases = {alias: found.get(label, label) for alias, label in task.label_aliases.items()}
    labels = tuple(dict.fromkeys(found.get(label, label) for label in task.labels))
    return replace(task, labels=labels, label_aliases={**aliases, **found})


def check_labels(task: Task, rows: Sequence[Row], location: str) -> list[Problem]:
    """What is wrong with the labels of a task whatever else its rows may hold; `location` names the data in messages."""
    if not task.kind.has_labels or task.label_field in task.fields or not _has_column(task, rows):
        return []  # the last two are faults of their own
    return [NamedProblem(location, what, key) for key, what in _faults(task, rows)]


def check_enough(task: Task, rows: Sequence[Row | Problem], location: str) -> list[Problem]:
    """What the labels of a task lack. Nothing is said where some rows or labels cannot be read: they may hold it."""
    readable = [row for row in rows if isinstance(row, Row)]
    if not task.kind.has_labels or len(readable) < len(rows) or not _has_column(task, readable):
        return []
    return [NamedProblem(location, what, key) for key, what in _lacks(task, readable)]


def check_inferred(task: Task, rows: Sequence[Row], location: str) -> list[Problem]:
    """What speaks against labels that nobody has listed: they are numbers, their order counts and is not known, or one looks
    like a misspelling of another.

    A misspelling is rare beside the label that it is one letter from, and is reported with its rows.
    """
    scores = [label for label in task.labels if _NUMBER.fullmatch(label) and "." in label]
    if scores and all(map(_NUMBER.fullmatch, task.labels)):
        what = (
            f"holds numbers such as {scores[0]}; did you mean `kind: regression`? If they are classes, list them in `labels`"
        )
        return [NamedProblem(location, f"{task.label_field!r} {what}", "label")]
    if _lacks_order(task):
        what = f"the order of {join_limited(task.labels)} cannot be told from their names; list them in order"
        return [NamedProblem(location, what, "labels")]
    locations: dict[str, list[str]] = {}
    for row in rows:
        for label in dict.fromkeys(_labels(task, [row])):
            locations.setdefault(label, []).append(row.location)
    counts = {label: len(found) for label, found in locations.items()}
    rare = {label: meant for label in counts if counts[label] <= _RARE and (meant := _meant(label, counts))}
    return [
        Problem(
            location,
            f"label {short_repr(label)} is rare; did you mean {meant!r}, which {counts[meant]} rows have? "
            "If not, list all labels in `labels`",
        )
        for label, meant in rare.items()
        for location in locations[label]
    ]


def _lacks_order(task: Task) -> bool:
    """Whether the order of labels counts that are no numbers; of two it is the same from either end."""
    return task.kind.orders_labels and len(task.labels) > _OF_TWO and not all(map(_NUMBER.fullmatch, task.labels))


def _meant(label: str, counts: Mapping[str, int]) -> str | None:
    """The most frequent label that is one letter from this one, in a word of at least three."""
    frequent = [name for name in counts if counts[name] >= _TIMES_MORE * counts[label] and _is_typo(label, name)]
    return max(frequent, key=lambda name: counts[name], default=None)


def _is_typo(label: str, name: str) -> bool:
    words, others = (_WORD.findall(text.casefold()) for text in (label, name))
    if len(words) != len(others) or _WORD.sub("", label) != _WORD.sub("", name):
        return False
    pairs = [(a, b) for a, b in zip(words, others, strict=True) if a != b]
    return len(pairs) == 1 and min(map(len, pairs[0])) >= _SHORTEST_WORD and _is_one_letter_off(*pairs[0])


def _is_one_letter_off(a: str, b: str) -> bool:
    """By the distance of Damerau 1964 (Commun. ACM 7:171), in which two letters that have changed places are one fault."""
    a, b = sorted((a, b), key=len)
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return a[start:] == b[start + 1 :]
    is_swapped = a[start : start + 2] == b[start : start + 2][::-1] and a[start + 2 :] == b[start + 2 :]
    return is_swapped or a[start + 1 :] == b[start + 1 :]


def note_labels(task: Task, counts: Mapping[str, int], reported: Sequence[str] = ()) -> Iterator[str]:
    """What the labels are, and which may be mistakes. counts: of train, in examples or words. reported: already, in another
    note."""
    if not task.labels:
        return
    yield f"{'words with each tag' if task.per_token else 'labels'} in train: {_shown_counts(task, counts)}"
    if alike := _alike(task.labels):
        yield f"labels that differ in case, blanks or as numbers only: {'; '.join(alike)}"
    if absent := [label for label in task.labels if _plain(label) in _NOT_AVAILABLE and label not in task.left_out]:
        yield f"taken as labels: {join_limited(map(repr, absent))}; rows without a label have to be left out"
    yield from task.kind.notes_on_labels(task)
    if len(task.labels) >= _MANY_NUMBERS and not task.kind.orders_labels and all(map(_NUMBER.fullmatch, task.labels)):
        yield f"all {len(task.labels)} labels are numbers, read as names; with `regression` or `ordinal` their order counts"
    if alone := [label for label in task.labels if counts.get(label) == 1 and label not in reported]:
        yield f"labels with one train {'word' if task.per_token else 'example'} alone: {join_limited(map(repr, alone))}"


def _shown_counts(task: Task, counts: Mapping[str, int]) -> str:
    """In the labels' order; of more than eight the most frequent first."""
    is_binary = len(task.labels) == _OF_TWO and any(metric.of_two_classes for metric in task.kind.metrics)
    positive = {task.labels[-1]: " (the positive class)"} if is_binary else {}
    labels = sorted(task.labels, key=lambda label: -counts.get(label, 0) if len(task.labels) > MANY_SHOWN else 0)
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
    of_two = {metric.name for metric in task.kind.metrics if metric.of_two_classes}
    if task.metric in of_two and len(task.labels) > _OF_TWO:
        yield "metric", f"{task.metric!r} is of two classes, but there are {len(task.labels)}: {', '.join(task.labels)}"


def _lacks(task: Task, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    column, least = task.label_field, task.kind.least_labels
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
    values = _values(task, rows)
    other = next((value for value in values if not isinstance(value, str | list | None)), None)
    return f", but values of type {type(other).__name__}, such as {short_repr(other)}" if other is not None else ""


def _has_column(task: Task, rows: Sequence[Row]) -> bool:
    return any(task.label_field in row.values for row in rows)


def _has_flags(task: Task, rows: Sequence[Row]) -> bool:
    return task.kind.has_flags(_values(task, rows))


def _values(task: Task, rows: Sequence[Row]) -> list[Any]:
    return [row.values.get(task.label_field) for row in rows]


def _labels(task: Task, rows: Sequence[Row]) -> Iterator[str]:
    for value in _values(task, rows):
        for item in task.kind.names_in(value):
            name: Any = normalize_label(item)
            if isinstance(name, str) and name.strip():
                yield name


def _order(label: str) -> tuple[bool, Decimal, str]:
    is_number = _NUMBER.fullmatch(label) is not None
    return (not is_number, Decimal(label) if is_number else Decimal(), label)
