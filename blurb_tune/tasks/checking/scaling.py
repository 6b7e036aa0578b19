"""The unit in which a regression's scores are learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.task import Kind, Task


def with_label_scale(task: Task, train: Sequence[Example]) -> Task:
    """The task with center and scale of its scores; where they are left to the data, mean and standard deviation of train.

    So neither learning rates nor the rules for lost runs need to know in which unit somebody measured.
    """
    if task.kind is not Kind.REGRESSION:
        return task
    scores = np.array([example.label for example in train], dtype=np.float64)
    largest = float(np.abs(scores).max()) or 1.0  # the square of a large number would be infinite
    center = float((scores / largest).mean()) * largest if task.label_center is None else task.label_center
    scale = float((scores / largest).std()) * largest or 1.0 if task.label_scale is None else task.label_scale
    return replace(task, label_center=center, label_scale=scale)
