"""What is said of train and dev as a whole."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from blurb_tune.tasks import kinds
from blurb_tune.tasks.checking.checks import (
    check_classes,
    dev_fault,
    label_counts,
    note_readings,
    note_repeated,
    one_sided_labels,
    train_fault,
)
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.metrics import TrivialPredictor, evaluate
from blurb_tune.tasks.task import Task


def _task(kind: Kind, labels: tuple[str, ...]) -> Task:
    return Task(name="t", kind=kind, metric="", description="", max_length=8, labels=labels, fields=("text",))


CLASSES = _task(kinds.CLASSIFICATION, ("maybe", "no", "yes"))
BINARY = _task(kinds.CLASSIFICATION, ("no", "yes"))
MANY = _task(kinds.MULTI_LABEL, ("a", "b"))
TAGS = _task(kinds.TOKEN_CLASSIFICATION, ("B-x", "I-x", "O"))
PLAIN_TAGS = _task(kinds.TOKEN_CLASSIFICATION, ("noun", "verb"))
SCORES = _task(kinds.REGRESSION, ())


def _examples(*labels: object) -> list[Example]:
    return [Example(str(i), (f"text {i}",), label) for i, label in enumerate(labels)]  # type: ignore[arg-type]


def test_labels_are_counted_for_each_kind() -> None:
    assert label_counts(CLASSES, _examples(0, 2, 2)) == {"maybe": 1, "yes": 2}
    assert label_counts(MANY, _examples((1, 0), (1, 1), (0, 0))) == {"a": 2, "b": 1}
    assert label_counts(TAGS, _examples((2, 0, 1), (2,))) == {"O": 2, "B-x": 1, "I-x": 1}
    assert label_counts(SCORES, _examples(1.0)) == {}


def test_a_label_that_train_lacks_is_told() -> None:
    assert [str(p) for p in check_classes(CLASSES, _examples(1), _examples(1, 2, 2), "t.csv")] == [
        "t.csv: no example has the label 'maybe'",
        "t.csv: no example has the label 'yes', but 2 of dev do; expected one of: no",
    ]
    near = _task(kinds.CLASSIFICATION, ("mabye", "maybe"))
    (problem,) = check_classes(near, _examples(1), _examples(0), "t")
    assert problem.what == "no example has the label 'mabye', but 1 of dev do; did you mean 'maybe'?"
    assert list(check_classes(MANY, _examples((1, 1)), [], "t")) == []
    assert list(check_classes(SCORES, _examples(1.0), [], "t")) == []


def test_labels_that_a_cut_has_on_one_side_alone_are_counted() -> None:
    examples = _examples(0, 0, 1, 1, 2)
    assert one_sided_labels(CLASSES, examples, [(0, 2), (1, 3, 4)]) == {"yes": 1}
    assert one_sided_labels(CLASSES, examples, [(0, 1)]) == {"maybe": 2, "no": 2, "yes": 1}
    assert one_sided_labels(CLASSES, examples[:4], [(0, 2), (1, 3)]) == {}
    assert one_sided_labels(CLASSES, examples, []) == {}


# What a split holds that is too little, for each kind.
TOO_LITTLE = [
    (CLASSES, (1, 1), "holds 'no' alone (2 examples)"),
    (SCORES, (1.5,), "holds the score 1.5 alone (1 example)"),
    (MANY, ((0, 0), (0, 0)), "holds no label (2 examples)"),
    (TAGS, ((2, 2), (2,)), "holds 'O' alone (2 examples)"),
]


@pytest.mark.parametrize(("task", "labels", "held"), TOO_LITTLE)
def test_a_split_that_is_labelled_alike_is_told(task: Task, labels: tuple[object, ...], held: str) -> None:
    for fault in (train_fault(task, _examples(*labels)), dev_fault(task, _examples(*labels))):
        assert fault is not None
        assert fault.startswith(f"{held}, ")
        assert "expected" in fault


@pytest.mark.parametrize(
    ("task", "alike", "different"),
    [
        (MANY, ((1, 0), (1, 0)), ((1, 0), (0, 0))),
        (MANY, ((1, 1), (1, 1)), ((1, 1), (1, 0))),
        (TAGS, ((0, 1), (0,)), ((0, 1), (2,))),
        (replace(TAGS, labels=("B-x", "B-y", "O")), ((0,), (0, 0)), ((0,), (1,))),
    ],
)
def test_where_a_constant_finds_everything_no_score_tells(
    task: Task, alike: tuple[object, ...], different: tuple[object, ...]
) -> None:
    assert dev_fault(task, _examples(*alike)) is not None
    assert dev_fault(task, _examples(*different)) is None


def test_labels_that_are_left_out_are_nothing_to_score_by() -> None:
    classes = replace(CLASSES, left_out=("no", "maybe"))
    assert dev_fault(classes, _examples(0, 1)) is not None
    assert dev_fault(classes, _examples(0, 2)) is None
    many = replace(MANY, left_out=("b",))
    assert dev_fault(many, _examples((0, 1), (0, 0))) is not None
    assert dev_fault(many, _examples((1, 1), (0, 0))) is None


ALL_METRICS = [
    (task, name)
    for task in (CLASSES, BINARY, MANY, TAGS, PLAIN_TAGS, SCORES)
    for name in task.kind.metric_names(task)
    if name in task.kind.usable_metrics
] + [(replace(CLASSES, left_out=("no",)), name) for name in ("micro_f1", "macro_f1")]


@st.composite
def _labelled(draw: st.DrawFn) -> tuple[Task, list[Example], list[Example]]:
    task, metric = draw(st.sampled_from(ALL_METRICS))
    index = st.integers(0, max(0, len(task.labels) - 1))
    label = {
        kinds.CLASSIFICATION: index,
        kinds.REGRESSION: st.sampled_from([0.0, 1.5, 4.0]),
        kinds.MULTI_LABEL: st.tuples(*[st.integers(0, 1)] * len(task.labels)),
        kinds.TOKEN_CLASSIFICATION: st.lists(index, min_size=1, max_size=3).map(tuple),
    }[task.kind]
    train, dev = (draw(st.lists(label, min_size=1, max_size=6)) for _ in range(2))
    return replace(task, metric=metric), _examples(*train), _examples(*dev)


def _arrays(task: Task, examples: list[Example]) -> tuple[np.ndarray, Words | None]:
    labels = [example.label for example in examples]
    if not task.per_token:
        return np.array(labels, dtype=np.int64 if task.kind == kinds.CLASSIFICATION else np.float32), None
    offsets = np.cumsum([0, *map(len, labels)])  # type: ignore[arg-type]
    return np.concatenate(labels), Words(offsets, np.zeros(offsets[-1], dtype=np.int32))  # type: ignore[arg-type]


@given(_labelled())
def test_where_there_is_no_fault_perfect_predictions_beat_the_trivial_ones(
    drawn: tuple[Task, list[Example], list[Example]],
) -> None:
    """By the metrics themselves: the score is defined, and above the trivial predictor's, whatever that learned."""
    task, train, dev = drawn
    (known, _), (labels, words) = _arrays(task, train), _arrays(task, dev)
    perfect = labels[:, None] if task.kind == kinds.REGRESSION else labels - 0.5
    if task.kind in (kinds.CLASSIFICATION, kinds.TOKEN_CLASSIFICATION):
        perfect = np.eye(task.outputs)[labels]
    score = evaluate(task, perfect, labels, words).score
    trivial = TrivialPredictor.of(task, known, labels, words)
    if dev_fault(task, dev) is None:
        # Of single words all entities may be found by calling every word one.
        assert score > trivial.score or task.metric == "entity_recall"
    elif task.metric in ("pearson", "spearman", "roc_auc", "average_precision", "matthews", "word_macro_f1"):
        assert math.isnan(score) or score <= trivial.score
    assert (train_fault(task, train) is None) == (trivial.train_loss > 0)


