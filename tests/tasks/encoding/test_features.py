"""Tokenized examples and padded batches, with the model `tiny`'s tokenizer."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.models.tiny import tiny_tokenizer
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.encoding.features import Encoded, collate, encode
from blurb_tune.tasks.examples import Example, Label
from blurb_tune.tasks.task import Task

DEMO, PUBMEDQA, HOC, NER = TASKS["demo"], TASKS["pubmedqa"], TASKS["hoc"], TASKS["jnlpba"]
SINGLE = dataclasses.replace(PUBMEDQA, fields=("sentence1",))
TOKENIZER = tiny_tokenizer()
PAD = TOKENIZER.pad_token_id


def _example(text_a: str, text_b: str | None = "b", label: Label = 1) -> Example:
    return Example("x", (text_a,) if text_b is None else (text_a, text_b), label)


def _sentence(*words: str) -> Example:
    """Its labels are 0, 1, 2, ..."""
    return Example("x", words, tuple(range(len(words))))


_texts = st.text("abc gene.", min_size=1, max_size=30).filter(str.strip)
_examples = st.lists(st.builds(_example, _texts, _texts, st.floats(0, 4, width=32)), min_size=1, max_size=6)


def _tokens(encoded: Encoded, row: int) -> list[int]:
    return encoded.input_ids[encoded.offsets[row] : encoded.offsets[row + 1]].tolist()


def test_pairs_are_joined_as_the_tokenizer_joins_them() -> None:
    encoded = encode([_example("gene", "cell"), _example("a b c", "d")], TOKENIZER, 64, DEMO)
    assert TOKENIZER.convert_ids_to_tokens(_tokens(encoded, 0)) == ["[CLS]", "gene", "[SEP]", "cell", "[SEP]"]
    assert encoded.token_type_ids is not None
    assert encoded.token_type_ids.tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1]
    assert encoded.lengths.tolist() == [5, 7]
    assert encoded.truncated == 0
    assert len(encoded) == 2


def test_a_single_text_stands_alone() -> None:
    encoded = encode([_example("gene", None)], TOKENIZER, 64, SINGLE)
    assert TOKENIZER.convert_ids_to_tokens(_tokens(encoded, 0)) == ["[CLS]", "gene", "[SEP]"]


@given(_examples, st.integers(8, 40))
def test_each_example_is_what_the_tokenizer_gives_for_it_alone(examples: list[Example], max_length: int) -> None:
    encoded = encode(examples, TOKENIZER, max_length, DEMO)
    cut = 0
    for row, example in enumerate(examples):
        alone = TOKENIZER(*example.texts, truncation="longest_first", max_length=max_length)
        assert _tokens(encoded, row) == alone["input_ids"]
        whole = TOKENIZER(*example.texts, truncation=False)
        cut += len(whole["input_ids"]) > max_length
    assert encoded.truncated == cut
    assert encoded.lengths.max() <= max_length


def test_the_longer_text_is_truncated_first() -> None:
    encoded = encode([_example("a " * 50, "b b b"), _example("a", "b")], TOKENIZER, 12, DEMO)
    assert TOKENIZER.convert_ids_to_tokens(_tokens(encoded, 0)) == ["[CLS]", *"aaaaaa", "[SEP]", *"bbb", "[SEP]"]
    assert encoded.truncated == 1


def test_types_are_compact_and_labels_follow_the_task() -> None:
    scores = encode([_example("a", label=2.2)], TOKENIZER, 64, DEMO)
    classes = encode([_example("a", label=2), _example("b", label=0)], TOKENIZER, 64, PUBMEDQA)
    assert (scores.input_ids.dtype, scores.token_type_ids.dtype, scores.offsets.dtype) == (np.int32, np.int8, np.int64)
    assert scores.labels.dtype == np.float32
    assert scores.labels.tolist() == pytest.approx([2.2])
    assert classes.labels.dtype == np.int64
    assert classes.labels.tolist() == [2, 0]
    flags = encode([_example("a", None, (0, 1) * 5)], TOKENIZER, 64, HOC)
    assert (flags.labels.dtype, flags.labels.shape) == (np.float32, (1, 10))
    words = encode([_sentence("a", "b"), _sentence("c")], TOKENIZER, 64, NER)
    assert words.words is not None
    assert (words.labels.dtype, words.words.tokens.dtype, words.words.offsets.dtype) == (np.int64, np.int32, np.int64)
    assert words.labels.tolist() == [0, 1, 0]


@given(_examples, st.data())
def test_a_batch_holds_exactly_its_examples_and_padding(examples: list[Example], data: st.DataObject) -> None:
    encoded = encode(examples, TOKENIZER, 32, DEMO)
    rows = data.draw(st.lists(st.integers(0, len(examples) - 1), min_size=1, max_size=8))
    batch = collate(encoded, rows, PAD)
    width = max(len(_tokens(encoded, row)) for row in rows)
    assert set(batch) == {"input_ids", "attention_mask", "token_type_ids"}
    assert all(array.shape == (len(rows), width) and array.dtype == np.int64 for array in batch.values())
    for line, row in enumerate(rows):
        tokens = _tokens(encoded, row)
        padding = [0] * (width - len(tokens))
        alone = TOKENIZER(*examples[row].texts, truncation="longest_first", max_length=32)
        assert batch["input_ids"][line].tolist() == tokens + [PAD] * len(padding)
        assert batch["attention_mask"][line].tolist() == [1] * len(tokens) + padding
        assert batch["token_type_ids"][line].tolist() == alone["token_type_ids"] + padding


def test_padding_has_the_given_id_and_is_masked() -> None:
    batch = collate(encode([_example("a"), _example("a a a")], TOKENIZER, 64, DEMO), np.array([0, 1]), 77)
    assert batch["input_ids"][0, -2:].tolist() == [77, 77]
    assert batch["attention_mask"].sum(axis=1).tolist() == [5, 7]


def test_a_tokenizer_without_token_types_gives_none() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    encoded = encode([_example("a")], tokenizer, 64, DEMO)
    assert encoded.token_type_ids is None
    assert set(collate(encoded, [0], PAD)) == {"input_ids", "attention_mask"}


SENTENCES = [_sentence("a", "\x00", "expression"), _sentence("gene"), _sentence("x", "y", "z", "x", "y", "z", "x", "y")]


@pytest.mark.parametrize("rows", [[2, 0], [0, 1], [1], [0, 1, 2, 0]])
def test_labels_and_tokens_of_words_are_found_in_any_batch(rows: list[int]) -> None:
    encoded = encode(SENTENCES, TOKENIZER, 8, NER)
    batch, positions = collate(encoded, rows, PAD)["input_ids"], encoded.positions(np.array(rows))
    unread = {(0, 1), (2, 6), (2, 7)}  # one is a control character, two are cut off
    read = [(row, word) for row in rows for word in range(len(SENTENCES[row].texts)) if (row, word) not in unread]
    assert encoded.labels[encoded.units(np.array(rows))].tolist() == [word for _, word in read]
    assert positions is not None
    assert TOKENIZER.convert_ids_to_tokens(batch.ravel()[positions]) == [SENTENCES[row].texts[word] for row, word in read]


def test_one_label_an_example_stands_at_no_token() -> None:
    encoded = encode([_example("a"), _example("b")], TOKENIZER, 16, DEMO)
    rows = np.array([1, 0])
    assert encoded.units(rows).tolist() == [1, 0]
    assert encoded.positions(rows) is None


@pytest.mark.parametrize(
    ("task", "examples"),
    [(NER, SENTENCES), (DEMO, [_example("a b", "c", 1.5), _example("gene", "a", 2.5), _example("c", "d", 0.5)])],
)
def test_some_examples_are_what_they_are_alone(task: Task, examples: list[Example]) -> None:
    encoded = encode(examples, TOKENIZER, 8, task)
    for rows in ([2, 0], [1], [0, 1, 2], [1, 1]):
        taken, alone = encoded.take(np.array(rows)), encode([examples[row] for row in rows], TOKENIZER, 8, task)
        for name in ("input_ids", "token_type_ids", "offsets", "labels"):
            assert np.array_equal(getattr(taken, name), getattr(alone, name))
        if taken.words is not None and alone.words is not None:
            assert np.array_equal(taken.words.tokens, alone.words.tokens)
            assert np.array_equal(taken.words.offsets, alone.words.offsets)


def test_shared_read_only_memory_is_enough() -> None:
    """Ray hands out arrays that cannot be written to; pickling without copies is what it does with them."""
    encoded = encode([_example("a gene " * (n % 5 + 1), "b", n % 4) for n in range(100)], TOKENIZER, 64, DEMO)
    buffers: list[pickle.PickleBuffer] = []
    small = pickle.dumps(encoded, protocol=5, buffer_callback=buffers.append)
    assert len(small) < 1500
    back = pickle.loads(small, buffers=[bytes(buffer) for buffer in buffers])
    assert not back.input_ids.flags.writeable
    rows = np.arange(len(encoded))
    for name, array in collate(back, rows, PAD).items():
        assert array.flags.writeable
        assert np.array_equal(array, collate(encoded, rows, PAD)[name])
