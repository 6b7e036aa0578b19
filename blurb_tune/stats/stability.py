"""Statistics over the seeds of a configuration: how good, and how sure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blurb_tune.stats.objectives import pooled_std


@dataclass(frozen=True)
class ScoreSummary:
    """Location and spread of scores over seeds; NaN where there are too few of them.

    std has n - 1 in its denominator (stability in the sense of Mosbach et al. 2021, arXiv 2006.04884). Of several
    configurations it is the one pooled within them, and does not grow with the distance of their means.
    """

    n: int
    mean: float
    std: float
    min: float
    max: float


def summarize_scores(*samples: Sequence[float]) -> ScoreSummary:
    """The summary of finite scores, shape (n_i,) for each configuration i.

    mean, min and max are over all scores; std is sqrt(sum (n_i - 1) s_i^2 / sum (n_i - 1)), NaN where no configuration has
    two scores. Raises ValueError when a score is not finite.
    """
    parts = [np.asarray(scores, dtype=float) for scores in samples if len(scores)]
    if not parts:
        return ScoreSummary(0, math.nan, math.nan, math.nan, math.nan)
    values = np.concatenate(parts)
    if not np.isfinite(values).all():
        raise ValueError(f"scores must be finite, but got {values.tolist()}")
    return ScoreSummary(values.size, float(values.mean()), pooled_std(parts), float(values.min()), float(values.max()))
