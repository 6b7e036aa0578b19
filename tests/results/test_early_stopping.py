from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import EarlyStoppingCallback, Trainer, TrainerControl, TrainerState
from transformers.trainer_utils import SaveStrategy

from blurb_tune.results.early_stopping import count_stale

NAN = math.nan


def of_transformers(scores: Sequence[float], patience: int, threshold: float) -> int | None:
    """The evaluation behind which transformers stops, by its own callback and its own record of the best."""
    callback, state, control = EarlyStoppingCallback(patience, threshold), TrainerState(), TrainerControl()
    args = SimpleNamespace(metric_for_best_model="score", greater_is_better=True, save_strategy=SaveStrategy.EPOCH)
    for number, score in enumerate(scores, start=1):
        metrics = {"eval_score": score}
        callback.on_evaluate(args, state, control, metrics)
        Trainer._determine_best_metric(SimpleNamespace(args=args, state=state), metrics, None)
        if control.should_training_stop:
            return number
    return None


def of_ours(scores: Sequence[float], patience: int, threshold: float) -> int | None:
    return next((end for end in range(1, len(scores) + 1) if count_stale(scores[:end], threshold) >= patience), None)


# Few different scores, so that there are ties, and gains as large as the threshold.
SCORES = st.lists(st.one_of(st.integers(-4, 8).map(lambda eighths: eighths / 8), st.just(NAN)), max_size=12)


@example([NAN, NAN, 0.5, 0.25, NAN], 2, 0.0)
@example([0.5, 0.55, 0.6, 0.65], 3, 0.1)
@given(SCORES, st.integers(1, 4), st.sampled_from([0.0, 0.125, 0.2, 1.0]))
def test_a_run_stops_where_transformers_stops_it(scores: list[float], patience: int, threshold: float) -> None:
    assert of_ours(scores, patience, threshold) == of_transformers(scores, patience, threshold)


@pytest.mark.parametrize(
    ("scores", "threshold", "expected"),
    [
        ([], 0.0, []),
        ([0.1, 0.2, 0.2, 0.1, 0.3, 0.3], 0.0, [0, 0, 1, 2, 0, 1]),
        ([0.5, 0.53, 0.56, 0.62], 0.05, [0, 1, 2, 0]),  # each is the best from then on, though it is no improvement
        ([NAN, NAN, -0.2, NAN], 0.0, [0, 1, 0, 1]),
    ],
)
def test_waiting_spelled_out(scores: list[float], threshold: float, expected: list[int]) -> None:
    assert [count_stale(scores[: end + 1], threshold) for end in range(len(scores))] == expected
