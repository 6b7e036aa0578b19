"""When a run is lost: the rules by which the project's own pruner stops a trial as unstable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import optuna

from blurb_tune.core.trial import Continue, Decision, Measurement, Outcome, Prune
from blurb_tune.spec.pruning import InstabilitySpec

_HISTORY = "blurb_tune:measurements"
_REFERENCE = "blurb_tune:reference"


class InstabilityPruner(optuna.pruners.BasePruner):
    """Prunes a trial whose run is lost, whatever the other trials do; asks a wrapped pruner about the rest.

    It reads the trial's measurements from a user attribute (see `remember`): an Optuna trial's intermediate values alone
    cannot tell a slow start from a collapse. `decision` holds the last decision with its reason, of which `prune` gives the
    bare answer. A trial marked as reference is never stopped by the wrapped pruner.
    """

    def __init__(self, settings: InstabilitySpec, trivial_loss: float, wrapped: optuna.pruners.BasePruner):
        self._settings = settings
        self._trivial_loss = trivial_loss
        self._wrapped = wrapped
        self.decision: Decision = Continue()

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        history = [(progress, Measurement(**m)) for progress, m in trial.user_attrs.get(_HISTORY, [])]
        self.decision = judge(self._settings, self._trivial_loss, history)
        # The wrapped pruner is asked in any case, because some keep books of who passed where.
        is_dominated = self._wrapped.prune(study, trial)
        if is_dominated and isinstance(self.decision, Continue) and not trial.user_attrs.get(_REFERENCE, False):
            self.decision = _dominated(self._wrapped, trial)
        return isinstance(self.decision, Prune)


def remember(trial: optuna.trial.Trial, history: Sequence[tuple[float, Measurement]]) -> None:
    """Put measurements, each with the share of the trial's steps behind it, where `InstabilityPruner` reads them."""
    trial.set_user_attr(_HISTORY, [(progress, asdict(measurement)) for progress, measurement in history])


def mark_as_reference(trial: optuna.trial.Trial) -> None:
    """Have the trial never stopped as dominated."""
    trial.set_user_attr(_REFERENCE, True)


def _dominated(pruner: optuna.pruners.BasePruner, trial: optuna.trial.FrozenTrial) -> Prune:
    step = trial.last_step
    score = math.nan if step is None else trial.intermediate_values[step]
    reason = f"dev score {score:.4f} at evaluation {step} does not keep up with the other trials"
    return Prune(Outcome.PRUNED_DOMINATED, type(pruner).__name__, reason)


def judge(settings: InstabilitySpec, trivial_loss: float, history: Sequence[tuple[float, Measurement]]) -> Decision:
    """Apply the rules to a trial's measurements, oldest first, each with its progress in 0..1.

    A rule, but for a loss that is not finite, must hold at `patience` measurements in a row, the last one included:

    - non_finite_loss: train or dev loss is NaN or infinite (the run diverged);
    - exploding_gradient: mean gradient norm before clipping above `exploding_gradient`;
    - stuck_loss, after the grace period: train loss not at least `stuck_margin` below the trivial predictor's, and over these
      measurements neither the loss falls by that share nor does the spread of the predictions, above `constant_spread`, grow
      by it;
    - constant_predictions, after the grace period: predictions hardly vary over dev.

    Failed runs look like this: train loss stays at the trivial level (Mosbach et al. 2021, arXiv 2006.04884).
    The thresholds are ours.
    """
    if not history:
        return Continue()
    last = history[-1][1]
    if not (math.isfinite(last.train_loss) and math.isfinite(last.dev_loss)):
        losses = f"train loss {last.train_loss:.4g}, dev loss {last.dev_loss:.4g}"
        return Prune(Outcome.DIVERGED, "non_finite_loss", f"the loss is not finite at step {last.step}: {losses}")
    if not settings.enabled:
        return Continue()
    recent = history[-settings.patience :]
    if len(recent) < settings.patience:
        return Continue()
    ready = all(progress >= settings.grace for progress, _ in recent)
    return _rules(settings, trivial_loss, [m for _, m in recent], ready)


def _rules(settings: InstabilitySpec, trivial_loss: float, recent: list[Measurement], ready: bool) -> Decision:
    last = recent[-1]
    when = f"at step {last.step}, {len(recent)} evaluations in a row"

    def unstable(rule: str, reason: str) -> Prune:
        return Prune(Outcome.PRUNED_UNSTABLE, rule, f"{reason} ({when})")

    if all(_above(m.grad_norm, settings.exploding_gradient) for m in recent):
        limit = settings.exploding_gradient
        return unstable("exploding_gradient", f"mean gradient norm {last.grad_norm:.4g} is above {limit:.4g}")
    level = (1 - settings.stuck_margin) * trivial_loss
    is_falling = last.train_loss <= (1 - settings.stuck_margin) * recent[0].train_loss
    # Predictions that spread out tell of learning before the loss does.
    is_waking = last.prediction_spread > max(
        settings.constant_spread, (1 + settings.stuck_margin) * recent[0].prediction_spread
    )
    if ready and not (is_falling or is_waking) and all(m.train_loss > level for m in recent):
        loss = f"train loss {last.train_loss:.4g} does not fall, and is above {level:.4g}"
        return unstable("stuck_loss", f"{loss}; the trivial predictor has {trivial_loss:.4g}")
    if ready and all(m.prediction_spread <= settings.constant_spread for m in recent):
        spread = f"{last.prediction_spread:.4g}, at most {settings.constant_spread:.4g}"
        return unstable("constant_predictions", f"the spread of the predictions over dev is {spread}")
    return Continue()


def _above(value: float, limit: float) -> bool:
    return not math.isfinite(value) or value > limit
