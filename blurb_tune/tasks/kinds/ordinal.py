"""Ordinal classification: one of several classes that have an order, such as grades of severity."""

from __future__ import annotations

import numpy as np

from blurb_tune.tasks.kind import Array, Formulas, Metric
from blurb_tune.tasks.kinds.classification import Classification
from blurb_tune.tasks.scoring.intervals import share_interval
from blurb_tune.tasks.task import Task


class Ordinal(Classification):
    """Classes in the order of `Task.labels`, which for labels that are numbers is theirs. It is trained as a classification.

    `quadratic_kappa` counts a class that is missed by two steps four times as much as one that is missed by one.
    """

    name = "ordinal classification"
    words = ("ordinal", "ordinal regression", "grading", "grades", "likert", "severity")
    label = "one of several classes in an order"
    rows = (
        ("No pain at all.", "0"),
        ("It hurts a little.", "1"),
        ("It hurts a lot.", "2"),
        ("He has never had such pain.", "3"),
    )
    metrics = (
        Metric("quadratic_kappa"),
        Metric("accuracy", interval=share_interval),
        Metric("macro_f1"),
        Metric("mae", lower_is_better=True),
    )
    default_metric = "quadratic_kappa"
    orders_labels = True
    can_leave_out = False

    def formulas(self, task: Task, *columns: Array) -> Formulas:
        predicted, actual, _ = columns
        return {
            **super().formulas(task, *columns),
            "quadratic_kappa": lambda: quadratic_kappa(predicted, actual),
            "mae": lambda: float(np.abs(predicted - actual).mean()),
        }


def quadratic_kappa(predicted: Array, actual: Array) -> float:
    """Cohen's kappa with quadratic weights (Cohen 1968, Psychol. Bull. 70:213), of class indices, (n,) each.

    1 - sum (predicted - actual)^2 over all examples / the same over all pairs of a predicted and an actual class, per example;
    the latter mean is var(predicted) + var(actual) + (mean(predicted) - mean(actual))^2. 0 where that is nothing, as both are
    the same constant.
    """
    apart = predicted.var() + actual.var() + (predicted.mean() - actual.mean()) ** 2
    return float(1 - np.mean((predicted - actual) ** 2) / apart) if apart else 0.0


ORDINAL = Ordinal()
