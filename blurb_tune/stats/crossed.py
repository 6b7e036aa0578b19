"""Which source of chance makes seeds differ, where two are crossed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class VarianceShares:
    """Of the variance of a single score: what is due to the initialization (rows), to the data order (columns), and to both
    together and the rest. They add up to 1; NaN where nothing varies."""

    initialization: float
    order: float
    rest: float


def variance_shares(scores: Sequence[Sequence[float]]) -> VarianceShares:
    """From scores of shape (a, b), a seeds of the initialization crossed with b of the data order.

    Two-way analysis of variance with random effects and one score a cell, as Dodge et al. 2020 cross them (arXiv 2002.06305,
    section 3): with the mean squares of rows, columns and the rest, sigma_row^2 = (MS_row - MS_rest) / b, sigma_column^2 =
    (MS_column - MS_rest) / a, sigma_rest^2 = MS_rest (Searle, Casella & McCulloch 1992, section 4.2); negative ones are 0.
    Raises ValueError unless a and b are at least 2, every row has b scores, and all of them are finite.
    """
    table = np.asarray(scores, dtype=float)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(f"two seeds of each at least must be crossed, but got shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError(f"scores must be finite, but got {table.tolist()}")
    a, b = table.shape
    if np.ptp(table) == 0:  # rounding would have shares
        return VarianceShares(math.nan, math.nan, math.nan)
    mean, rows, columns = table.mean(), table.mean(axis=1), table.mean(axis=0)
    of_rows = b * float(((rows - mean) ** 2).sum()) / (a - 1)
    of_columns = a * float(((columns - mean) ** 2).sum()) / (b - 1)
    rest = float(((table - rows[:, None] - columns[None, :] + mean) ** 2).sum()) / ((a - 1) * (b - 1))
    parts = max(0.0, (of_rows - rest) / b), max(0.0, (of_columns - rest) / a), rest
    total = math.fsum(parts)
    return VarianceShares(*(part / total for part in parts))
