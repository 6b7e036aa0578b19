"""What the text of a cell means to each kind of task."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blurb_tune.core.errors import Problem
from blurb_tune.tasks import kinds
from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.kinds import KINDS
from blurb_tune.tasks.sources.cells import coerce_cells
from blurb_tune.tasks.task import Task


def _task(kind: Kind) -> Task:
    return Task(name="t", kind=kind, metric="", description="", max_length=8, fields=("text",), label_field="label")


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        (kinds.REGRESSION, " 2.5", 2.5),
        (kinds.REGRESSION, "-1e-3", -0.001),
        (kinds.REGRESSION, "2,5", "2,5"),
        (kinds.REGRESSION, "", ""),
        (kinds.REGRESSION, "+.5E2", 50.0),
        *((kinds.REGRESSION, cell, cell) for cell in ("1_000", "٣", "nan", "inf", "0x1", "1.2.3", ".")),
        (kinds.CLASSIFICATION, " yes ", "yes"),
        (kinds.CLASSIFICATION, "a;b", "a;b"),
        (kinds.MULTI_LABEL, "a; b;;c d ", ["a", "b", "c d"]),
        (kinds.MULTI_LABEL, "", []),
        (kinds.MULTI_LABEL, '["a", "b;c"]', ["a", "b;c"]),
        (kinds.MULTI_LABEL, "[]", []),
        (kinds.MULTI_LABEL, "[sic]", ["[sic]"]),
        (kinds.TOKEN_CLASSIFICATION, "O B  I", ["O", "B", "I"]),
        (kinds.TOKEN_CLASSIFICATION, '["O", "B"]', ["O", "B"]),
        (kinds.TOKEN_CLASSIFICATION, "[ B", ["[", "B"]),
        (kinds.TOKEN_CLASSIFICATION, "[" * 100_000, ["[" * 100_000]),
        (kinds.MULTI_LABEL, ["a;b"], ["a;b"]),
        (kinds.REGRESSION, 3, 3),
        (kinds.CLASSIFICATION, None, None),
    ],
)
def test_a_label_s_cell_is_what_the_kind_wants(kind: Kind, cell: Any, expected: Any) -> None:
    row = Row("t:1", {"text": "a b", "label": cell, "other": "1;2"})
    read = coerce_cells(_task(kind), row)
    assert isinstance(read, Row)
    assert read.values["label"] == expected
    assert read.values["text"] == (["a", "b"] if kind == kinds.TOKEN_CLASSIFICATION else "a b")
    assert (read.location, read.values["other"]) == ("t:1", "1;2")


@given(st.sampled_from(list(KINDS.values())), st.dictionaries(st.sampled_from(["text", "label"]), st.text()))
def test_no_cell_raises_and_reading_twice_changes_nothing(kind: Kind, values: dict[str, str]) -> None:
    once = coerce_cells(_task(kind), Row("t", values))
    assert isinstance(once, Problem) or repr(coerce_cells(_task(kind), once)) == repr(once)


LISTS = [kinds.MULTI_LABEL, kinds.TOKEN_CLASSIFICATION]
_STRINGS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=6)


def _numpy(items: list[str]) -> str:
    return str(np.array(items, dtype=object))


@pytest.mark.parametrize("write", [str, json.dumps, lambda items: json.dumps(items, indent=1, ensure_ascii=False), _numpy])
@pytest.mark.parametrize("kind", LISTS)
@given(items=_STRINGS)
@example(items=["B-Disease", "O"])
@example(items=["it's", 'a "quote"', "both '\"", "\\", "a, b", "]", "\n", "5\u00a0mg", ""])
@example(items=["word"] * 100)  # which numpy breaks into lines
def test_a_list_comes_back_however_it_was_written(write: Any, kind: Kind, items: list[str]) -> None:
    read = coerce_cells(_task(kind), Row("t", {"text": write(items), "label": f" {write(items)}\n"}))
    assert isinstance(read, Row)
    assert read.values["label"] == items
    assert read.values["text"] == (items if kind == kinds.TOKEN_CLASSIFICATION else write(items))


@pytest.mark.parametrize("flags", [[0, 1, 0], [1, 0] * 60, [0.0, 1.0]])
@pytest.mark.parametrize("write", [str, lambda flags: str(np.array(flags))])
def test_flags_come_back_as_numbers(write: Any, flags: list[float]) -> None:
    read = coerce_cells(_task(kinds.MULTI_LABEL), Row("t", {"text": "a", "label": write(flags)}))
    assert isinstance(read, Row)
    assert read.values["label"] == flags


SPOILT = [
    "['B', 'O'",  # cut off, as by a spreadsheet
    "['B', 'O",
    "['B' 'O', 'I']",  # which Python would read as two items
    "['B''O']",
    "['B' ... 'O']",
    "['B', nan]",
    "['B', np.str_('O')]",
    "['B', ['O']]",
    "[['B', 'O']]",
    "['B', print('O')]",
    '["B", \'O\'; "I"]',
    "['\\x']",
]
SPOILT_LABELS = ["[B, O]", "[B O]", "[B;O]", "[np.str_('B'), np.str_('O')]", "[nan, 'B']", "[B, O, ]"]


@pytest.mark.parametrize("cell", SPOILT)
@pytest.mark.parametrize("kind", LISTS)
def test_a_spoilt_list_is_a_problem_of_its_row(kind: Kind, cell: str) -> None:
    is_per_token = kind == kinds.TOKEN_CLASSIFICATION
    for name in ("label", "text") if is_per_token else ("label",):
        found = coerce_cells(_task(kind), Row("t:7", {"text": "a b", "label": "B O", name: cell}))
        assert isinstance(found, Problem)
        what = ("words" if name == "text" else "tags") + " with blanks" if is_per_token else "labels with semicolons"
        start = f"`{name}` must be {what} between them, a JSON list, or a list as Python writes it, but got "
        assert (found.where, found.what) == ("t:7", f"{start}{json.dumps(cell)}, which begins like a list and is none")


@pytest.mark.parametrize("cell", SPOILT_LABELS)
@pytest.mark.parametrize("kind", LISTS)
def test_labels_in_brackets_that_are_no_list_are_a_problem_too(kind: Kind, cell: str) -> None:
    assert isinstance(coerce_cells(_task(kind), Row("t", {"text": "a b", "label": cell})), Problem)


def test_all_spoilt_cells_of_a_row_are_named() -> None:
    found = coerce_cells(_task(kinds.TOKEN_CLASSIFICATION), Row("t", {"text": "['a", "label": "['B"}))
    assert isinstance(found, Problem)
    assert all(f"`{name}` must be" in found.what for name in ("text", "label"))


@pytest.mark.parametrize(
    "sentence",
    [
        "[ 3H ] thymidine",
        "[3H]thymidine uptake",
        "[3H]",
        "[ 3H ]",
        "[ a , b ]",
        "[ ' Benign ' tumours ]",
        '[ " Benign " tumours of the liver ]',
        "[The effect of 5'-AMP]",
        "[5'-32P]ATP binds [3']",
        "[",
        "[]nonsense",
    ],
)
def test_words_may_begin_with_a_bracket(sentence: str) -> None:
    read = coerce_cells(_task(kinds.TOKEN_CLASSIFICATION), Row("t", {"text": sentence, "label": "O"}))
    assert isinstance(read, Row)
    assert read.values["text"] == sentence.split(" ")


@pytest.mark.parametrize("cell", ["[sic]", "[a]; [b c]", "[a] b", "a [b]", "[a"])
def test_labels_may_begin_with_a_bracket(cell: str) -> None:
    read = coerce_cells(_task(kinds.MULTI_LABEL), Row("t", {"text": "a", "label": cell}))
    assert isinstance(read, Row)
    assert read.values["label"] == cell.split("; ")


_PIECES = st.sampled_from(
    ["[", "]", "'", '"', "a", "1", ".", "-", "\\", ",", ";", " ", "\n", "None", "(", "+", "\0", "*", "\u00a0"]
)


@given(st.lists(_PIECES, max_size=12).map(lambda pieces: "[" + "".join(pieces)), st.sampled_from(LISTS))
def test_a_cell_with_brackets_raises_and_warns_of_nothing(cell: str, kind: Kind) -> None:
    """Python warns of escapes that it does not know when it reads a list."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert isinstance(coerce_cells(_task(kind), Row("t", {"text": cell, "label": cell})), Row | Problem)
    assert not told


@pytest.mark.parametrize("piece", ["[", "['", "'a' ", "'a', ", "1 ", "1.", "-", "a, ", "\\", "'", "[[]"])
def test_a_long_cell_takes_no_longer_than_its_length(piece: str) -> None:
    """Where each character is looked at a few times, that is; with time in its square this would run for hours."""
    for kind in LISTS:
        coerce_cells(_task(kind), Row("t", {"text": "[" + piece * (1_000_000 // len(piece)), "label": "[" + piece * 300_000}))
