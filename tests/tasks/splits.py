"""Small splits of every kind, with what a model says of them.

They hold few values, so that ties, classes that are absent and predictions that are all wrong come often.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from blurb_tune.tasks import kinds
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.task import Task


def _custom(kind: Kind, metric: str, *labels: str, **options: Any) -> Task:
    return Task(name="custom", kind=kind, metric=metric, description="a custom task", max_length=64, labels=labels, **options)


SPLIT_TASKS = (
    TASKS["biosses"],
    TASKS["pubmedqa"],
    TASKS["ddi"],  # leaves out a class
    TASKS["gad"],  # two classes
    TASKS["hoc"],
    _custom(kinds.MULTI_LABEL, "macro_f1", "a", "b", "c", left_out=("b",)),
    TASKS["ncbi-disease"],
    TASKS["ebm-pico"],
    _custom(kinds.TOKEN_CLASSIFICATION, "entity_f1", "O", "B-gene", "I-gene", "B-drug", "I-drug"),
    _custom(kinds.TOKEN_CLASSIFICATION, "word_accuracy", "noun", "verb"),  # without an outside
)


class Split(NamedTuple):
    """n examples with their m labels, as `metrics.evaluate` has them."""

    task: Task
    outputs: np.ndarray
    labels: np.ndarray
    words: Words | None

    def __len__(self) -> int:
        return len(self.labels) if self.words is None else len(self.words.offsets) - 1

    def take(self, rows: np.ndarray) -> Split:
        units, words = (rows, None) if self.words is None else self.words.take(rows)
        return Split(self.task, self.outputs[units], self.labels[units], words)


@st.composite
def _words(draw: st.DrawFn) -> Words:
    lengths = draw(st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any))
    tokens = draw(npst.arrays(np.int32, sum(lengths), elements=st.sampled_from([1, 1, -1])))
    return Words(np.cumsum([0, *lengths], dtype=np.int64), tokens)


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """Half of the outputs agree with the labels. Sentences may be empty or unread; outputs of unread words are no numbers."""
    task = draw(st.sampled_from(SPLIT_TASKS))
    words = draw(_words()) if task.per_token else None
    m = draw(st.integers(1, 12)) if words is None else len(words.tokens)
    outputs = draw(npst.arrays(np.float32, (m, task.outputs), elements=st.sampled_from([-2.0, -0.5, 0.0, 0.5, 2.0])))
    match task.kind:
        case kinds.REGRESSION:
            labels = draw(npst.arrays(np.float32, m, elements=st.sampled_from([0.0, 1.5, 4.0])))
            right = labels[:, None]
        case kinds.MULTI_LABEL:
            labels = draw(npst.arrays(np.float32, (m, task.outputs), elements=st.sampled_from([0.0, 1.0])))
            right = labels - np.float32(0.5)
        case _:
            labels = draw(npst.arrays(np.int64, m, elements=st.integers(0, task.outputs - 1)))
            right = np.eye(task.outputs, dtype=np.float32)[labels]
    outputs = np.where(draw(npst.arrays(np.bool_, (m, 1))), right, outputs)
    if words is not None:
        outputs[~words.is_read] = np.nan
    return Split(task, outputs, labels, words)
