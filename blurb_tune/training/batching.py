"""Which examples go into a batch together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blurb_tune.core.seeds import derive

_MAX_POOL = 50


def epoch_batches(lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int) -> list[np.ndarray]:
    """The rows of each batch of one epoch, every example once; the last batch may be smaller.

    The order is drawn from the seed and the epoch alone. Large sets are shuffled, cut into pools of many batches, and sorted
    by length (shape (n,), in tokens) within a pool, so that a batch holds examples of similar length and little padding; the
    batches then come in random order. A set of fewer than 8 batches is only shuffled: sorting would give the same batches in
    every epoch.
    """
    generator = np.random.default_rng(derive(seed, "order", epoch))
    rows = generator.permutation(len(lengths))
    pool = min(len(lengths) // (batch_size * 4), _MAX_POOL) * batch_size
    if pool <= batch_size:
        return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    pools = [rows[start : start + pool] for start in range(0, len(rows), pool)]
    rows = np.concatenate([part[np.argsort(-lengths[part], kind="stable")] for part in pools])
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    return [batches[index] for index in generator.permutation(len(batches))]


def sorted_batches(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """The rows of each evaluation batch, longest examples first, for the least padding."""
    rows = np.argsort(-lengths, kind="stable")
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def padding_efficiency(lengths: np.ndarray, batches: Sequence[np.ndarray]) -> float:
    """The share of real tokens among all computed, 0 to 1: for each row of a batch, the model computes its longest row."""
    computed = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
    return sum(int(lengths[rows].sum()) for rows in batches) / computed
