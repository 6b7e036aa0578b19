"""Tokenised examples and padded batches, with the model `tiny`'s tokenizer."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blurb_tune.models.tiny import tiny_tokenizer
from blurb_tune.tasks.data import load_split
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.features import Encoded, collate, encode
from blurb_tune.tasks.task import TASKS

DEMO, PUBMEDQA = TASKS["demo"], TASKS["pubmedqa"]
SINGLE = dataclasses.replace(PUBMEDQA, fields=("sentence1",))
TOKENIZER = tiny_tokenizer()
PAD = TOKENIZER.pad_token_id


def _example(text_a: str, text_b: str | None = "b", label: float = 1) -> Example:
    return Example("x", text_a, text_b, label)


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


@settings(deadline=None)
@given(_examples, st.integers(8, 40))
def test_each_example_is_what_the_tokenizer_gives_for_it_alone(examples: list[Example], max_length: int) -> None:
    encoded = encode(examples, TOKENIZER, max_length, DEMO)
    cut = 0
    for row, example in enumerate(examples):
        alone = TOKENIZER(example.text_a, example.text_b, truncation="longest_first", max_length=max_length)
        assert _tokens(encoded, row) == alone["input_ids"]
        whole = TOKENIZER(example.text_a, example.text_b, truncation=False)
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


@settings(deadline=None)
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
        alone = TOKENIZER(examples[row].text_a, examples[row].text_b, truncation="longest_first", max_length=32)
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


def test_shared_read_only_memory_is_enough() -> None:
    """Ray hands out arrays that cannot be written to; pickling without copies is what it does with them."""
    encoded = encode(load_split(DEMO, None, "dev"), TOKENIZER, 64, DEMO)
    buffers: list[pickle.PickleBuffer] = []
    small = pickle.dumps(encoded, protocol=5, buffer_callback=buffers.append)
    assert len(small) < 1500
    back = pickle.loads(small, buffers=[bytes(buffer) for buffer in buffers])
    assert not back.input_ids.flags.writeable
    rows = np.arange(len(encoded))
    for name, array in collate(back, rows, PAD).items():
        assert array.flags.writeable
        assert np.array_equal(array, collate(encoded, rows, PAD)[name])
