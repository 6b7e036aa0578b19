"""How long a trial is."""

from __future__ import annotations

import math

from blurb_tune.core.trial import Configuration


def total_steps(examples: int, configuration: Configuration) -> int:
    """Optimizer steps of a whole trial on a training set of so many examples."""
    return math.ceil(examples / configuration.batch_size) * configuration.epochs
