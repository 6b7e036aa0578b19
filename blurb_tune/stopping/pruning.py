"""Pruning within a trial: a stock Optuna pruner over dev scores, joined with the `InstabilityPruner`.

The pruners compare trials, so they have a study of their own whose trials are the sweep's trials (one configuration with one
seed); it lives in memory and is made anew from the log.
"""

from __future__ import annotations

import math
import warnings

import optuna
from optuna.trial import TrialState

from blurb_tune.core.trial import Continue, Decision, Measurement, Outcome
from blurb_tune.spec import pruning as settings
from blurb_tune.spec.dimensions import SpecModel
from blurb_tune.stopping.instability import InstabilityPruner, mark_as_reference, remember


class TrialPruning:
    """Judges running trials.

    trivial_loss: train loss of the trivial predictor. trivial_score: its dev score, in whose place an undefined dev score
    stands when trials are compared.
    """

    def __init__(self, spec: settings.PruningSpec, *, trivial_loss: float, trivial_score: float):
        stock = build_pruner(spec.pruner)
        self._pruner = InstabilityPruner(spec.instability, trivial_loss, stock)
        self._keep_vanilla = spec.keep_vanilla
        self._trivial_score = trivial_score
        self._study = optuna.create_study(direction="maximize", study_name="trials", pruner=self._pruner)
        self._trials: dict[str, optuna.trial.Trial] = {}
        self._history: dict[str, list[tuple[float, Measurement]]] = {}

    def start(self, trial_id: str, *, is_vanilla: bool) -> None:
        """Begin a trial. An earlier attempt that never ended is put aside."""
        before = self._trials.get(trial_id)
        if before is not None:
            self._study.tell(before, state=TrialState.FAIL, skip_if_finished=True)
        self._trials[trial_id] = self._study.ask()
        self._history[trial_id] = []
        if is_vanilla and self._keep_vanilla:
            mark_as_reference(self._trials[trial_id])

    def judge(self, trial_id: str, measurement: Measurement, progress: float) -> Decision:
        """Decide on a trial after one more measurement; progress is the share of its steps that it has behind it."""
        trial, history = self._trials[trial_id], self._history[trial_id]
        history.append((progress, measurement))
        remember(trial, history)
        trial.report(self._comparable(measurement.dev_score), len(history))
        return self._pruner.decision if trial.should_prune() else Continue()

    def end(self, trial_id: str, outcome: Outcome) -> None:
        """End a trial: results as COMPLETE with their last score, pruned ones as PRUNED, faults as FAIL."""
        trial, history = self._trials[trial_id], self._history.pop(trial_id)
        if outcome.is_pruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        elif outcome is Outcome.ERRORED or not history:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, self._comparable(history[-1][1].dev_score))

    def _comparable(self, score: float) -> float:
        return self._trivial_score if math.isnan(score) else score


def build_pruner(spec: SpecModel) -> optuna.pruners.BasePruner:
    """The stock Optuna pruner that a spec asks for."""
    match spec:
        case settings.MedianPruner():
            return optuna.pruners.MedianPruner(spec.n_startup_trials, spec.n_warmup_steps, spec.interval_steps)
        case settings.PercentilePruner():
            return optuna.pruners.PercentilePruner(
                spec.percentile, spec.n_startup_trials, spec.n_warmup_steps, spec.interval_steps
            )
        case settings.SuccessiveHalvingPruner():
            return optuna.pruners.SuccessiveHalvingPruner(
                spec.min_resource, spec.reduction_factor, spec.min_early_stopping_rate, spec.bootstrap_count
            )
        case settings.HyperbandPruner():
            return optuna.pruners.HyperbandPruner(spec.min_resource, spec.max_resource, spec.reduction_factor)
        case settings.PatientPruner():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return optuna.pruners.PatientPruner(None, spec.patience, spec.min_delta)
        case _:
            return optuna.pruners.NopPruner()
