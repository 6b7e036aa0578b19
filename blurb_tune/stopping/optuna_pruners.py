"""Stock Optuna pruners, asked about whole configurations: all are compared after the same number of replicates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Container

import optuna
from optuna.trial import FrozenTrial, TrialState

from blurb_tune.core.trial import Continue, Decision, Outcome, Prune
from blurb_tune.spec import pruning as settings
from blurb_tune.spec.dimensions import SpecModel
from blurb_tune.spec.pruning import MOST_COMPARED


class ConfigurationPruning:
    """Asks a stock pruner whether a configuration keeps up with the others.

    A configuration is a trial of a study in memory, and its intermediate value at step n the objective over its first n
    replicates. A single seed is never stopped because other seeds do better: that would censor the worst seeds of a
    configuration and leave whole only what is exempt.
    """

    def __init__(self, spec: SpecModel):
        self._pruner = build_pruner(spec)
        self._study = _quiet_study(self._pruner) if self.is_on else None
        self._trials: dict[str, optuna.trial.Trial] = {}
        self._reports: dict[str, tuple[int, float]] = {}
        self._ended: set[str] = set()

    @property
    def is_on(self) -> bool:
        return not isinstance(self._pruner, optuna.pruners.NopPruner)

    def report(self, configuration_id: str, replicates: int, objective: float) -> None:
        """A configuration has one more replicate; `objective` is that of all it has.

        One that had ended, and was reopened or has more to run in a larger plan, is judged no more, and keeps its last report.
        """
        if self._study is None or math.isnan(objective) or configuration_id in self._ended:
            return
        if configuration_id not in self._trials:
            self._trials[configuration_id] = self._study.ask()
        self._trials[configuration_id].report(objective, replicates)
        self._reports[configuration_id] = (replicates, objective)

    def judge(self, configuration_id: str) -> Decision:
        """Whether a configuration keeps up, as last reported."""
        if configuration_id in self._ended or configuration_id not in self._reports:
            return Continue()
        if not self._trials[configuration_id].should_prune():
            return Continue()
        replicates, objective = self._reports[configuration_id]
        reason = f"objective {objective:.4f} over {replicates} replicates does not keep up with the other configurations"
        return Prune(Outcome.PRUNED_UNDERPERFORMING, type(self._pruner).__name__, reason)

    def end(self, configuration_id: str, objective: float) -> None:
        """A configuration is through: the others are compared with it from now on."""
        if self._study is not None and configuration_id in self._trials and not math.isnan(objective):
            self._study.tell(self._trials[configuration_id], objective, skip_if_finished=True)
            self._ended.add(configuration_id)


def _quiet_study(pruner: optuna.pruners.BasePruner) -> optuna.Study:
    """One in memory, which nobody but the pruner hears of."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            storage=_RecentTrials(MOST_COMPARED), direction="maximize", study_name="configurations", pruner=pruner
        )
    finally:
        optuna.logging.set_verbosity(verbosity)


class _RecentTrials(optuna.storages.InMemoryStorage):
    """Lists only the trials that reported last: the stock pruners look through the whole list at every question."""

    def __init__(self, most: int):
        super().__init__()
        self._most = most
        self._recent: dict[int, None] = {}

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = [self.get_trial(trial_id) for trial_id in sorted(self._recent)]
        return [trial for trial in trials if states is None or trial.state in states]

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)
        self._recent.pop(trial_id, None)
        self._recent[trial_id] = None
        if len(self._recent) > self._most:
            del self._recent[next(iter(self._recent))]


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
            median = optuna.pruners.MedianPruner(spec.n_startup_trials, spec.n_warmup_steps)
            with warnings.catch_warnings():  # experimental in name, for five years
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return optuna.pruners.PatientPruner(median, spec.patience, spec.min_delta)
        case settings.ThresholdPruner():
            return optuna.pruners.ThresholdPruner(
                lower=spec.lower, n_warmup_steps=spec.n_warmup_steps, interval_steps=spec.interval_steps
            )
        case _:
            return optuna.pruners.NopPruner()
