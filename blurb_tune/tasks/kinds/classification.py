"""Classification: one of several classes for each example."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy  # its parts are loaded when they are used, which checking data does not

from blurb_tune.tasks.examples import Example, Label
from blurb_tune.tasks.kind import Array, Floats, Formulas, Kind, Metric
from blurb_tune.tasks.kinds.named_labels import class_faults, label_index
from blurb_tune.tasks.kinds.variation import relative_variation
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.intervals import share_interval
from blurb_tune.tasks.scoring.noise import average_precision_bound, roc_auc_bound
from blurb_tune.tasks.scoring.scores import (
    Counts,
    Flags,
    average_precision,
    entropy,
    is_constant,
    matthews,
    roc_auc,
)
from blurb_tune.tasks.task import Task

if TYPE_CHECKING:
    import torch

# Of the logistic noise through which log odds become labels.
_LOGISTIC_STD = math.pi / math.sqrt(3)


class Classification(Kind):
    """`f1`, `roc_auc` and `average_precision` are of the class that stands last in `Task.labels`."""

    name = "classification"
    words: ClassVar[tuple[str, ...]] = (
        "multiclass",
        "multiclass classification",
        "binary",
        "binary classification",
        "single-label classification",
        "text classification",
        "sequence classification",
        "document classification",
        "sentence classification",
        "pair",
        "sentence pair",
        "pair classification",
        "nli",
        "relation",
        "relation extraction",
    )
    label = "one of several classes"
    rows: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("Crushing chest pain for an hour.", "yes"),
        ("Itchy skin, as every winter.", "no"),
        ("Short of breath since noon.", "yes"),
        ("Wants a new prescription.", "no"),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("accuracy", interval=share_interval),
        Metric("micro_f1"),
        Metric("macro_f1"),
        Metric("matthews"),
        Metric("f1", of_two_classes=True),
        Metric("roc_auc", chance=lambda labels, _: roc_auc_bound(labels == 1), of_two_classes=True, ranks=True),
        Metric(
            "average_precision",
            chance=lambda labels, generator: average_precision_bound(labels == 1, generator),
            of_two_classes=True,
            ranks=True,
        ),
    )
    # A constant prediction looks well in accuracy where classes are uneven; macro F1 shows what it is.
    default_metric = "macro_f1"
    problem_type = "single_label_classification"
    added = ("prediction", "probability", "probabilities")
    can_leave_out = True
    smooths_labels = True

    def expected(self, task: Task) -> str:
        return f"one of: {', '.join(task.labels)}" if task.labels else "a label"

    def label_faults(self, task: Task, row: Mapping[str, Any]) -> list[str]:
        return class_faults(task, row[task.label_field])

    def read_label(self, task: Task, row: Mapping[str, Any]) -> Label:
        return label_index(task, row[task.label_field])

    def write_label(self, task: Task, example: Example) -> Any:
        assert isinstance(example.label, int), "an index"
        return task.labels[example.label]

    def tells_skill(self, task: Task, distinct: set[Any]) -> bool:
        return any(task.labels[index] not in task.left_out for index in distinct)

    def expected_of_split(self, task: Task) -> str:
        return f"at least two labels{', one of them scored' if task.left_out else ''}"

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """The cross-entropy, in nats."""
        from torch.nn import functional  # without which data can be checked

        return functional.cross_entropy(outputs, targets)

    def columns(self, task: Task, outputs: Array, labels: Array, words: Words | None) -> tuple[Array, ...]:
        """Predicted and real classes and the log odds of the last class against the first, (n,) each."""
        # The log odds rank like the probabilities, which round to 1 when they are near it.
        return outputs.argmax(axis=1), labels, outputs[:, -1].astype(np.float64) - outputs[:, 0]

    def formulas(self, task: Task, *columns: Array) -> Formulas:
        predicted, actual, odds = columns
        counts = Counts.of_classes(predicted, actual, len(task.labels))
        scored = counts.select(is_scored(task) if task.left_out else counts.predicted + counts.actual > 0)
        return {
            "accuracy": lambda: float(np.mean(predicted == actual)),
            "micro_f1": lambda: scored.micro_f1,
            "macro_f1": lambda: scored.macro_f1,
            "matthews": lambda: matthews(counts),
            "f1": lambda: float(counts.f1[1]),
            "roc_auc": lambda: roc_auc(odds, actual == 1),
            "average_precision": lambda: average_precision(odds, actual == 1),
        }

    def mean_loss(self, task: Task, read: Floats, labels: Array, words: Words | None) -> float:
        return cross_entropy(read, labels)

    def spread(self, task: Task, read: Floats, labels: Array, columns: Sequence[Array]) -> float:
        """Of the shares outside the most frequent class.

        Where the task's metric ranks, a model may rank well and yet see the one class everywhere; so it is the standard
        deviation of the log odds over that of the standard logistic distribution, pi / sqrt(3), by which labels scatter
        around log odds (McKelvey & Zavoina 1975, J. Math. Sociol. 4:103).
        """
        if self.metric(task.metric).ranks:
            return _odds_spread(columns[2], labels)
        return relative_variation(np.bincount(read.argmax(axis=1)), np.bincount(labels))

    def answers(self, task: Task, outputs: Floats, temperature: float, words: Words | None) -> Iterator[dict[str, Any]]:
        for row in scipy.special.softmax(outputs / temperature, axis=1).tolist():
            best = max(row)
            probabilities = dict(zip(task.labels, row, strict=True))
            yield {"prediction": task.labels[row.index(best)], "probability": best, "probabilities": probabilities}

    def constants(self, task: Task, labels: Array) -> list[Floats]:
        """Each class."""
        return list(np.eye(task.outputs))

    def trivial_loss(self, task: Task, labels: Array, words: Words | None) -> float:
        """The entropy of the classes."""
        return entropy(np.bincount(labels, minlength=task.outputs))


def cross_entropy(logits: Floats, labels: Array) -> float:
    """The mean over rows, in nats; logits (m, classes), labels (m,)."""
    return float(-np.take_along_axis(scipy.special.log_softmax(logits, axis=1), labels[:, None], axis=1).mean())


def is_scored(task: Task) -> Flags:
    """Which labels the metrics do not leave out, (labels,)."""
    return np.array([label not in task.left_out for label in task.labels])


def _odds_spread(odds: Floats, actual: Array) -> float:
    if actual.min() == actual.max():
        return math.nan
    return 0.0 if is_constant(odds) else float(odds.std() / _LOGISTIC_STD)


CLASSIFICATION = Classification()
