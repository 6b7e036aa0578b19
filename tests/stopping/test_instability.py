from __future__ import annotations

import math
from typing import Any

import optuna
import pytest

from blurb_tune.core.trial import Continue, Decision, Measurement, Outcome, Prune
from blurb_tune.spec.pruning import InstabilitySpec
from blurb_tune.stopping.instability import InstabilityPruner, judge, mark_as_reference, remember

TRIVIAL_LOSS = 2.0
SETTINGS = InstabilitySpec(grace=0.4, patience=2, stuck_margin=0.05, constant_spread=0.01, exploding_gradient=100.0)


def measurement(step: int, **values: float) -> Measurement:
    defaults: dict[str, Any] = {
        "epoch": float(step), "dev_score": 0.5, "dev_loss": 1.0, "train_loss": 1.0, "grad_norm": 1.0,
        "prediction_spread": 0.8, "learning_rate": 1e-5, "train_seconds": 1.0, "eval_seconds": 1.0,
    }  # fmt: skip
    return Measurement(step=step, **(defaults | values))


def decisions(values: list[dict[str, float]], settings: InstabilitySpec = SETTINGS) -> list[str]:
    """The rule that fires at each of ten evaluations, as the measurements come in; `-` for none."""
    history = [((index + 1) / 10, measurement(index + 1, **value)) for index, value in enumerate(values)]
    found = [judge(settings, TRIVIAL_LOSS, history[: count + 1]) for count in range(len(history))]
    return [decision.rule if isinstance(decision, Prune) else "-" for decision in found]


GOOD: dict[str, float] = {}
STUCK = {"train_loss": 1.95}
CONSTANT = {"prediction_spread": 0.001}
EXPLODING = {"grad_norm": 500.0}

TABLE = {
    "a sound run": ([GOOD] * 6, "- - - - - -"),
    "stuck from the start: after the grace period, twice in a row": ([STUCK] * 6, "- - - - stuck_loss stuck_loss"),
    "a slow start that gets going within the grace period": ([STUCK] * 4 + [GOOD] * 2, "- - - - - -"),
    "one bad look among good ones": ([GOOD] * 4 + [STUCK, GOOD, STUCK, GOOD], "- - - - - - - -"),
    "stuck late": ([GOOD] * 5 + [STUCK] * 2, "- - - - - - stuck_loss"),
    "just below the trivial level's margin": ([{"train_loss": 1.89}] * 6, "- - - - - -"),
    "above the trivial level but falling": (
        [{"train_loss": 8.0 * 0.9**index} for index in range(10)],
        "- - - - - - - - - -",
    ),
    "above the trivial level and falling too slowly": (
        [{"train_loss": 8.0 * 0.97**index} for index in range(6)],
        "- - - - stuck_loss stuck_loss",
    ),
    "at the trivial level, but the predictions spread out": (
        [STUCK | {"prediction_spread": 0.02 * 1.2**index} for index in range(8)],
        "- - - - - - - -",
    ),
    "at the trivial level, and what spreads out is next to nothing": (
        [STUCK | {"prediction_spread": 0.001 * 1.2**index} for index in range(6)],
        "- - - - stuck_loss stuck_loss",
    ),
    "at the trivial level, and the predictions come together": (
        [STUCK | {"prediction_spread": 0.5 * 0.8**index} for index in range(6)],
        "- - - - stuck_loss stuck_loss",
    ),
    "constant predictions": ([CONSTANT] * 5, "- - - - constant_predictions"),
    "undefined spread is not constant": ([{"prediction_spread": math.nan}] * 6, "- - - - - -"),
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
    assert decisions([STUCK | CONSTANT | EXPLODING] * 6, off) == ["-"] * 6
    assert decisions([{"train_loss": math.inf}], off) == ["non_finite_loss"]


def test_every_stop_has_an_outcome_and_a_reason_with_its_numbers() -> None:
    def last(value: dict[str, float]) -> Decision:
        return judge(SETTINGS, TRIVIAL_LOSS, [(0.9, measurement(9, **value)), (1.0, measurement(10, **value))])

    stuck, diverged = last(STUCK), last({"train_loss": math.nan})
    assert isinstance(stuck, Prune)
    assert stuck.outcome is Outcome.PRUNED_UNSTABLE
    assert all(number in stuck.reason for number in ("1.95", "1.9", "step 10"))
    assert isinstance(diverged, Prune)
    assert diverged.outcome is Outcome.DIVERGED
    assert judge(SETTINGS, TRIVIAL_LOSS, []) == Continue()


class AlwaysPruner(optuna.pruners.BasePruner):
    def __init__(self) -> None:
        self.asked = 0

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        self.asked += 1
        return True


def ask(values: dict[str, float], *, is_reference: bool = False) -> tuple[bool, InstabilityPruner, AlwaysPruner]:
    """What a real Optuna trial gets for an answer after two measurements."""
    wrapped = AlwaysPruner()
    pruner = InstabilityPruner(SETTINGS, TRIVIAL_LOSS, wrapped)
    trial = optuna.create_study(pruner=pruner).ask()
    if is_reference:
        mark_as_reference(trial)
    remember(trial, [(0.9, measurement(9, **values)), (1.0, measurement(10, **values))])
    trial.report(0.25, 2)
    return trial.should_prune(), pruner, wrapped


def test_the_project_s_own_rules_come_before_the_wrapped_pruner() -> None:
    pruned, pruner, wrapped = ask(STUCK)
    assert pruned
    assert isinstance(pruner.decision, Prune)
    assert pruner.decision.outcome is Outcome.PRUNED_UNSTABLE
    assert wrapped.asked == 1


def test_what_the_wrapped_pruner_stops_is_dominated() -> None:
    pruned, pruner, _ = ask(GOOD)
    assert pruned
    assert isinstance(pruner.decision, Prune)
    assert (pruner.decision.outcome, pruner.decision.rule) == (Outcome.PRUNED_DOMINATED, "AlwaysPruner")
    assert "0.2500 at evaluation 2" in pruner.decision.reason


def test_a_reference_trial_is_never_dominated_but_may_be_unstable() -> None:
    assert ask(GOOD, is_reference=True)[0] is False
    assert ask(GOOD, is_reference=True)[2].asked == 1
    assert ask(STUCK, is_reference=True)[0] is True
