"""From rows to examples: what is wrong is named, with its place, all of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.core.errors import Problem
from blurb_tune.tasks import kinds
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.checking.parsing import MAX_PROBLEMS, parse
from blurb_tune.tasks.examples import Example, Label, NamedProblem, Row, normalize_label, short_repr
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.task import ScoreScale, Task

BIOSSES, PUBMEDQA, HOC, NER, PICO = (TASKS[name] for name in ("biosses", "pubmedqa", "hoc", "ncbi-disease", "ebm-pico"))
PAIR = {"id": "7", "sentence1": "A.", "sentence2": "B.", "label": 2.5}
TAGGED = {"id": "7", "tokens": ["a", "b", "c"], "ner_tags": ["O", "B", "I"]}
TEXT = {"id": "7", "sentence": "A.", "label": ["cellular energetics"]}


def _rows(*values: dict[str, Any]) -> list[Row | Problem]:
    return [Row(f"t:{number}", row) for number, row in enumerate(values, start=1)]


def _faults(task: Task, good: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """What is wrong with `row` between two sound ones."""
    examples, problems = parse(task, _rows({**good, "id": "a"}, row, {**good, "id": "b"}), "t")
    assert [example.id for example in examples] == ["a", "b"]
    assert {problem.where for problem in problems} == {"t:2"}
    return [problem.what for problem in problems]


def _without(good: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in good.items() if name != key}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (_without(PAIR, "id"), "`id` is missing"),
        ({**PAIR, "id": " "}, '`id` must be a string or an integer, but got " "'),
        ({**PAIR, "id": True}, "`id` must be a string or an integer, but got true"),
        (_without(PAIR, "sentence1"), "`sentence1` is missing"),
        ({**PAIR, "sentence2": "  "}, "`sentence2` is empty"),
        ({**PAIR, "sentence2": None}, "`sentence2` must be a string, but got null"),
        ({**PAIR, "sentence2": math.nan}, "`sentence2` must be a string, but got NaN"),
        ({**PAIR, "sentence1": ["a"]}, '`sentence1` must be a string, but got ["a"]'),
        ({**PAIR, "sentence1": "\ud800"}, "`sentence1` holds half a surrogate pair, which is no character"),
        (_without(PAIR, "label"), "`label` is missing; expected a number from 0 to 4"),
        ({**PAIR, "label": "2.5"}, '`label` must be a number from 0 to 4, but got "2.5"'),
        ({**PAIR, "label": True}, "`label` must be a number from 0 to 4, but got true"),
        ({**PAIR, "label": math.nan}, "`label` must be a number from 0 to 4, but got NaN"),
        ({**PAIR, "label": math.inf}, "`label` must be a number from 0 to 4, but got Infinity"),
        ({**PAIR, "label": 4.01}, "`label` must be a number from 0 to 4, but got 4.01"),
        ({**PAIR, "label": 10**400}, f"`label` must be a number from 0 to 4, but got 1{'0' * 59}..."),
    ],
)
def test_each_fault_of_a_regression_row_is_named(row: dict[str, Any], expected: str) -> None:
    assert _faults(BIOSSES, PAIR, row) == [expected]


def test_without_a_range_any_finite_number_will_do() -> None:
    task = replace(BIOSSES, scores=ScoreScale())
    assert parse(task, _rows({**PAIR, "label": -1e300}), "t")[0][0].label == -1e300
    assert _faults(task, PAIR, {**PAIR, "label": math.inf}) == ["`label` must be a finite number, but got Infinity"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Yes", "unknown label \"Yes\"; did you mean 'yes'?"),
        ("maybee", "unknown label \"maybee\"; did you mean 'maybe'?"),
        ("42", 'unknown label "42"; expected one of: maybe, no, yes'),
        (2, "`label` must be one of: maybe, no, yes, but got 2"),
        (None, "`label` must be one of: maybe, no, yes, but got null"),
        (["yes"], '`label` must be one of: maybe, no, yes, but got ["yes"]'),
    ],
)
def test_a_label_outside_the_set_gets_the_nearest_valid_one(label: Any, expected: str) -> None:
    assert _faults(PUBMEDQA, {**PAIR, "label": "no"}, {**PAIR, "label": label}) == [expected]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("cellular energetics", "`label` must be a list of labels, or of 10 times 0 or 1; the labels are: activating"),
        (["cellular energetic"], "unknown label \"cellular energetic\"; did you mean 'cellular energetics'?"),
        ([0, 1], "`label` must be a list of labels, or of 10 times 0 or 1"),
        ([0] * 9 + [2], "`label` must be a list of labels, or of 10 times 0 or 1"),
        ([[]], "`label` must be a list of labels"),
    ],
)
def test_each_fault_of_many_labels_is_named(label: Any, expected: str) -> None:
    assert _faults(HOC, TEXT, {**TEXT, "label": label})[0].startswith(expected)


def test_many_labels_are_names_or_flags() -> None:
    flags = [0] * 9 + [1]
    names, given_flags, floats, none = (
        parse(HOC, _rows({**TEXT, "label": label}), "t")[0][0].label
        for label in (["tumor promoting inflammation"], flags, [float(flag) for flag in flags], [])
    )
    assert names == given_flags == floats == tuple(flags)
    assert none == (0,) * 10


@pytest.mark.parametrize("label", [[0, 1, 1], [True, False], ["a", 3], ["a", ""]])
def test_a_list_that_is_none_of_labels_is_one_fault(label: list[Any]) -> None:
    (fault,) = _faults(replace(HOC, labels=("a", "b")), {**TEXT, "label": ["a"]}, {**TEXT, "label": label})
    assert fault.endswith(f"but got {json.dumps(label)}")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tokens": "a b c"}, ['`tokens` must be a list of at least one word, but got "a b c"']),
        (
            {"tokens": []},
            ["`tokens` must be a list of at least one word, but got []", "`tokens` has 0 words, but `ner_tags` has 3 tags"],
        ),
        ({"tokens": ["a", " ", 5]}, ["word 2 of `tokens` is empty", "word 3 of `tokens` must be a string, but got 5"]),
        ({"ner_tags": ["O", "B"]}, ["`tokens` has 3 words, but `ner_tags` has 2 tags"]),
        ({"ner_tags": None}, ["`ner_tags` must be a list with one of these for each word: B, I, O, but got null"]),
        ({"ner_tags": ["O", "E", "E"]}, ['unknown label "E"; expected one of: B, I, O']),
        (
            {"ner_tags": ["O", ["B"], {}]},
            ['`ner_tags` must be a list with one of these for each word: B, I, O, but got ["O", ["B"], {}]'],
        ),
    ],
)
def test_each_fault_of_a_tagged_sentence_is_named(change: dict[str, Any], expected: list[str]) -> None:
    found = _faults(NER, TAGGED, TAGGED | change)
    assert len(found) == len(expected)
    assert all(what.startswith(start) for what, start in zip(found, expected, strict=True))


def test_other_spellings_of_labels_are_read() -> None:
    row = {**TAGGED, "ner_tags": ["O", "B-PAR", "I-OUT"]}
    assert parse(PICO, _rows(row), "t")[0][0].label == (3, 0, 2)
    gad = TASKS["gad"]
    for label in (1, 1.0, "1"):
        assert parse(gad, _rows({"id": "1", "sentence": "A.", "label": label}), "t")[0][0].label == 1


def test_truth_is_spelled_as_in_json() -> None:
    task = replace(PUBMEDQA, labels=("false", "true"))
    rows = _rows(*({**PAIR, "id": i, "label": label} for i, label in enumerate([True, "true", False])))
    assert [example.label for example in parse(task, rows, "t")[0]] == [1, 1, 0]
    assert [normalize_label(label) for label in (True, 1, 1.0, -0.0, 2.5, "x", None)] == [
        "true",
        "1",
        "1",
        "0",
        2.5,
        "x",
        None,
    ]


def test_all_faults_of_a_row_and_of_a_file_come_together_in_their_order() -> None:
    rows = _rows({"id": "a", "sentence1": "", "label": 9}, PAIR, {}, {**PAIR, "label": -1}, {**PAIR, "label": None})
    rows[2] = Problem("t:3", "nonsense")
    _, problems = parse(BIOSSES, rows, "t")
    assert [p.where for p in problems] == ["t:1", "t:1", "t:1", "t:3", "t:4", "t:4", "t:5", "t:5"]
    assert [p.what.split(";")[0] for p in problems[4:]] == [
        "`label` must be a number from 0 to 4, but got -1",
        'id "7" stands at t:2 already',
        "`label` must be a number from 0 to 4, but got null",
        'id "7" stands at t:2 already',
    ]


def test_ids_may_be_integers_and_are_compared_as_text() -> None:
    _, problems = parse(BIOSSES, _rows({**PAIR, "id": 1}, {**PAIR, "id": "1"}), "t")
    assert [str(p) for p in problems] == ['t:2: id "1" stands at t:1 already; ids must differ within a file']


def test_without_a_column_of_ids_rows_are_counted() -> None:
    rows = _rows(*[_without(PAIR, "id")] * 3)
    assert [example.id for example in parse(replace(BIOSSES, id_field=None), rows, "t")[0]] == ["1", "2", "3"]


def test_a_column_that_no_row_has_is_told_once_with_its_key() -> None:
    task = replace(BIOSSES, fields=("sentense1", "sentence2"), label_field="labl", id_field="ident")
    examples, problems = parse(task, _rows(PAIR, {**PAIR, "id": "8"}), "t")
    assert not examples
    assert problems == [
        NamedProblem("t", "there is no column 'sentense1'; did you mean 'sentence1'?", "text"),
        NamedProblem("t", "there is no column 'labl'; did you mean 'label'?", "label"),
        NamedProblem("t", "there is no column 'ident'; expected one of: id, label, sentence1, sentence2", "id"),
    ]


def test_no_rows_are_a_problem() -> None:
    assert [str(p) for p in parse(BIOSSES, [], "t")[1]] == ["t: there are no rows; expected at least one example"]


@pytest.mark.parametrize(("wrong", "last"), [(20, None), (21, "t: and 1 more problem in this file"), (50, "t: and 30 more")])
def test_long_lists_are_cut_with_a_count_of_the_rest(wrong: int, last: str | None) -> None:
    rows = _rows(*({**PAIR, "id": number, "label": 9} for number in range(wrong)))
    _, problems = parse(BIOSSES, rows, "t")
    assert [p.where for p in problems[:MAX_PROBLEMS]] == [f"t:{i}" for i in range(1, MAX_PROBLEMS + 1)]
    assert len(problems) == MAX_PROBLEMS + (last is not None)
    assert last is None or str(problems[-1]).startswith(last)


_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cf"]), min_size=1).filter(str.strip)
_WORDS = st.lists(st.tuples(_TEXTS, st.sampled_from(NER.labels)), min_size=1, max_size=4)
_LABELS: dict[Kind, st.SearchStrategy[Label]] = {
    kinds.REGRESSION: st.floats(0, 4),
    kinds.CLASSIFICATION: st.integers(0, 2),
    kinds.MULTI_LABEL: st.tuples(*[st.integers(0, 1)] * 10),
}


def _written(task: Task, example: Example) -> dict[str, Any]:
    """The row that an example comes from."""
    match example.label:
        case tuple(indices) if task.per_token:
            label: Any = [task.labels[index] for index in indices]
        case tuple(flags):
            label = [name for name, flag in zip(task.labels, flags, strict=True) if flag]
        case index if task.kind == kinds.CLASSIFICATION:
            label = task.labels[int(index)]
        case label:
            pass
    texts = {task.fields[0]: list(example.texts)} if task.per_token else dict(zip(task.fields, example.texts, strict=True))
    return {"id": example.id, **texts, task.label_field: label}


@given(st.data(), st.sampled_from([BIOSSES, PUBMEDQA, HOC, NER]))
def test_examples_written_as_rows_come_back_whole_and_in_order(data: st.DataObject, task: Task) -> None:
    examples = []
    for name in data.draw(st.lists(_TEXTS, min_size=1, max_size=5, unique=True)):
        if task.per_token:
            words, tags = zip(*data.draw(_WORDS), strict=True)
            examples.append(Example(name, words, tuple(map(task.labels.index, tags))))
        else:
            texts = tuple(data.draw(_TEXTS) for _ in task.fields)
            examples.append(Example(name, texts, data.draw(_LABELS[task.kind])))
    rows = [json.loads(json.dumps(_written(task, example))) for example in examples]
    assert parse(task, _rows(*rows), "t") == (examples, [])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([BIOSSES, PUBMEDQA, HOC, NER]),
    st.lists(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("id", "sentence1", "sentence2", "sentence", "label", "tokens", "ner_tags"), _JSON)
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_no_values_raise(task: Task, values: list[dict[str, Any]]) -> None:
    examples, problems = parse(task, _rows(*values), "t")
    assert examples or problems
    assert all(len(short_repr(value)) <= 63 for row in values for value in row.values())
