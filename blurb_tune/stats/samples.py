"""Scores over seeds as arrays, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def sample(scores: Sequence[float]) -> NDArray[np.float64]:
    """Scores, shape (n,). Raises ValueError when one is not finite: a failed run has the trivial score, never none."""
    values = np.asarray(scores, dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(f"scores must be finite, but got {values.tolist()}")
    return values


def pair_differences(scores: Sequence[float], reference: Sequence[float]) -> NDArray[np.float64]:
    """The difference of each pair, shape (n,).

    Raises ValueError where the sides differ in length, or a score is not finite.
    """
    first, second = sample(scores), sample(reference)
    if first.size != second.size:
        raise ValueError(f"pairs need as many scores on both sides, but got ({first.size}, {second.size})")
    return first - second
