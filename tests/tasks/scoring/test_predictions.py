"""That examples can be drawn before or after a model's outputs have become predictions, to the last digit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.metrics import evaluate
from blurb_tune.tasks.scoring.predictions import Predictions
from tests.tasks.splits import Split, splits


@given(splits(), st.data())
def test_metrics_of_drawn_predictions_are_those_of_drawn_outputs(split: Split, data: st.DataObject) -> None:
    rows = np.array(data.draw(st.lists(st.integers(0, len(split) - 1), min_size=1, max_size=12)))
    predictions = Predictions.of(*split)
    assert len(predictions) == len(split)
    drawn = split.take(rows)
    found = predictions.take(rows).metrics(split.task.metrics)
    # Nothing is defined of sentences without a word; `evaluate` does not take them.
    wanted = evaluate(*drawn).metrics if len(drawn.labels) else dict.fromkeys(split.task.metrics, math.nan)
    assert list(found) == list(wanted)
    np.testing.assert_array_equal(list(found.values()), list(wanted.values()))  # NaN equals NaN


def test_counts_of_sentences_by_hand() -> None:
    """A sentence with a right and a wrong entity, an empty one, and one of which nothing is read."""
    words = Words(np.array([0, 3, 3, 5]), np.array([1, 2, 3, -1, -1], dtype=np.int32))
    outputs = np.eye(3)[[0, 2, 0, 0, 0]]
    entities, types, totals = Predictions.of(TASKS["ncbi-disease"], outputs, np.array([0, 2, 2, 0, 1]), words).columns
    assert entities.tolist() == [[1, 2, 1], [0, 0, 0], [0, 0, 1]]
    assert types[:, :, 0].tolist() == [[1, 2, 1], [0, 0, 0], [0, 0, 2]]
    assert totals.tolist() == [[2, 3, 3], [0, 0, 0], [0, 0, 2]]


@pytest.mark.parametrize("name", ["ncbi-disease", "ebm-pico"])
def test_unread_sentences_alone_have_no_metrics(name: str) -> None:
    task = TASKS[name]
    words = Words(np.array([0, 1, 1, 2]), np.array([-1, 1], dtype=np.int32))
    predictions = Predictions.of(task, np.zeros((2, task.outputs)), np.zeros(2, dtype=np.int64), words)
    for rows, is_defined in (([0, 0, 1], False), ([1, 1, 1], False), ([0, 2, 1], True)):
        found = predictions.take(np.array(rows)).metrics(task.metrics)
        assert [math.isfinite(value) for value in found.values()] == [is_defined] * len(task.metrics)
