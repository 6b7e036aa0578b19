"""When a run no longer improves on dev."""

from __future__ import annotations

import math
from collections.abc import Sequence


def count_stale(scores: Sequence[float], threshold: float) -> int:
    """Evaluations since the dev score last improved; scores: of all evaluations so far, oldest first.

    A score improves when it is above the best before it by more than `threshold`; the first one does, and an undefined one
    (NaN) does not. One that is above the best by less is the best from then on all the same. This is the counter of
    transformers' `EarlyStoppingCallback`.
    """
    best, count = -math.inf, 0
    for number, score in enumerate(scores):
        count = 0 if number == 0 or score - best > threshold else count + 1
        best = score if score > best else best
    return count
