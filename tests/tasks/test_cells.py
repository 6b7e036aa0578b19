"""What the text of a cell means to each kind of task."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.tasks.cells import typed
from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.task import Kind, Task


def _task(kind: Kind) -> Task:
    return Task(name="t", kind=kind, metric="", description="", max_length=8, fields=("text",), label_field="label")


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        (Kind.REGRESSION, " 2.5", 2.5),
        (Kind.REGRESSION, "-1e-3", -0.001),
        (Kind.REGRESSION, "2,5", "2,5"),
        (Kind.REGRESSION, "", ""),
        (Kind.CLASSIFICATION, " yes ", "yes"),
        (Kind.CLASSIFICATION, "a;b", "a;b"),
        (Kind.MULTI_LABEL, "a; b;;c d ", ["a", "b", "c d"]),
        (Kind.MULTI_LABEL, "", []),
        (Kind.MULTI_LABEL, '["a", "b;c"]', ["a", "b;c"]),
        (Kind.MULTI_LABEL, "[]", []),
        (Kind.MULTI_LABEL, "[sic]", ["[sic]"]),
        (Kind.TOKEN_CLASSIFICATION, "O B  I", ["O", "B", "I"]),
        (Kind.TOKEN_CLASSIFICATION, '["O", "B"]', ["O", "B"]),
        (Kind.TOKEN_CLASSIFICATION, "[ B", ["[", "B"]),
        (Kind.TOKEN_CLASSIFICATION, "[" * 100_000, ["[" * 100_000]),
        (Kind.MULTI_LABEL, ["a;b"], ["a;b"]),
        (Kind.REGRESSION, 3, 3),
        (Kind.CLASSIFICATION, None, None),
    ],
)
def test_a_label_s_cell_is_what_the_kind_wants(kind: Kind, cell: Any, expected: Any) -> None:
    row = Row("t:1", {"text": "a b", "label": cell, "other": "1;2"})
    read = typed(_task(kind), row)
    assert read.values["label"] == expected
    assert read.values["text"] == (["a", "b"] if kind is Kind.TOKEN_CLASSIFICATION else "a b")
    assert (read.place, read.values["other"]) == ("t:1", "1;2")


@given(st.sampled_from(Kind), st.dictionaries(st.sampled_from(["text", "label"]), st.text()))
def test_no_cell_raises_and_reading_twice_changes_nothing(kind: Kind, values: dict[str, str]) -> None:
    once = typed(_task(kind), Row("t", values))
    assert repr(typed(_task(kind), once)) == repr(once)
