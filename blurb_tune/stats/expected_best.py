"""What the best of n runs is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def expected_best(scores: Sequence[float], n: int) -> float:
    """The expected highest of n scores, by N that were seen, shape (N,) (Dodge et al. 2019, arXiv 1909.03004, section 3).

    sum_i v_(i) [(i/N)^n - ((i-1)/N)^n], v sorted. It holds for independent draws alone, such as the seeds of a configuration
    or random search: not for TPE, nor for what is left after some were stopped. Raises ValueError unless 1 <= n <= N: beyond
    what was seen there is nothing to go by.
    """
    values = np.sort(np.asarray(scores, dtype=float))
    if not 1 <= n <= values.size:
        raise ValueError(f"1 <= n <= number of scores must hold, but got (n={n}, scores={values.size})")
    shares = (np.arange(values.size + 1) / values.size) ** n
    return float(values @ np.diff(shares))
