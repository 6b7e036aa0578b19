"""Several tests at once."""

from __future__ import annotations

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values, shape (k,), corrected for testing all of them (Holm 1979, Scand. J. Statist. 6:65); NaN stays and does not
    count. In order of size each is multiplied by how many are left, and is at least the one before it, at most 1."""
    order = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    corrected, highest = [math.nan] * len(p_values), 0.0
    for rank, (p, index) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        corrected[index] = highest
    return corrected
