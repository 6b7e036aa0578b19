"""Multi-label classification: any number of several labels for each example."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy  # its parts are loaded when they are used, which checking data does not

from blurb_tune.tasks.examples import Example, Label, is_flags, is_list, join_limited
from blurb_tune.tasks.kind import Array, Floats, Formulas, Kind, Metric
from blurb_tune.tasks.kinds.cell_lists import LIKE_LABELS, read_list
from blurb_tune.tasks.kinds.classification import is_scored
from blurb_tune.tasks.kinds.named_labels import are_all_flags, label_index, list_faults, wrong_label
from blurb_tune.tasks.kinds.variation import counts_of_rows, relative_variation
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.intervals import share_interval
from blurb_tune.tasks.scoring.scores import Counts
from blurb_tune.tasks.task import Task

if TYPE_CHECKING:
    import torch

LABEL_SEPARATOR = ";"
_OTHER_SEPARATORS = ("|", ",")


class MultiLabel(Kind):
    """A label is predicted where its logit is positive."""

    name = "multi-label"
    words = ("multi-label classification", "topics")
    label = "any number of labels"
    rows = (
        ("Coughing and hot since Monday.", "cough;fever"),
        ("Coughing at night.", "cough"),
        ("Hot and tired.", "fever"),
        ("Feels well.", ""),
    )
    metrics = (Metric("micro_f1"), Metric("macro_f1"), Metric("exact_match", interval=share_interval))
    default_metric = "micro_f1"
    problem_type = "multi_label_classification"
    added = ("prediction", "probabilities")
    least_labels = 1
    can_leave_out = True

    def read_cell(self, cell: str, *, is_label: bool) -> Any:
        """Labels with semicolons between them, or a list."""
        items = read_list(cell, LIKE_LABELS, "labels with semicolons")
        return items if items is not None else [name for part in cell.split(LABEL_SEPARATOR) if (name := part.strip())]

    def read_column(
        self, cells: Sequence[str], *, separator: str | None, labels: Sequence[str]
    ) -> tuple[Sequence[str], str | None]:
        """As lists where bars or commas are known to stand between labels, or the column shows it."""
        separator = separator or next((mark for mark in _OTHER_SEPARATORS if _separates(mark, cells, labels)), None)
        if separator is None or separator == LABEL_SEPARATOR:
            return cells, separator
        return [cell if cell.lstrip().startswith("[") else json.dumps(_parts(cell, separator)) for cell in cells], separator

    def expected(self, task: Task) -> str:
        if not task.labels:
            return "a label"
        return f"a list of labels, or of {len(task.labels)} times 0 or 1; the labels are: {', '.join(task.labels)}"

    def label_faults(self, task: Task, row: Mapping[str, Any]) -> list[str]:
        label = row[task.label_field]
        if not is_list(label):
            return [wrong_label(task, label)]
        return [] if are_all_flags(task, label) else list_faults(task, label)

    def read_label(self, task: Task, row: Mapping[str, Any]) -> Label:
        label = row[task.label_field]
        if are_all_flags(task, label):
            return tuple(int(flag) for flag in label)
        present = {label_index(task, name) for name in label}
        return tuple(int(index in present) for index in range(len(task.labels)))

    def write_label(self, task: Task, example: Example) -> Any:
        assert isinstance(example.label, tuple), "flags"
        return list(example.label)

    def has_flags(self, values: Sequence[Any]) -> bool:
        return any(values) and all(is_flags(value) for value in values)

    def names_in(self, value: Any) -> Sequence[Any]:
        return value if is_list(value) else (value,)

    def notes_on_labels(self, task: Task) -> Iterator[str]:
        if joined := [repr(label) for label in task.labels if "," in label or "|" in label]:
            yield f"labels with a comma or a bar: {join_limited(joined)}; if they are several, write `label_separator`"

    def indices(self, label: Label) -> Iterable[int]:
        assert isinstance(label, tuple), "flags"
        return [index for index, flag in enumerate(label) if flag]

    def tells_skill(self, task: Task, distinct: set[Any]) -> bool:
        scored = np.flatnonzero(is_scored(task)).tolist()
        return len({tuple(flags[index] for index in scored) for flags in distinct}) > 1

    def expected_of_split(self, task: Task) -> str:
        return "examples with labels that are scored, and others without"

    def arrays(self, task: Task, labels: Sequence[Any], words: Sequence[int] | None) -> Array:
        return np.array(labels, dtype=np.float32)

    def label_shape(self, task: Task) -> tuple[int, ...]:
        return (len(task.labels),)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """The binary cross-entropy, in nats, of examples and labels."""
        from torch.nn import functional  # without which data can be checked

        return functional.binary_cross_entropy_with_logits(outputs, targets)

    def divergence(self, p: torch.Tensor, q: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """Of labels that are or are not, by their log odds: (p - q) (logit p - logit q) / 2, the mean over all."""
        return ((p.sigmoid() - q.sigmoid()) * (p - q)).mean() / 2

    def columns(self, task: Task, outputs: Array, labels: Array, words: Words | None) -> tuple[Array, ...]:
        """Predicted and real flags, (n, labels) each."""
        return outputs > 0, labels > 0

    def formulas(self, task: Task, *columns: Array) -> Formulas:
        predicted, actual = columns
        scored = Counts.of_flags(predicted, actual).select(is_scored(task))
        return {
            "micro_f1": lambda: scored.micro_f1,
            "macro_f1": lambda: scored.macro_f1,
            "exact_match": lambda: float(np.mean((predicted == actual).all(axis=1))),
        }

    def mean_loss(self, task: Task, read: Floats, labels: Array, words: Words | None) -> float:
        return float(np.logaddexp(0, np.where(labels > 0, -read, read)).mean())

    def spread(self, task: Task, read: Floats, labels: Array, columns: Sequence[Array]) -> float:
        """Of the shares outside the most frequent set of labels."""
        return relative_variation(*map(counts_of_rows, columns))

    def blank_label(self, task: Task, words: int) -> Label:
        return (0,) * len(task.labels)

    def answers(self, task: Task, outputs: Floats, temperature: float, words: Words | None) -> Iterator[dict[str, Any]]:
        for logits, row in zip(outputs, scipy.special.expit(outputs / temperature).tolist(), strict=True):
            predicted = [label for label, logit in zip(task.labels, logits, strict=True) if logit > 0]
            yield {"prediction": predicted, "probabilities": dict(zip(task.labels, row, strict=True))}

    def constants(self, task: Task, labels: Array) -> list[Floats]:
        """The k most frequent labels, k from 0 to all, and the most frequent set.

        No other set does better: of micro F1 and macro F1 the best of each size are the most frequent.
        """
        sets, counts = np.unique(labels > 0, axis=0, return_counts=True)
        order = np.argsort(-labels.sum(axis=0), kind="stable")
        prefixes = np.zeros((task.outputs + 1, task.outputs), dtype=np.bool_)
        prefixes[:, order] = np.tri(task.outputs + 1, task.outputs, -1, dtype=np.bool_)
        return list(np.where([*prefixes, sets[counts.argmax()]], 1.0, -1.0))

    def trivial_loss(self, task: Task, labels: Array, words: Words | None) -> float:
        """The mean over the labels of the entropy of each."""
        shares = labels.mean(axis=0, dtype=np.float64)
        return float((scipy.special.entr(shares) + scipy.special.entr(1 - shares)).mean())


def _parts(cell: str, separator: str) -> list[str]:
    return [name for part in cell.split(separator) if (name := part.strip())]


def _separates(mark: str, cells: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether a mark stands between labels: all its parts are known labels, or stand alone in other cells."""
    if any(LABEL_SEPARATOR in cell or cell.lstrip().startswith("[") for cell in cells):
        return False
    parts = {part for cell in cells if mark in cell for part in _parts(cell, mark)}
    return bool(parts) and parts <= (set(labels) or {cell.strip() for cell in cells})


MULTI_LABEL = MultiLabel()
