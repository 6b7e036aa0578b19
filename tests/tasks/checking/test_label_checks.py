"""The labels of a custom task: taken from the rows, and checked as a whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.core.errors import Problem
from blurb_tune.tasks import kinds
from blurb_tune.tasks.checking.label_checks import (
    check_enough,
    check_inferred,
    check_labels,
    infer_labels,
    note_labels,
    with_aliases,
)
from blurb_tune.tasks.examples import NamedProblem, Row
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.kinds.named_labels import label_index
from blurb_tune.tasks.task import Task


def _task(kind: Kind = kinds.CLASSIFICATION, **settings: Any) -> Task:
    return Task(
        name="t", kind=kind, **{"metric": "macro_f1", "description": "", "max_length": 8, "fields": ("text",)} | settings
    )


def _rows(*labels: Any) -> list[Row]:
    return [Row(f"t:{number}", {"text": "a", "label": label}) for number, label in enumerate(labels, start=1)]


@pytest.mark.parametrize(
    ("kind", "labels", "expected"),
    [
        (kinds.CLASSIFICATION, ["yes", "no", "yes"], ("no", "yes")),
        (kinds.CLASSIFICATION, ["10", 9, 1.0, "-2"], ("-2", "1", "9", "10")),
        (kinds.CLASSIFICATION, ["10.5", "9.5", "-1", "9.50"], ("-1", "9.5", "9.50", "10.5")),
        (kinds.CLASSIFICATION, ["0.0", 1.0, "1", "01"], ("0", "01", "1")),
        (kinds.CLASSIFICATION, ["b", "2", "10", "a"], ("2", "10", "a", "b")),
        (kinds.CLASSIFICATION, [True, False], ("false", "true")),
        (kinds.CLASSIFICATION, ["a", None, "", " ", float("nan"), 2.5, ["b"], {}], ("a",)),
        (kinds.MULTI_LABEL, [["b", "a"], [], ["c"], "d"], ("a", "b", "c", "d")),
        (kinds.MULTI_LABEL, [[0, 1], [1, 1]], ()),
        (kinds.TOKEN_CLASSIFICATION, [["O", "B-x"], ["I-x"]], ("B-x", "I-x", "O")),
        (kinds.REGRESSION, [1.0, 2.0], ()),
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
    (_task(kinds.MULTI_LABEL), [[], []], "label", "'label' holds no label; expected at least one label"),
    (_task(kinds.MULTI_LABEL), [[0, 1]], "label", "'label' has lists of 0 and 1; name what they stand for in `labels:`"),
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
]


@pytest.mark.parametrize(("task", "labels", "key", "what"), FAULTS)
def test_each_fault_of_the_labels_is_told_with_its_key(task: Task, labels: list[Any], key: str, what: str) -> None:
    rows = _rows(*labels)
    assert [*check_labels(task, rows, "t.csv"), *check_enough(task, rows, "t.csv")] == [NamedProblem("t.csv", what, key)]


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (_task(kinds.REGRESSION), [1.0]),
        (_task(labels=("false", "true")), [True, False]),
        (_task(kinds.MULTI_LABEL, labels=("a", "b")), [[0, 1]]),
        (_task(kinds.TOKEN_CLASSIFICATION, labels=tuple(f"B-{i}" for i in range(30))), [["B-1"]]),
        (_task(metric="f1", labels=("a", "b"), left_out=("a",)), ["a", "b"]),
    ],
)
def test_sound_labels_are_left_alone(task: Task, labels: list[Any]) -> None:
    assert [*check_labels(task, _rows(*labels), "t"), *check_enough(task, _rows(*labels), "t")] == []


def test_a_column_that_is_not_there_is_told_elsewhere() -> None:
    task = _task(label_field="labl")
    assert [*check_labels(task, _rows("a"), "t"), *check_enough(task, _rows("a"), "t")] == []


def test_of_labels_that_cannot_be_read_nothing_is_made_out() -> None:
    """The rows that were not read may hold what seems to be lacking."""
    task = _task(labels=("a",), left_out=("b",))
    assert len(check_enough(task, _rows("a"), "t")) == 2
    assert check_enough(task, [*_rows("a"), Problem("t:2", "expected 2 cells, but got 3")], "t") == []
    assert check_enough(_task(labels=("a",)), _rows("a", ""), "t") == []


def test_values_that_are_no_labels_are_told_by_their_type() -> None:
    (problem,) = check_enough(_task(), _rows(date(2020, 1, 2), date(2021, 1, 2)), "t")
    what = "'label' holds no label, but values of type date, such as \"2020-01-02\"; expected at least two labels"
    assert problem.what == what


def test_labels_are_shown_with_their_counts() -> None:
    counts = {"no": 8, "yes": 2}
    assert list(note_labels(_task(labels=("no", "yes")), counts)) == ["labels in train: no 8, yes 2 (the positive class)"]
    assert list(note_labels(_task(kinds.MULTI_LABEL, labels=("no", "yes")), counts)) == ["labels in train: no 8, yes 2"]
    assert list(note_labels(_task(kinds.REGRESSION), {})) == []
    many = {f"L{index}": index for index in range(2, 15)}
    (note,) = note_labels(_task(labels=tuple(many)), many)
    assert note == "labels in train: L14 14, L13 13, L12 12, L11 11, L10 10, L9 9, L8 8, L7 7 and 5 more"


NOTES: list[tuple[Task, tuple[str, ...], str | None]] = [
    (_task(), ("No", "no", "yes"), "labels that differ in case, blanks or as numbers only: 'No' and 'no'"),
    (_task(), ("a b", "ab"), "labels that differ in case, blanks or as numbers only: 'a b' and 'ab'"),
    (_task(), ("1", "01", "2"), "labels that differ in case, blanks or as numbers only: '1' and '01'"),
    (_task(), ("NaN", "no", "yes"), "taken as labels: 'NaN'; rows without a label have to be left out"),
    (_task(left_out=("none",)), ("none", "no", "yes"), None),
    (
        _task(kinds.MULTI_LABEL),
        ("a, b", "b"),
        "labels with a comma or a bar: 'a, b'; if they are several, write `label_separator`",
    ),
    (_task(), ("a, b", "b"), None),
    (_task(kinds.TOKEN_CLASSIFICATION), ("B-x", "B-y"), "there is no tag 'O': every word is read as part of an entity"),
    (_task(kinds.TOKEN_CLASSIFICATION), ("B-x", "O"), None),
]


@pytest.mark.parametrize(("task", "labels", "expected"), NOTES)
def test_labels_that_may_be_mistakes_are_noted(task: Task, labels: tuple[str, ...], expected: str | None) -> None:
    notes = list(note_labels(replace(task, labels=labels), dict.fromkeys(labels, 5)))
    assert notes[1:] == ([expected] if expected else [])


def test_labels_with_a_single_example_are_noted_once() -> None:
    task = _task(labels=("no", "yes", "yse"))
    counts = {"no": 1, "yes": 5, "yse": 1}
    assert list(note_labels(task, counts))[1:] == ["labels with one train example alone: 'no', 'yse'"]
    assert list(note_labels(task, counts, reported=["yse"]))[1:] == ["labels with one train example alone: 'no'"]


@pytest.mark.parametrize(
    ("rare", "meant"),
    [
        ("yse", "yes"),
        ("ye", "yes"),
        ("yess", "yes"),
        ("yas", "yes"),
        ("Yse", "yes"),
        ("not seeen", "not seen"),
        ("yen", "yes"),
    ],
)
def test_a_rare_label_that_is_much_like_a_frequent_one_is_told_with_its_row(rare: str, meant: str) -> None:
    labels = [*[meant] * 60, "other", rare, *["other"] * 30]
    task = replace(_task(), labels=tuple(sorted(set(labels))))
    rows = [Row(f"t:{number}", {"label": label}) for number, label in enumerate(labels)]
    expected = (
        [] if min(len(word) for word in rare.split()) < 3 else [("t:61", f'label "{rare}" is rare; did you mean {meant!r}')]
    )
    assert [(problem.where, problem.what[: len(expected[0][1])]) for problem in check_inferred(task, rows, "t")] == expected


@pytest.mark.parametrize(
    "labels",
    [
        ["CPR:3"] * 60 + ["CPR:4"],  # numbers
        ["type I"] * 60 + ["type II"],  # a short word
        ["grade a"] * 60 + ["grade b"],
        ["male"] * 60 + ["female"],  # two letters
        ["yes"] * 10 + ["yse"],  # not so rare beside the other
        ["B-Gene"] * 60 + ["I-Gene"],
    ],
)
def test_labels_of_their_own_are_no_misspellings(labels: list[str]) -> None:
    task = replace(_task(), labels=tuple(sorted(set(labels))))
    assert check_inferred(task, [Row(f"t:{n}", {"label": label}) for n, label in enumerate(labels)], "t") == []


def test_numbers_with_decimals_ask_for_a_regression() -> None:
    task = replace(_task(), labels=("0.5", "1", "2.25"))
    (problem,) = check_inferred(task, [Row("t:2", {"label": "0.5"})], "t")
    assert problem.what.startswith("'label' holds numbers such as 0.5; did you mean `kind: regression`?")


def test_an_order_that_counts_is_not_made_up() -> None:
    what = "the order of high, low, medium cannot be told from their names; list them in order"
    for labels, expected in (
        (("high", "low", "medium"), [NamedProblem("t", what, "labels")]),
        (("0", "1", "2", "10"), []),
        (("no", "yes"), []),  # of which a kappa is the same from either end
    ):
        assert check_inferred(_task(kinds.ORDINAL, labels=labels), _rows(*labels), "t") == expected
        assert check_inferred(_task(labels=labels), _rows(*labels), "t") == []


INDICES: list[tuple[tuple[str, ...], list[Any], list[str], str | None]] = [
    (("B-D", "I-D", "O"), [0, 1, 2], ["B-D", "I-D", "O"], None),
    (("B-D", "I-D", "O"), ["0", "2"], ["B-D", "O"], None),
    (("B-D", "I-D", "O"), [0, 1, 2, "O"], ["B-D", "I-D", "O", "O"], None),
    (("B-D", "I-D", "O"), ["B-D", "I-D", "0"], ["B-D", "I-D", "O"], "0 as O"),
    (("B-D", "L-D", "O", "U-D"), [0, 1, 2, 3], ["B-D", "E-D", "O", "S-D"], "L-D as E-D, U-D as S-D"),
    (("D-B", "D-I", "o"), [0, 1, 2], ["B-D", "I-D", "O"], "D-B as B-D, D-I as I-D, o as O"),
]


@pytest.mark.parametrize(("labels", "written", "expected", "note"), INDICES)
def test_indices_stand_for_the_tags_that_are_listed(
    labels: tuple[str, ...], written: list[Any], expected: list[str], note: str | None
) -> None:
    numbers = {str(index): label for index, label in enumerate(labels)}
    task = with_aliases(_task(kinds.TOKEN_CLASSIFICATION, labels=labels, label_aliases=numbers), _rows(written))
    assert [task.labels[label_index(task, tag)] for tag in written] == expected
    notes = [found.partition(": ")[2] for found in note_labels(task, {}) if "another scheme" in found]
    assert notes == ([note] if note else [])


def test_many_whole_numbers_are_noted_where_their_order_does_not_count() -> None:
    task = replace(_task(), labels=("0", "1", "2", "3", "4"))
    assert "all 5 labels are numbers, read as names; with `regression` or `ordinal` their order counts" in list(
        note_labels(task, {})
    )
    assert list(note_labels(replace(task, kind=kinds.ORDINAL), {})) == ["labels in train: 0 0, 1 0, 2 0, 3 0, 4 0"]
