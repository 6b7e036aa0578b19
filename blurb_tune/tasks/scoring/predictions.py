"""What a model predicts beside what is real, example by example, and the metrics of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.entities import NO_TAG, TagSet, compare_entities, per_sentence
from blurb_tune.tasks.scoring.scores import Counts, Flags, Floats, Ints, average_precision, correlations, matthews, roc_auc
from blurb_tune.tasks.task import OUTSIDE, Kind, Task

Array = NDArray[Any]
Formulas = Mapping[str, Callable[[], float]]


@dataclass(frozen=True, eq=False)
class Predictions:
    """All that the metrics need to know of n examples (for tags: sentences).

    columns: arrays with a row for each example. Regression: predicted and real scores, (n,) each. Classification: predicted
    and real classes and the log odds of the last class against the first, (n,) each. Multi-label: predicted and real flags,
    (n, labels) each. Tags: the counts of each sentence, as `_count_tags` has them.
    """

    task: Task
    columns: tuple[Array, ...]

    @classmethod
    def of(cls, task: Task, outputs: Array, labels: Array, words: Words | None) -> Self:
        """From outputs and labels as for `metrics.evaluate`, the outputs being finite."""
        match task.kind:
            case Kind.REGRESSION:
                return cls(task, (outputs[:, 0].astype(np.float64), labels.astype(np.float64)))
            case Kind.CLASSIFICATION:
                # The log odds rank like the probabilities, which round to 1 when they are near it.
                return cls(task, (outputs.argmax(axis=1), labels, outputs[:, -1].astype(np.float64) - outputs[:, 0]))
            case Kind.MULTI_LABEL:
                return cls(task, (outputs > 0, labels > 0))
            case Kind.TOKEN_CLASSIFICATION:
                assert words is not None, "the shapes have been checked"
                outside = task.labels.index(OUTSIDE) if OUTSIDE in task.labels else NO_TAG
                return cls(task, _count_tags(task, np.where(words.is_read, outputs.argmax(axis=1), outside), labels, words))

    def __len__(self) -> int:
        return len(self.columns[0])

    def take(self, rows: Ints) -> Predictions:
        """Those of the examples `rows`, which may repeat."""
        return Predictions(self.task, tuple(column.take(rows, axis=0) for column in self.columns))

    def resampled(self, metric: str, draws: int, generator: np.random.Generator) -> Floats:
        """The metric of so many bootstrap samples of the examples, (draws,); NaN for those that leave it undefined."""
        n = len(self)
        return np.array([self.take(generator.integers(n, size=n)).metrics([metric])[metric] for _ in range(draws)])

    def metrics(self, names: Iterable[str]) -> dict[str, float]:
        """Those of the task's metrics that are named; NaN where undefined."""
        formulas = _FORMULAS[self.task.kind](self.task, *self.columns)
        return {name: formulas[name]() for name in names}


def _count_tags(task: Task, predicted: Ints, actual: Ints, words: Words) -> tuple[Ints, Ints, Ints]:
    """What is counted in each of n sentences, from the tags of all words.

    Entities: predicted rightly, predicted, and real, (n, 3). Words of each type, as often, (n, 3, types). Words: with the
    right tag, read by the model, and all, (n, 3).
    """
    offsets, lengths = words.offsets, np.diff(words.offsets)
    entities = compare_entities(predicted, actual, offsets, task.labels)
    tag_set = TagSet.of(task.labels)
    n, width = len(lengths), len(tag_set.names) + 1  # the first stands for words outside entities
    first = np.repeat(np.arange(n) * width + 1, lengths)  # every type of every sentence is a class of its own
    counts = Counts.of_classes(first + tag_set.types[predicted], first + tag_set.types[actual], n * width)
    types = [values.reshape(n, width)[:, 1:] for values in (counts.hits, counts.predicted, counts.actual)]
    totals = per_sentence(predicted == actual, offsets), per_sentence(words.is_read, offsets), lengths
    return np.stack(entities, axis=1), np.stack(types, axis=1), np.stack(totals, axis=1)


def _regression(task: Task, predicted: Floats, actual: Floats) -> Formulas:
    return {
        "pearson": lambda: correlations(predicted, actual)[0],
        "spearman": lambda: correlations(predicted, actual)[1],
        "mse": lambda: float(np.mean((predicted - actual) ** 2)),
    }


def _classification(task: Task, predicted: Ints, actual: Ints, odds: Floats) -> Formulas:
    counts = Counts.of_classes(predicted, actual, len(task.labels))
    scored = counts.kept(_is_scored(task) if task.left_out else counts.predicted + counts.actual > 0)
    return {
        "accuracy": lambda: float(np.mean(predicted == actual)),
        "micro_f1": lambda: scored.micro_f1,
        "macro_f1": lambda: scored.macro_f1,
        "matthews": lambda: matthews(counts),
        "f1": lambda: float(counts.f1[1]),
        "roc_auc": lambda: roc_auc(odds, actual == 1),
        "average_precision": lambda: average_precision(odds, actual == 1),
    }


def _multi_label(task: Task, predicted: Flags, actual: Flags) -> Formulas:
    scored = Counts.of_flags(predicted, actual).kept(_is_scored(task))
    return {
        "micro_f1": lambda: scored.micro_f1,
        "macro_f1": lambda: scored.macro_f1,
        "exact_match": lambda: float(np.mean((predicted == actual).all(axis=1))),
    }


def _tags(task: Task, entities: Ints, types: Ints, words: Ints) -> Formulas:
    right, read, total = words.sum(axis=0)
    if not read:  # the outputs say nothing of these sentences
        return dict.fromkeys(task.metrics, lambda: math.nan)
    counts = Counts(*entities.sum(axis=0))
    return {
        "entity_f1": lambda: float(counts.f1),
        "entity_precision": lambda: float(counts.precision),
        "entity_recall": lambda: float(counts.recall),
        "word_macro_f1": lambda: Counts(*types.sum(axis=0)).macro_f1,
        "word_accuracy": lambda: float(right / total),
    }


def _is_scored(task: Task) -> Flags:
    return np.array([label not in task.left_out for label in task.labels])


_FORMULAS: Mapping[Kind, Callable[..., Formulas]] = {
    Kind.REGRESSION: _regression,
    Kind.CLASSIFICATION: _classification,
    Kind.MULTI_LABEL: _multi_label,
    Kind.TOKEN_CLASSIFICATION: _tags,
}
