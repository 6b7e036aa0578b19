"""Cutting dev and folds: stratified, disjoint, complete, the same on every run and in every order of the rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.tasks import kinds
from blurb_tune.tasks.checking.splitting import cut_dev, cut_folds
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.task import Task


def _task(kind: Kind, labels: tuple[str, ...] = ("a", "b", "c")) -> Task:
    return Task(name="t", kind=kind, metric="", description="", max_length=8, labels=labels, fields=("text",))


CLASSES, SCORES = _task(kinds.CLASSIFICATION), _task(kinds.REGRESSION, ())
MANY, TAGS = _task(kinds.MULTI_LABEL), _task(kinds.TOKEN_CLASSIFICATION, ("B", "I", "O"))


def _examples(labels: Sequence[object]) -> list[Example]:
    return [Example(str(index), (f"text {index}",), label) for index, label in enumerate(labels)]  # type: ignore[arg-type]


_CLASS_LABELS = st.lists(st.integers(0, 2), min_size=1, max_size=60)
_SHARES = st.floats(0.01, 0.99)


@given(_CLASS_LABELS, _SHARES)
def test_dev_has_its_share_of_each_class_and_leaves_one_for_train(labels: list[int], share: float) -> None:
    dev = cut_dev(CLASSES, _examples(labels), share)
    assert list(dev) == sorted(set(dev))
    assert set(dev) <= set(range(len(labels)))
    counts, found = Counter(labels), Counter(labels[index] for index in dev)
    for label, count in counts.items():
        assert found[label] <= count - 1
        assert abs(found[label] - share * count) <= 1 or found[label] == count - 1
    if all(count > 1 for count in counts.values()) and share <= 0.5:
        assert abs(len(dev) - share * len(labels)) <= 1 or len(dev) == 1


@given(_CLASS_LABELS, st.integers(2, 12))
def test_folds_are_disjoint_complete_and_stratified(labels: list[int], count: int) -> None:
    examples = _examples(labels)
    if len(examples) < count:
        with pytest.raises(ValueError, match=f"{count} folds need at least {count} different examples"):
            cut_folds(CLASSES, examples, count)
        return
    folds = cut_folds(CLASSES, examples, count)
    assert len(folds) == count
    assert sorted(index for fold in folds for index in fold) == list(range(len(labels)))
    assert max(map(len, folds)) - min(map(len, folds)) <= 1
    for label in set(labels):
        held = [sum(labels[index] == label for index in fold) for fold in folds]
        assert max(held) - min(held) <= 1


@given(_CLASS_LABELS, st.randoms(use_true_random=False))
def test_what_is_cut_follows_from_the_texts_not_from_their_order(labels: list[int], shuffle: random.Random) -> None:
    examples = _examples(labels)
    moved = examples.copy()
    shuffle.shuffle(moved)

    def ids(chosen: Sequence[Example], indices: Sequence[int]) -> set[str]:
        return {chosen[index].id for index in indices}

    assert ids(examples, cut_dev(CLASSES, examples, 0.3)) == ids(moved, cut_dev(CLASSES, moved, 0.3))
    if len(examples) > 2:
        for first, second in zip(cut_folds(CLASSES, examples, 3), cut_folds(CLASSES, moved, 3), strict=True):
            assert ids(examples, first) == ids(moved, second)


def test_the_cut_is_the_same_on_every_machine() -> None:
    examples = _examples([0, 1] * 10)
    assert cut_dev(CLASSES, examples, 0.2) == (1, 2, 12, 19)
    assert cut_folds(CLASSES, examples, 4)[0] == (3, 6, 11, 12, 14)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40), st.sampled_from([CLASSES, SCORES]))
def test_equal_texts_stay_together(texts: list[int], task: Task) -> None:
    examples = [Example(str(index), (f"text {text}",), index % 3) for index, text in enumerate(texts)]
    parts = [cut_dev(task, examples, 0.4)]
    if len(set(texts)) > 1:
        parts += cut_folds(task, examples, 2)
    for part in parts:
        inside = {texts[index] for index in part}
        assert all(index in part for index, text in enumerate(texts) if text in inside)


def test_scores_are_spread_over_both_sides() -> None:
    """Of each tenth of the scores dev gets its share, so that its mean is close to that of all."""
    scores = [float(score) for score in range(100)]
    dev = cut_dev(SCORES, _examples(scores), 0.2)
    assert Counter(index // 10 for index in dev) == Counter(dict.fromkeys(range(10), 2))
    for fold in cut_folds(SCORES, _examples(scores), 5):
        assert Counter(index // 10 for index in fold) == Counter(dict.fromkeys(range(10), 2))


def test_a_rare_label_is_on_both_sides() -> None:
    """Of labels and tags the rarest decides."""
    flags = [(1, int(index in (3, 40)), index % 2) for index in range(60)]
    tags = [(0, 1) if index in (3, 40) else (2, 2) for index in range(60)]
    for task, labels in ((MANY, flags), (TAGS, tags)):
        dev = cut_dev(task, _examples(labels), 0.5)
        assert len(dev) == 30
        assert len({3, 40} & set(dev)) == 1


@pytest.mark.parametrize("task", [CLASSES, SCORES, MANY, TAGS], ids=lambda task: str(task.kind))
def test_what_cannot_be_cut_is_left_whole(task: Task) -> None:
    label = {kinds.CLASSIFICATION: 0, kinds.REGRESSION: 1.0, kinds.MULTI_LABEL: (0, 0, 0), kinds.TOKEN_CLASSIFICATION: (2,)}
    one = _examples([label[task.kind]])
    assert cut_dev(task, one, 0.5) == ()
    two = _examples([label[task.kind]] * 2)
    assert len(cut_dev(task, two, 0.1)) == 1
