"""Texts that are too long keep their masked entities, whatever the tokenizer makes of them."""

from __future__ import annotations

import dataclasses
import re
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.encoding.features import encode
from blurb_tune.tasks.encoding.windows import keep_markers
from blurb_tune.tasks.examples import Example
from tests.tasks.small_tokenizers import KINDS, make_tokenizer

TASK = TASKS["chemprot"]
PAIRS = dataclasses.replace(TASK, fields=("sentence1", "sentence2"))

_words = st.sampled_from(["gene", "cells", "IL-2", "of", "β-", "(10", "mg/kg).", "x\u200by", "Å", "anti-", *TASK.markers])
_texts = (
    st.lists(st.tuples(_words, st.sampled_from(["", " "])), min_size=1, max_size=60)
    .map(lambda pieces: "".join(word + blank for word, blank in pieces))
    .filter(str.strip)
)
_tokenizers = st.builds(lambda kind, added: tokenizer_of(kind, added), st.sampled_from(KINDS), st.booleans())


@cache
def tokenizer_of(kind: str, added: bool) -> PreTrainedTokenizerBase:
    return make_tokenizer(kind, markers=TASK.markers if added else ())


def count_markers(text: str) -> list[int]:
    """How often each marker stands in the text; blanks and case aside, which decoding may lose."""
    plain = "".join(text.split()).casefold()
    return [plain.count(marker.casefold()) for marker in TASK.markers]


def needs(tokenizer: PreTrainedTokenizerBase, text: str) -> np.ndarray:
    """Which tokens of the text, without special ones, have a character of a marker: found character by character."""
    inside = {place for match in re.finditer("|".join(map(re.escape, TASK.markers)), text) for place in range(*match.span())}
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return np.array([not inside.isdisjoint(range(start, end)) for start, end in offsets], dtype=bool)


def is_subsequence(part: list[int], whole: list[int]) -> bool:
    rest = iter(whole)
    return all(token in rest for token in part)


@given(_tokenizers, st.lists(_texts, min_size=1, max_size=3), st.integers(3, 60))
def test_no_marker_is_lost_and_all_room_is_used(tokenizer: PreTrainedTokenizerBase, texts: list[str], max_length: int) -> None:
    examples = [Example(str(number), (text,), 0) for number, text in enumerate(texts)]
    if any(needs(tokenizer, text).sum() > max_length - 2 for text in texts):
        with pytest.raises(BlurbTuneError, match="masked entities"):
            encode(examples, tokenizer, max_length, TASK)
        return
    encoded = encode(examples, tokenizer, max_length, TASK)
    whole = [tokenizer(text, truncation=False)["input_ids"] for text in texts]
    for row, text in enumerate(texts):
        ids = encoded.input_ids[encoded.offsets[row] : encoded.offsets[row + 1]].tolist()
        assert len(ids) == min(len(whole[row]), max_length)
        assert is_subsequence(ids, whole[row])
        assert (ids[0], ids[-1]) == (whole[row][0], whole[row][-1])
        assert count_markers(tokenizer.decode(ids)) == count_markers(tokenizer.decode(whole[row])) == count_markers(text)
    assert encoded.truncated == sum(len(ids) > max_length for ids in whole)


@given(_tokenizers, _texts, _texts, st.integers(5, 80))
def test_both_texts_of_a_pair_keep_theirs(tokenizer: PreTrainedTokenizerBase, first: str, second: str, length: int) -> None:
    example = Example("x", (first, second), 0)
    special = tokenizer.num_special_tokens_to_add(pair=True)
    if needs(tokenizer, first).sum() + needs(tokenizer, second).sum() > length - special or length <= special:
        with pytest.raises(BlurbTuneError, match="max_length"):
            encode([example], tokenizer, length, PAIRS)
        return
    encoded = encode([example], tokenizer, length, PAIRS)
    whole = tokenizer(first, second, truncation=False)
    ids = encoded.input_ids.tolist()
    assert len(ids) == min(len(whole["input_ids"]), length)
    assert is_subsequence(ids, whole["input_ids"])
    assert count_markers(tokenizer.decode(ids)) == count_markers(tokenizer.decode(whole["input_ids"]))
    if encoded.token_type_ids is not None:
        kinds = list(zip(ids, encoded.token_type_ids.tolist(), strict=True))
        assert is_subsequence(kinds, list(zip(whole["input_ids"], whole["token_type_ids"], strict=True)))


@given(_tokenizers, st.lists(_texts, min_size=1, max_size=3), st.integers(3, 20))
def test_texts_without_markers_are_cut_as_the_tokenizer_cuts_them(
    tokenizer: PreTrainedTokenizerBase, texts: list[str], max_length: int
) -> None:
    texts = [text.replace("@", "a") for text in texts]
    encoded = encode([Example("x", (text,), 0) for text in texts], tokenizer, max_length, TASK)
    plain = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
    assert encoded.input_ids.tolist() == [token for ids in plain for token in ids]


@given(st.lists(st.booleans(), min_size=2, max_size=40).filter(any), st.data())
def test_markers_that_fit_stand_in_the_middle_of_one_window(in_marker: list[bool], data: st.DataObject) -> None:
    needed = np.flatnonzero(in_marker)
    room = data.draw(st.integers(needed[-1] - needed[0] + 1, len(in_marker)))
    kept = np.flatnonzero(keep_markers([np.array(in_marker)], [room], room)[0])
    assert len(kept) == room
    assert (np.diff(kept) == 1).all()
    left, right = needed[0] - kept[0], kept[-1] - needed[-1]
    assert min(left, right) >= 0
    assert abs(left - right) <= 1 or kept[0] == 0 or kept[-1] == len(in_marker) - 1


@given(st.lists(st.booleans(), min_size=2, max_size=40).filter(any), st.data())
def test_nothing_is_kept_that_is_farther_from_a_marker_than_what_is_cut(in_marker: list[bool], data: st.DataObject) -> None:
    needed = np.flatnonzero(in_marker)
    room = data.draw(st.integers(len(needed), max(len(needed), needed[-1] - needed[0])))
    kept = keep_markers([np.array(in_marker)], [room], room)[0]
    distances = np.abs(np.arange(len(in_marker))[:, None] - needed).min(axis=1)
    assert kept.sum() == room
    assert distances[kept].max() <= distances[~kept].min(initial=len(in_marker))


def test_markers_that_stand_far_apart_keep_what_is_around_each() -> None:
    tokenizer = tokenizer_of("wordpiece", True)
    text = " ".join([*"abcdefghij", "@GENE$", *"klmnopqrst", *"uvwxyzabcd", "@CHEMICAL$", *"efghijklmn"])
    encoded = encode([Example("x", (text,), 0)], tokenizer, 16, TASK)
    kept = tokenizer.convert_ids_to_tokens(encoded.input_ids)
    assert kept == ["[CLS]", *"hij", "@GENE$", *"klm", *"bcd", "@CHEMICAL$", *"efg", "[SEP]"]


def test_what_does_not_fit_is_named_with_what_is_needed() -> None:
    example = Example("17.T1.T2", ("@GENE$ a @GENE$ b @CHEMICAL$",), 0)
    with pytest.raises(BlurbTuneError) as caught:
        encode([example], tokenizer_of("wordpiece", True), 4, TASK)
    assert str(caught.value) == (
        "example '17.T1.T2' has masked entities of 3 tokens, which are never cut off, but max_length 4 leaves room for 2; "
        "expected a max_length of at least 5"
    )
    assert encode([example], tokenizer_of("wordpiece", True), 5, TASK).lengths.tolist() == [5]
