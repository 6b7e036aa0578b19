from __future__ import annotations

import math
from typing import Any

import pytest

from blurb_tune.core.trial import Measurement, Outcome, Prune
from blurb_tune.spec.pruning import PruningSpec
from blurb_tune.stopping.pruning import TrialPruning


def measurement(index: int, score: float) -> Measurement:
    return Measurement(index, float(index), score, 0.1, 0.1, 1.0, 0.9, 1e-5, 1.0, 1.0)


def run_trials(pruner: Any, scores: list[list[float]], *, vanilla: frozenset[int] = frozenset()) -> list[int | None]:
    """Run trials one after another; the evaluation at which each was stopped, None for those that ran to the end."""
    pruning = TrialPruning(PruningSpec.model_validate({"pruner": pruner}), trivial_loss=2.0, trivial_score=0.0)
    stopped: list[int | None] = []
    for number, trial in enumerate(scores):
        name, at = f"t{number}", None
        pruning.start(name, is_vanilla=number in vanilla)
        for index, score in enumerate(trial, start=1):
            decision = pruning.judge(name, measurement(index, score), index / len(trial))
            if isinstance(decision, Prune):
                assert decision.outcome is Outcome.PRUNED_DOMINATED
                at = index
                break
        pruning.end(name, Outcome.COMPLETED if at is None else Outcome.PRUNED_DOMINATED)
        stopped.append(at)
    return stopped


GOOD = [0.5, 0.6, 0.7, 0.8, 0.8, 0.8, 0.8, 0.8]
BAD = [0.1] * 8
EARLY = {"n_startup_trials": 2, "n_warmup_steps": 3}
TABLE: dict[str, tuple[Any, list[list[float]], list[int | None] | None]] = {
    "none": ("none", [GOOD, GOOD, BAD], [None, None, None]),
    "median": ({"kind": "median", **EARLY}, [GOOD, GOOD, BAD, GOOD], [None, None, 3, None]),
    "median waits for its startup trials": ({"kind": "median", **EARLY}, [GOOD, BAD, BAD, BAD], [None, None, 3, 3]),
    "percentile": ({"kind": "percentile", "percentile": 50.0, **EARLY}, [GOOD, GOOD, BAD], [None, None, 3]),
    "successive halving": (
        {"kind": "successive_halving", "min_resource": 2, "reduction_factor": 2},
        [GOOD, GOOD, BAD],
        [None, None, 2],
    ),
    "hyperband": ({"kind": "hyperband", "max_resource": 8}, [GOOD, GOOD, GOOD, BAD, BAD, BAD], None),
    "patient": ({"kind": "patient", "patience": 3}, [GOOD, [0.5, 0.6, *[0.4] * 6]], [None, 6]),
}


@pytest.mark.parametrize(("pruner", "scores", "expected"), TABLE.values(), ids=list(TABLE))
def test_stock_pruners_stop_what_does_not_keep_up(pruner: Any, scores: list[list[float]], expected: Any) -> None:
    stopped = run_trials(pruner, scores)
    if expected is None:  # Hyperband's brackets are drawn; some of the bad trials are stopped early, no good one is
        assert any(at is not None and at < 8 for at in stopped[3:])
        assert stopped[0] is None
    else:
        assert stopped == expected


def test_vanilla_the_reference_is_not_stopped_as_dominated() -> None:
    median = {"kind": "median", **EARLY}
    assert run_trials(median, [GOOD, GOOD, BAD], vanilla=frozenset({2})) == [None, None, None]


def test_an_undefined_score_counts_as_the_trivial_predictor_s() -> None:
    median = {"kind": "median", **EARLY}
    below = [[-0.5] * 8, [-0.5] * 8, [math.nan] * 8]
    above = [GOOD, GOOD, [math.nan] * 8]
    assert run_trials(median, below) == [None, None, None]
    assert run_trials(median, above) == [None, None, 3]


def test_a_second_attempt_starts_from_nothing() -> None:
    pruning = TrialPruning(
        PruningSpec.model_validate({"pruner": {"kind": "median", **EARLY}}), trivial_loss=2.0, trivial_score=0
    )
    for name in ("a", "b"):
        pruning.start(name, is_vanilla=False)
        for index, score in enumerate(GOOD, start=1):
            pruning.judge(name, measurement(index, score), index / 8)
        pruning.end(name, Outcome.COMPLETED)
    for _ in range(2):
        pruning.start("c", is_vanilla=False)
        found = [isinstance(pruning.judge("c", measurement(i, 0.1), i / 8), Prune) for i in (1, 2)]
        assert found == [False, False]
    assert isinstance(pruning.judge("c", measurement(3, 0.1), 3 / 8), Prune)
