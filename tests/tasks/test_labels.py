"""The labels of a user's own task: taken from the rows, and checked as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.tasks.examples import NamedProblem, Row
from blurb_tune.tasks.labels import check_labels, infer_labels
from blurb_tune.tasks.task import Kind, Task


def _task(kind: Kind = Kind.CLASSIFICATION, **settings: Any) -> Task:
    return Task(
        name="t", kind=kind, **{"metric": "macro_f1", "description": "", "max_length": 8, "fields": ("text",)} | settings
    )


def _rows(*labels: Any) -> list[Row]:
    return [Row(f"t:{number}", {"text": "a", "label": label}) for number, label in enumerate(labels, start=1)]


@pytest.mark.parametrize(
    ("kind", "labels", "expected"),
    [
        (Kind.CLASSIFICATION, ["yes", "no", "yes"], ("no", "yes")),
        (Kind.CLASSIFICATION, ["10", 9, 1.0, "-2"], ("-2", "1", "9", "10")),
        (Kind.CLASSIFICATION, ["b", "2", "10", "a"], ("2", "10", "a", "b")),
        (Kind.CLASSIFICATION, [True, False], ("false", "true")),
        (Kind.CLASSIFICATION, ["a", None, "", " ", float("nan"), 2.5, ["b"], {}], ("a",)),
        (Kind.MULTI_LABEL, [["b", "a"], [], ["c"], "d"], ("a", "b", "c", "d")),
        (Kind.MULTI_LABEL, [[0, 1], [1, 1]], ()),
        (Kind.TOKEN_CLASSIFICATION, [["O", "B-x"], ["I-x"]], ("B-x", "I-x", "O")),
        (Kind.REGRESSION, [1.0, 2.0], ()),
    ],
)
def test_labels_are_those_of_the_rows_in_an_order_that_the_rows_do_not_change(
    kind: Kind, labels: list[Any], expected: tuple[str, ...]
) -> None:
    assert infer_labels(_task(kind), _rows(*labels)) == expected
    assert infer_labels(_task(kind), _rows(*reversed(labels))) == expected


@given(st.lists(st.text() | st.integers() | st.booleans() | st.floats() | st.none()))
def test_inferred_labels_are_distinct_and_not_empty(labels: list[Any]) -> None:
    found = infer_labels(_task(), _rows(*labels))
    assert len(set(found)) == len(found)
    assert all(label.strip() for label in found)


FAULTS: list[tuple[Task, list[Any], str, str]] = [
    (_task(labels=("a",)), ["a", "a"], "label", "'label' holds 'a' alone; expected at least two labels"),
    (_task(), [None, ""], "label", "'label' holds no label; expected at least two labels"),
    (_task(Kind.MULTI_LABEL), [[], []], "label", "'label' holds no label; expected at least one label"),
    (_task(Kind.MULTI_LABEL), [[0, 1]], "label", "'label' has lists of 0 and 1; name what they stand for in `labels:`"),
    (
        _task(labels=tuple(f"id{i}" for i in range(30))),
        [f"id{i}" for i in range(30)],
        "label",
        "'label' holds 30 labels in 30 rows; are column and `kind` right?",
    ),
    (_task(metric="f1", labels=("a", "b", "c")), ["a"], "metric", "'f1' is of two classes, but there are 3: a, b, c"),
    (_task(labels=("a", "bb"), left_out=("b",)), ["a"], "left_out", "unknown label 'b'; did you mean 'bb'?"),
    (
        _task(labels=("a", "b"), left_out=("b", "a")),
        ["a", "b"],
        "left_out",
        "with all labels left out there is nothing to score",
    ),
    (
        _task(labels=("false", "maybe", "true")),
        ["yes", "maybe", "no"],
        "labels",
        "YAML reads yes, no, on and off as true and false: write 'no', 'yes'",
    ),
]


@pytest.mark.parametrize(("task", "labels", "key", "what"), FAULTS)
def test_each_fault_of_the_labels_is_told_with_its_key(task: Task, labels: list[Any], key: str, what: str) -> None:
    assert check_labels(task, _rows(*labels), "t.csv") == [NamedProblem("t.csv", what, key)]


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (_task(Kind.REGRESSION), [1.0]),
        (_task(labels=("false", "true")), [True, False]),
        (_task(Kind.MULTI_LABEL, labels=("a", "b")), [[0, 1]]),
        (_task(Kind.TOKEN_CLASSIFICATION, labels=tuple(f"B-{i}" for i in range(30))), [["B-1"]]),
        (_task(metric="f1", labels=("a", "b"), left_out=("a",)), ["a", "b"]),
    ],
)
def test_sound_labels_are_left_alone(task: Task, labels: list[Any]) -> None:
    assert check_labels(task, _rows(*labels), "t") == []


def test_a_column_that_is_not_there_is_told_elsewhere() -> None:
    assert check_labels(_task(label_field="labl"), _rows("a"), "t") == []
