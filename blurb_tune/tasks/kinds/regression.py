"""Regression: one number for each example."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from blurb_tune.stats.intervals import fisher_interval
from blurb_tune.tasks.examples import Example, Label
from blurb_tune.tasks.kind import Array, Floats, Formulas, Kind, Metric
from blurb_tune.tasks.kinds.named_labels import wrong_label
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.intervals import spearman_interval
from blurb_tune.tasks.scoring.noise import correlation_bound
from blurb_tune.tasks.scoring.scores import correlations, is_constant
from blurb_tune.tasks.task import Task

if TYPE_CHECKING:
    import torch

_ANY_NUMBER = (-sys.float_info.max, sys.float_info.max)
# As tables write numbers; Python would read `1_000` and the digits of other scripts, too.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_BINS = 10


class Regression(Kind):
    """Scores are learned, and squared errors measured, as (score - center) / unit of `Task.scores`."""

    name = "regression"
    words = ("similarity", "sts", "score", "number", "float", "continuous")
    label = "a number"
    rows = (
        ("No fever since Monday.", "The fever is gone.", "3.5"),
        ("No fever since Monday.", "A cough, at night.", "0.5"),
        ("The rash has spread.", "The rash is worse.", "4"),
        ("The rash has spread.", "Her knee hurts.", "1.25"),
    )
    metrics = (
        Metric("pearson", interval=fisher_interval, chance=lambda labels, _: correlation_bound(len(labels))),
        Metric("spearman", interval=spearman_interval, chance=lambda labels, _: correlation_bound(len(labels))),
        Metric("mse", lower_is_better=True),
    )
    default_metric = "pearson"
    problem_type = "regression"
    added = ("prediction",)
    has_labels = False
    stratum = "score"

    def read_cell(self, cell: str, *, is_label: bool) -> Any:
        return float(cell) if _NUMBER.fullmatch(cell) else cell

    def read_column(
        self, cells: Sequence[str], *, separator: str | None, labels: Sequence[str]
    ) -> tuple[Sequence[str], str | None]:
        """Numbers with a decimal comma are read where it is known, or one of them shows, that it divides no thousands."""
        commas = [cell for cell in cells if "," in cell]
        if (
            not commas
            or not all(_DECIMAL_COMMA.fullmatch(cell.strip()) for cell in commas)
            or any("." in cell for cell in cells)
        ):
            return cells, None
        if separator != "," and all(_THOUSANDS.fullmatch(cell.strip()) for cell in commas):
            raise ValueError(
                f"has numbers like {commas[0]!r}, whose comma may divide thousands or decimals; write a point or none"
            )
        return [cell.replace(",", ".") for cell in cells], ","

    def expected(self, task: Task) -> str:
        return "a number from {:g} to {:g}".format(*task.scores.limits) if task.scores.limits else "a finite number"

    def label_faults(self, task: Task, row: Mapping[str, Any]) -> list[str]:
        label, (low, high) = row[task.label_field], task.scores.limits or _ANY_NUMBER
        is_number = isinstance(label, int | float) and not isinstance(label, bool)
        return [] if is_number and low <= label <= high else [wrong_label(task, label)]

    def read_label(self, task: Task, row: Mapping[str, Any]) -> Label:
        return float(row[task.label_field])

    def indices(self, label: Label) -> Iterable[int]:
        return ()

    def show(self, label: Any) -> str:
        return f"the score {label:g}"

    def expected_of_split(self, task: Task) -> str:
        return "at least two different scores"

    def strata(self, task: Task, examples: Sequence[Example]) -> list[int]:
        """A tenth of the scores in their order."""
        by_score = sorted(range(len(examples)), key=lambda index: (examples[index].label, examples[index].texts))
        bins = min(_BINS, max(1, len(examples) // _BINS))
        ranks = {index: rank for rank, index in enumerate(by_score)}
        return [ranks[index] * bins // len(examples) for index in range(len(examples))]

    def with_scale(self, task: Task, train: Sequence[Example]) -> Task:
        """Where center and unit are left to the data: mean and standard deviation of train.

        So neither learning rates nor the rules for lost runs need to know in which unit somebody measured.
        """
        scores = np.array([example.label for example in train], dtype=np.float64)
        largest = float(np.abs(scores).max()) or 1.0  # the square of a large number would be infinite
        center = float((scores / largest).mean()) * largest if task.scores.center is None else task.scores.center
        unit = float((scores / largest).std()) * largest or 1.0 if task.scores.unit is None else task.scores.unit
        return replace(task, scores=replace(task.scores, center=center, unit=unit))

    def arrays(self, task: Task, labels: Sequence[Any], words: Sequence[int] | None) -> Array:
        assert task.scores.center is not None, "the data have been inspected"
        assert task.scores.unit is not None, "the data have been inspected"
        return ((np.array(labels) - task.scores.center) / task.scores.unit).astype(np.float32)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """The squared error."""
        from torch.nn import functional  # without which data can be checked

        return functional.mse_loss(outputs.squeeze(-1), targets)

    def divergence(self, p: torch.Tensor, q: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """(p - q)^2, that of normal distributions in the unit in which the squared error is their negative log likelihood."""
        return (p - q).square().mean()

    def columns(self, task: Task, outputs: Array, labels: Array, words: Words | None) -> tuple[Array, ...]:
        """Predicted and real scores, (n,) each."""
        return outputs[:, 0].astype(np.float64), labels.astype(np.float64)

    def formulas(self, task: Task, *columns: Array) -> Formulas:
        predicted, actual = columns
        return {
            "pearson": lambda: correlations(predicted, actual)[0],
            "spearman": lambda: correlations(predicted, actual)[1],
            "mse": lambda: float(np.mean((predicted - actual) ** 2)),
        }

    def mean_loss(self, task: Task, read: Floats, labels: Array, words: Words | None) -> float:
        return float(np.mean((read[:, 0] - labels.astype(np.float64)) ** 2))

    def spread(self, task: Task, read: Floats, labels: Array, columns: Sequence[Array]) -> float:
        """Of standard deviations."""
        predicted, actual = columns
        return math.nan if is_constant(actual) else float(predicted.std() / actual.std())

    def answers(self, task: Task, outputs: Floats, temperature: float, words: Words | None) -> Iterator[dict[str, Any]]:
        """In the unit of the outputs."""
        for (score,) in outputs.tolist():
            yield {"prediction": score}

    def constants(self, task: Task, labels: Array) -> list[Floats]:
        """The mean score."""
        return [labels.mean(dtype=np.float64)[None]]

    def trivial_loss(self, task: Task, labels: Array, words: Words | None) -> float:
        """The variance."""
        return float(np.var(labels, dtype=np.float64))

    def undefined_score(self, labels: Array) -> float:
        """A constant has no correlation, whatever it is correlated with, as long as that varies."""
        return math.nan if is_constant(labels) else 0.0


REGRESSION = Regression()
