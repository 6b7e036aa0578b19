"""How much predictions vary over how much the labels do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def relative_variation(predicted: NDArray[Any], actual: NDArray[Any]) -> float:
    """The share outside the most frequent prediction over that outside the most frequent label, from how often each occurs.

    NaN where there is one label alone.
    """
    of_labels = 1 - actual.max() / actual.sum()
    return float((1 - predicted.max() / predicted.sum()) / of_labels) if of_labels else math.nan


def counts_of_rows(values: NDArray[Any]) -> NDArray[np.int64]:
    """How often each different row of a matrix stands in it."""
    return np.unique(values, axis=0, return_counts=True)[1]
