from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.training.batching import epoch_batches, sorted_batches

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


def padded(batches: list[np.ndarray], lengths: np.ndarray) -> int:
    return sum(int(lengths[rows].max()) * len(rows) for rows in batches)


def test_large_sets_are_batched_by_length_and_small_ones_are_not() -> None:
    lengths = np.random.default_rng(0).integers(10, 200, size=2000)
    batches = epoch_batches(lengths, 16, seed=0, epoch=0)
    assert lengths.sum() / padded(batches, lengths) > 0.9
    assert lengths.sum() / padded(np.array_split(np.arange(2000), 125), lengths) < 0.65
    small = epoch_batches(lengths[:100], 16, seed=0, epoch=0)
    again = epoch_batches(lengths[:100], 16, seed=0, epoch=1)
    assert {frozenset(rows) for rows in small}.isdisjoint({frozenset(rows) for rows in again})


def test_the_order_follows_from_seed_and_epoch() -> None:
    lengths = np.arange(1, 65)
    orders = [np.concatenate(epoch_batches(lengths, 16, seed=s, epoch=e)) for s, e in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()
    assert (orders[0] != orders[3]).any()
