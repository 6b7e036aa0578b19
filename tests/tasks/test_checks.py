"""What is said of train and dev as a whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from blurb_tune.tasks.checks import check_classes, check_folds, label_counts, note_repairs, note_repeated
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.task import Kind, Task


def _task(kind: Kind, labels: tuple[str, ...]) -> Task:
    return Task(name="t", kind=kind, metric="", description="", max_length=8, labels=labels, fields=("text",))


CLASSES = _task(Kind.CLASSIFICATION, ("maybe", "no", "yes"))
MANY = _task(Kind.MULTI_LABEL, ("a", "b"))
TAGS = _task(Kind.TOKEN_CLASSIFICATION, ("B-x", "I-x", "O"))
SCORES = _task(Kind.REGRESSION, ())


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
    near = _task(Kind.CLASSIFICATION, ("mabye", "maybe"))
    (problem,) = check_classes(near, _examples(1), _examples(0), "t")
    assert problem.what == "no example has the label 'mabye', but 1 of dev do; did you mean 'maybe'?"
    assert list(check_classes(MANY, _examples((1, 1)), [], "t")) == []
    assert list(check_classes(SCORES, _examples(1.0), [], "t")) == []


def test_a_fold_that_holds_all_of_a_label_is_told() -> None:
    examples = _examples(0, 0, 1, 1, 2)
    assert [str(p) for p in check_folds(CLASSES, examples, [(0, 2), (1, 3, 4)], "t")] == [
        "t: all examples with the label 'yes' (1) are in one fold, with none to learn from"
    ]
    assert list(check_folds(CLASSES, examples[:4], [(0, 2), (1, 3)], "t")) == []


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
    found = list(note_repairs(TAGS, examples, "dev"))
    assert len(found) == bool(repaired)
    assert all(note.startswith(f"dev: {repaired} entit") for note in found)


def test_only_tags_are_repaired() -> None:
    assert list(note_repairs(CLASSES, _examples(0), "dev")) == []
    assert list(note_repairs(TAGS, [], "dev")) == []