@pytest.mark.parametrize(("shared", "expected"), [(0, []), (1, ["1 of 3 dev examples has texts that stand in train, too"])])
def test_texts_of_dev_that_stand_in_train_are_counted(shared: int, expected: list[str]) -> None:
    train = _examples(0, 1)
    dev = [*train[:shared], *(Example("x", (f"other {i}",), 0) for i in range(3 - shared))]
    assert list(note_repeated(train, dev)) == expected


def test_pairs_are_the_same_when_both_texts_are() -> None:
    first, second = Example("1", ("a", "b"), 0), Example("1", ("b", "a"), 0)
    assert list(note_repeated([first], [second])) == []
    assert list(note_repeated([first], [first, first])) == ["2 of 2 dev examples have texts that stand in train, too"]


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=4))
def test_entities_without_a_beginning_are_counted_as_seqeval_reads_them(sentences: list[list[int]]) -> None:
    examples = [Example(str(i), tuple("w" * len(tags)), tuple(tags)) for i, tags in enumerate(sentences)]
    repaired = 0
    for tags in sentences:
        names = [TAGS.labels[tag] for tag in tags]
        repaired += sum(names[start].startswith("I") for _, start, _ in get_entities(names))
    found = list(note_readings(TAGS, examples, "dev"))
    assert len(found) == bool(repaired)
    assert all(note.startswith(f"dev: {repaired} entit") for note in found)


def test_only_tags_are_repaired() -> None:
    assert list(note_readings(CLASSES, _examples(0), "dev")) == []
    assert list(note_readings(TAGS, [], "dev")) == []
