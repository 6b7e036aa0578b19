"""Entities against seqeval on random tags, and by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from blurb_tune.tasks.scoring.entities import NO_TAG, compare_entities, count_entities, count_repairs
from blurb_tune.tasks.scoring.scores import Counts

PLAIN = ("B", "I", "O")
TYPED = ("O", "I-gene", "B-gene", "B-drug", "I-drug")
ALL_PREFIXES = ("B-x", "I-x", "E-x", "S-x", "O", "B-y", "I-y", "E-y", "S-y")
HYPHENS = ("B-cell-line", "I-cell-line", "O", "B-cell-type", "I-cell-type")
# No Bs at all: seqeval reads them as what they are, and a type without a prefix would be `I-` of that type.
INSIDE_ONLY = ("I-PAR", "I-INT", "I-OUT", "O")
LABEL_SETS = (PLAIN, TYPED, ALL_PREFIXES, HYPHENS, INSIDE_ONLY)

Sentences = list[list[str]]


def flat(sentences: Sequence[Sequence[str]], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Tags and offsets."""
    tags = np.array([labels.index(tag) for sentence in sentences for tag in sentence], dtype=np.int64)
    return tags, np.cumsum([0, *map(len, sentences)], dtype=np.int64)


def compared(predicted: np.ndarray, actual: np.ndarray, offsets: np.ndarray, labels: Sequence[str]) -> tuple[list[int], ...]:
    """`compare_entities` in plain lists."""
    return tuple(counts.tolist() for counts in compare_entities(predicted, actual, offsets, labels))


@st.composite
def _tagged(draw: st.DrawFn) -> tuple[tuple[str, ...], Sentences, Sentences]:
    """Labels, and two taggings of the same sentences, some of them empty."""
    labels = draw(st.sampled_from(LABEL_SETS))
    lengths = draw(st.lists(st.integers(0, 9), min_size=1, max_size=6))
    tagging = st.tuples(*(st.lists(st.sampled_from(labels), min_size=n, max_size=n) for n in lengths)).map(list)
    actual = draw(tagging)
    # Nearly right taggings share more entities than independent ones do.
    kept = st.tuples(*(st.lists(st.integers(0, 3), min_size=n, max_size=n) for n in lengths))
    mixed = [
        [a if keep else b for a, b, keep in zip(*sentence, strict=True)]
        for sentence in zip(actual, draw(tagging), draw(kept), strict=True)
    ]
    return labels, actual, mixed


@given(_tagged())
def test_entities_are_those_of_seqeval(tagged: tuple[tuple[str, ...], Sentences, Sentences]) -> None:
    labels, actual, predicted = tagged
    tags, offsets = flat(actual, labels)
    guesses, _ = flat(predicted, labels)
    assert count_entities(tags, offsets, labels) == len(get_entities(actual))
    by_sentence = compare_entities(guesses, tags, offsets, labels)
    for counts, taggings in zip(by_sentence[1:], (predicted, actual), strict=True):
        assert counts.tolist() == [len(get_entities(sentence)) for sentence in taggings]
    counts = Counts(*(values.sum() for values in by_sentence))
    for ours, theirs in ((counts.precision, precision_score), (counts.recall, recall_score), (counts.f1, f1_score)):
        assert float(ours) == pytest.approx(theirs(actual, predicted, zero_division=0), abs=1e-12)


@given(_tagged())
def test_a_label_without_prefix_is_a_type(tagged: tuple[tuple[str, ...], Sentences, Sentences]) -> None:
    _, actual, _ = tagged
    short = [["O" if tag == "O" else tag[2:] or "x" for tag in sentence] for sentence in actual]
    long = [["O" if tag == "O" else f"I-{tag}" for tag in sentence] for sentence in short]
    labels = tuple(dict.fromkeys(tag for sentence in short for tag in sentence))
    tags, offsets = flat(short, labels)
    assert count_entities(tags, offsets, labels) == len(get_entities(long))
    assert count_repairs(tags, offsets, labels) == 0


@pytest.mark.parametrize(
    ("sentences", "entities", "repairs"),
    [
        ([], 0, 0),
        ([""], 0, 0),
        (["OOO"], 0, 0),
        (["BIO", "OBI"], 2, 0),
        (["BBI"], 2, 0),
        (["OIIO"], 1, 1),
        (["OOB", "IIO"], 2, 1),
        (["OB", "", "I", ""], 2, 1),
        (["I"], 1, 1),
        (["III", "BII", "IOI"], 4, 3),
    ],
)
def test_counting_by_hand(sentences: list[str], entities: int, repairs: int) -> None:
    tags, offsets = flat(sentences, PLAIN)
    assert count_entities(tags, offsets, PLAIN) == entities
    assert count_repairs(tags, offsets, PLAIN) == repairs


def test_an_inside_of_another_type_is_repaired() -> None:
    tags, offsets = flat([["B-gene", "I-drug", "I-drug", "I-gene", "O"]], TYPED)
    assert count_entities(tags, offsets, TYPED) == 3
    assert count_repairs(tags, offsets, TYPED) == 2


def test_without_a_beginning_among_the_labels_nothing_is_repaired() -> None:
    tags, offsets = flat([["I-PAR", "I-PAR", "I-INT", "O", "I-PAR"]], INSIDE_ONLY)
    assert count_entities(tags, offsets, INSIDE_ONLY) == 3
    assert count_repairs(tags, offsets, INSIDE_ONLY) == 0


def test_an_entity_is_right_only_as_a_whole() -> None:
    actual, offsets = flat(["BIIOB", "OBI"], PLAIN)
    for guess, hits, found in (
        (["BIIOB", "OBI"], [2, 1], [2, 1]),
        (["BIOOB", "OBI"], [1, 1], [2, 1]),
        (["BBIOB", "OOB"], [1, 0], [3, 1]),
        (["OIIOI", "OII"], [1, 1], [2, 1]),
        (["OOOOO", "OOO"], [0, 0], [0, 0]),
    ):
        assert compared(flat(guess, PLAIN)[0], actual, offsets, PLAIN) == (hits, found, [2, 1])
    typed, offsets = flat([["B-gene", "I-gene", "O"]], TYPED)
    other, _ = flat([["B-drug", "I-drug", "O"]], TYPED)
    assert compared(other, typed, offsets, TYPED) == ([0], [1], [1])


def test_entities_are_counted_where_their_sentence_is_empty_or_not() -> None:
    actual, offsets = flat(["", "BI", "", "", "OBB", ""], PLAIN)
    guesses, _ = flat(["", "BI", "", "", "BOB", ""], PLAIN)
    assert compared(guesses, actual, offsets, PLAIN) == ([0, 1, 0, 0, 1, 0], [0, 1, 0, 0, 2, 0], [0, 1, 0, 0, 2, 0])


def test_a_word_without_a_tag_ends_an_entity() -> None:
    actual, offsets = flat(["BIII"], PLAIN)
    assert compared(np.array([0, 1, NO_TAG, NO_TAG]), actual, offsets, PLAIN) == ([0], [1], [1])
    assert compared(np.array([0, NO_TAG, 1, 1]), actual, offsets, PLAIN) == ([0], [2], [1])
