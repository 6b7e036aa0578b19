"""Whether two strategies spread alike over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy  # its parts are loaded when they are used, which a start does not wait for

from blurb_tune.stats.samples import sample


def brown_forsythe_p(scores: Sequence[float], reference: Sequence[float]) -> float:
    """The p-value of equal spreads of two samples, shapes (n,) and (m,): Levene's test about the medians (Brown & Forsythe
    1974, JASA 69:364), as Mosbach et al. 2021 compare strategies (arXiv 2006.04884).

    NaN where a sample has fewer than two scores, or nothing varies about the medians. Raises ValueError when a score is not
    finite. With five seeds of each it finds a spread that is four times as large in one of eight cases (docs/statistics.md).
    """
    samples = [sample(scores), sample(reference)]
    deviations = [np.abs(part - np.median(part)) for part in samples if part.size > 1]
    if len(deviations) < 2 or all(np.ptp(deviation) == 0 for deviation in deviations):
        return math.nan
    return float(scipy.stats.levene(*samples, center="median").pvalue)
