"""Which examples run side by side, so that little of what is computed is padding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def split_by_length(lengths: NDArray[np.int64], *, cost_of_a_part: float, power: int = 1) -> list[slice]:
    """Cut examples, sorted by length (n,), longest first, into the parts that cost least.

    A part of k examples whose longest has s tokens costs k * s ** power, and `cost_of_a_part` whatever is in it. Exact, by
    dynamic programming over the ends of the parts: O(n^2), and n is a batch.
    """
    count = len(lengths)
    sizes = lengths.astype(np.float64) ** power
    best = np.zeros(count + 1)
    cut = np.zeros(count + 1, dtype=np.int64)
    for end in range(1, count + 1):
        starts = np.arange(end)
        costs = best[:end] + sizes[:end] * (end - starts) + cost_of_a_part
        cut[end] = int(costs.argmin())
        best[end] = costs[cut[end]]
    parts = []
    end = count
    while end:
        start = int(cut[end])
        parts.append(slice(start, end))
        end = start
    return parts[::-1]
