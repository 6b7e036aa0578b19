"""What a model predicts beside what is real, example by example, and the metrics of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from blurb_tune.tasks.kind import Array
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.scores import Floats, Ints
from blurb_tune.tasks.task import Task


@dataclass(frozen=True, eq=False)
class Predictions:
    """All that the metrics need to know of n examples (for tags: sentences): the columns of the task's kind, n rows each."""

    task: Task
    columns: tuple[Array, ...]

    @classmethod
    def of(cls, task: Task, outputs: Array, labels: Array, words: Words | None) -> Self:
        """From outputs and labels as for `metrics.evaluate`, the outputs being finite."""
        return cls(task, task.kind.columns(task, outputs, labels, words))

    def __len__(self) -> int:
        return len(self.columns[0])

    def take(self, rows: Ints) -> Predictions:
        """Those of the examples `rows`, which may repeat."""
        return Predictions(self.task, tuple(column.take(rows, axis=0) for column in self.columns))

    def bootstrap(self, metric: str, draws: int, generator: np.random.Generator) -> Floats:
        """The metric of so many bootstrap samples of the examples, (draws,); NaN for those that leave it undefined."""
        n = len(self)
        return np.array([self.take(generator.integers(n, size=n)).metrics([metric])[metric] for _ in range(draws)])

    def metrics(self, names: Iterable[str]) -> dict[str, float]:
        """Those of the task's metrics that are named; NaN where undefined."""
        formulas = self.task.kind.formulas(self.task, *self.columns)
        return {name: formulas[name]() for name in names}
