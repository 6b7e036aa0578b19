from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.core.trial import Continue, Decision, Measurement, Outcome, Prune
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.spec.pruning import InstabilitySpec
from blurb_tune.stopping.instability import can_fire, judge

LEVEL = TrivialLevel(score=0.0, noise_bound=0.2, loss=2.0)
SETTINGS = InstabilitySpec(grace=0.4, window=0.1, waking=0.05, exploding_gradient=100.0)


def measurement(step: int, **values: float) -> Measurement:
    defaults: dict[str, Any] = {
        "epoch": float(step), "dev_score": 0.5, "dev_loss": 1.0, "train_loss": 1.0, "grad_norm": 1.0,
        "prediction_spread": 0.8, "learning_rate": 1e-5, "train_seconds": 1.0, "eval_seconds": 1.0,
    }  # fmt: skip
    return Measurement(step=step, **(defaults | values))


def curve(values: list[dict[str, float]], evaluations: int = 10) -> list[tuple[float, Measurement]]:
    """Measurements of a trial that is evaluated so often, the first of them."""
    return [((index + 1) / evaluations, measurement(index + 1, **value)) for index, value in enumerate(values)]


def decisions(values: list[dict[str, float]], settings: InstabilitySpec = SETTINGS, evaluations: int = 10) -> list[str]:
    """The rule that fires at each evaluation, as the measurements come in; `-` for none."""
    history = curve(values, evaluations)
    found = [judge(settings, LEVEL, history[: count + 1]) for count in range(len(history))]
    return [decision.rule if isinstance(decision, Prune) else "-" for decision in found]


GOOD: dict[str, float] = {}
STUCK = {"dev_score": 0.1, "train_loss": 2.0}
BELOW = {"dev_score": -0.1, "train_loss": 1.0}
EXPLODING = {"grad_norm": 500.0}

TABLE = {
    "a sound run": ([GOOD] * 6, "- - - - - -"),
    "stuck from the start: after the grace period, twice in a row": ([STUCK] * 5, "- - - trivial_level trivial_level"),
    "a slow start that gets going within the grace period": ([STUCK] * 3 + [GOOD] * 3, "- - - - - -"),
    "one bad look among good ones": ([GOOD] * 4 + [STUCK, GOOD, STUCK, GOOD], "- - - - - - - -"),
    "collapsed after it had learned": ([GOOD] * 5 + [STUCK] * 2, "- - - - - - trivial_level"),
    "within the noise of the dev set, but the train loss has left the trivial level": (
        [STUCK | {"train_loss": 1.0}] * 6,
        "- - - - - -",
    ),
    "not better than the trivial predictor, though the train loss is low": (
        [BELOW] * 5,
        "- - - trivial_level trivial_level",
    ),
    "the train loss falls, however slowly": (
        [{"dev_score": -0.1, "train_loss": 8.0 - 0.01 * index} for index in range(9)],
        "- - - - - - - - -",
    ),
    "the train loss has just fallen by much": (
        [{"dev_score": -0.1, "train_loss": loss} for loss in (8.0, 6.0, 4.0, 2.2, 2.25, 2.25)],
        "- - - - - trivial_level",
    ),
    "the dev loss falls, however slowly": (
        [STUCK | {"dev_loss": 2.0 - 0.01 * index} for index in range(9)],
        "- - - - - - - - -",
    ),
    "the dev score rises within the noise": ([STUCK | {"dev_score": 0.01 * index} for index in range(9)], "- - - - - - - - -"),
    "the dev score rises, but is worse than a constant": (
        [STUCK | {"dev_score": 0.01 * index - 1} for index in range(5)],
        "- - - trivial_level trivial_level",
    ),
    "losses that go up and down": (
        [STUCK | {"train_loss": loss, "dev_loss": loss} for loss in (2.0, 1.96, 2.1, 1.99, 2.05, 1.98)],
        "- - - trivial_level trivial_level trivial_level",
    ),
    "the predictions spread out": (
        [STUCK | {"prediction_spread": 0.001 * 1.2**index} for index in range(8)],
        "- - - - - - - -",
    ),
    "the predictions come together": (
        [STUCK | {"prediction_spread": 0.5 * 0.8**index} for index in range(5)],
        "- - - trivial_level trivial_level",
    ),
    "an undefined dev score is at the trivial level": (
        [{"dev_score": math.nan}] * 5,
        "- - - trivial_level trivial_level",
    ),
    "exploding gradients need no grace period": ([EXPLODING] * 3, "- exploding_gradient exploding_gradient"),
    "one burst of the gradient": ([EXPLODING, GOOD, EXPLODING], "- - -"),
    "gradients that are not finite": ([{"grad_norm": math.inf}] * 2, "- exploding_gradient"),
    "train loss NaN, at once": ([{"train_loss": math.nan}], "non_finite_loss"),
    "dev loss infinite, at once": ([GOOD, {"dev_loss": math.inf}], "- non_finite_loss"),
}


