"""Probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.tasks.kinds import REGRESSION
from blurb_tune.tasks.scoring.metrics import evaluate
from blurb_tune.tasks.task import Task

_BOUNDS = (0.05, 20.0)


def temperature_of(task: Task, outputs: np.ndarray, data: Encoded) -> float:
    """The temperature that logits, (m, task outputs), are divided by so that their cross-entropy on `data` is least.

    1 for a regression, and where no temperature helps. (Guo et al. 2017, On calibration of modern neural networks, section
    4.2: one parameter, which leaves every prediction as it is.)
    """
    if task.kind == REGRESSION:
        return 1.0

    def loss(log_temperature: float) -> float:
        return evaluate(task, outputs / np.exp(log_temperature), data.labels, data.words).loss

    low, high = np.log(_BOUNDS)
    found = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded")
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0
