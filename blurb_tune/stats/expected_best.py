"""What the best of n runs is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blurb_tune.stats.samples import sample


def expected_best(scores: Sequence[float], n: int) -> float:
    """The expected highest of n scores, by N that were seen, shape (N,) (Dodge et al. 2019, arXiv 1909.03004, section 3).

    sum_i v_(i) [(i/N)^n - ((i-1)/N)^n], v sorted. It holds for independent draws alone, such as the seeds of a configuration
    or random search: not for TPE, nor for what is left after some were stopped. Raises ValueError unless 1 <= n <= N: beyond
    what was seen there is nothing to go by. Draws are with replacement from what was seen, which is too low on average, most
    for n near N (Tang et al. 2020, arXiv 2004.13705).
    """
    values = np.sort(sample(scores))
    if not 1 <= n <= values.size:
        raise ValueError(f"1 <= n <= number of scores must hold, but got (n={n}, scores={values.size})")
    shares = (np.arange(values.size + 1) / values.size) ** n
    return float(values @ np.diff(shares))