@pytest.mark.parametrize(("values", "expected"), TABLE.values(), ids=list(TABLE))
def test_rules_fire_when_they_should(values: list[dict[str, float]], expected: str) -> None:
    assert " ".join(decisions(values)) == expected


def test_switched_off_only_a_loss_that_is_not_finite_ends_a_run() -> None:
    off = SETTINGS.model_copy(update={"enabled": False})
    assert decisions([STUCK | EXPLODING] * 6, off) == ["-"] * 6
    assert decisions([{"train_loss": math.inf}], off) == ["non_finite_loss"]


def test_every_stop_has_an_outcome_and_a_reason_with_its_numbers() -> None:
    def last(value: dict[str, float]) -> Decision:
        return judge(SETTINGS, LEVEL, curve([value] * 9)[7:])

    stuck, diverged = last(STUCK), last({"train_loss": math.nan})
    assert isinstance(stuck, Prune)
    assert stuck.outcome is Outcome.PRUNED_UNSTABLE
    assert all(number in stuck.reason for number in ("0.1", "noise reaches 0.2", "train loss 2 beside 2", "step 9"))
    assert isinstance(diverged, Prune)
    assert diverged.outcome is Outcome.DIVERGED
    assert judge(SETTINGS, LEVEL, []) == Continue()


def test_the_last_evaluation_is_not_judged() -> None:
    """The run is over then, and the outcome rule says what it came to."""
    assert decisions([GOOD] * 8 + [STUCK] * 2)[-1] == "-"


@pytest.mark.parametrize("evaluations", [10, 20, 40, 100])
def test_the_same_curve_is_judged_alike_however_often_it_is_evaluated(evaluations: int) -> None:
    """It learns, collapses at 0.5 of its steps, and is stopped a window later."""

    def at(progress: float) -> dict[str, float]:
        return GOOD if progress < 0.5 else STUCK

    values = [at((index + 1) / evaluations) for index in range(evaluations - 1)]
    fired = [(index + 1) / evaluations for index, rule in enumerate(decisions(values, evaluations=evaluations)) if rule != "-"]
    assert min(fired) == pytest.approx(0.6, abs=1e-6)


@pytest.mark.parametrize(("evaluations", "expected"), [(1, False), (2, False), (3, True), (10, True)])
def test_with_few_evaluations_nothing_can_be_stopped_and_that_is_known(evaluations: int, expected: bool) -> None:
    assert can_fire(InstabilitySpec(), evaluations) is expected
    rules = decisions([STUCK] * evaluations, InstabilitySpec(), evaluations=evaluations)
    assert any(rule != "-" for rule in rules) is expected


FINITE = st.floats(-1e3, 1e3)


@given(st.lists(st.tuples(FINITE, st.floats(0, 1e3), st.floats(0, 10)), min_size=2, max_size=15), st.floats(0.01, 1))
def test_what_is_stopped_would_count_as_failed_if_it_ended_there(
    points: list[tuple[float, float, float]], window: float
) -> None:
    values = [{"dev_score": s, "train_loss": loss, "prediction_spread": spread} for s, loss, spread in points]
    history = curve(values, evaluations=len(values) + 1)
    decision = judge(SETTINGS.model_copy(update={"window": window}), LEVEL, history)
    if isinstance(decision, Prune):
        last = history[-1][1]
        assert LEVEL.contains(last.dev_score, last.train_loss)
