"""Stock Optuna pruners, asked about whole configurations: all are compared after the same number of replicates."""

from __future__ import annotations

import copy
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

    What a pruner remembers, such as the rungs of a halving, it learns when it is asked. It is asked in `report`, so that the
    reports of an earlier driver, made again, leave it as they had left it.

    seeds: of a whole configuration.
    """

    def __init__(self, spec: SpecModel, seeds: int):
        self._rule = type(spec).__name__
        self._pruner = build_pruner(spec, seeds)
        self._study = _quiet_study(self._pruner) if self.is_on else None
        self._trials: dict[str, optuna.trial.Trial] = {}
        self._decisions: dict[str, Decision] = {}
        self._ended: set[str] = set()

    @property
    def is_on(self) -> bool:
        return not isinstance(self._pruner, optuna.pruners.NopPruner)

    def report(self, configuration_id: str, replicates: int, objective: float, *, is_judged: bool = True) -> None:
        """A configuration has one more replicate; `objective` is that of all it has.

        One that is not judged, or that had ended and was reopened or has more to run in a larger plan, is only compared with;
        the latter keeps its last report.
        """
        if self._study is None or math.isnan(objective) or configuration_id in self._ended:
            return
        if configuration_id not in self._trials:
            self._trials[configuration_id] = self._study.ask()
        trial = self._trials[configuration_id]
        trial.report(objective, replicates)
        self._decisions[configuration_id] = Continue()
        if is_judged and trial.should_prune():
            reason = f"objective {objective:.4f} over {replicates} replicates does not keep up with the other configurations"
            self._decisions[configuration_id] = Prune(Outcome.PRUNED_UNDERPERFORMING, self._rule, reason)

    def judge(self, configuration_id: str) -> Decision:
        """Whether a configuration keeps up, as last reported."""
        return self._decisions.get(configuration_id, Continue())

    def end(self, configuration_id: str, objective: float) -> None:
        """A configuration is through."""
        if self._study is not None and configuration_id in self._trials and not math.isnan(objective):
            self._study.tell(self._trials[configuration_id], objective, skip_if_finished=True)
            self._ended.add(configuration_id)
            self._decisions.pop(configuration_id, None)


class _PercentilePruner(optuna.pruners.PercentilePruner):
    """Compares objectives after as many seeds.

    Optuna's own compares the best value of a trial after any number of steps, where a single seed has no spread to subtract,
    with trials that have ended, of which there are none while the seeds go round.
    """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        step, now = max(trial.intermediate_values), copy.copy(trial)
        now.intermediate_values = dict.fromkeys(trial.intermediate_values, trial.intermediate_values[step])
        return super().prune(_Peers(study, trial.number, step), now)


class _PatientPruner(optuna.pruners.PatientPruner):
    """Sees no fall from the first value, from which there was no spread to subtract."""

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        later = copy.copy(trial)
        later.intermediate_values = {step: value for step, value in trial.intermediate_values.items() if step > 1}
        return super().prune(study, later)


class _Peers(optuna.Study):
    """The trials of a study that have come as far as one of them, as if they had ended; `number` is that one's."""

    def __init__(self, study: optuna.Study, number: int, step: int):
        super().__init__(study.study_name, study._storage, study.sampler)
        others = (trial for trial in study.get_trials(deepcopy=False) if trial.number != number)
        self._peers = [trial for trial in others if step in trial.intermediate_values]

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        return self._peers


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


def build_pruner(spec: SpecModel, seeds: int) -> optuna.pruners.BasePruner:
    """The stock Optuna pruner that a spec asks for; seeds: of a whole configuration."""
    match spec:
        case settings.MedianPruner():
            return _PercentilePruner(50.0, spec.n_startup_trials, spec.n_warmup_steps, spec.interval_steps)
        case settings.PercentilePruner():
            return _PercentilePruner(spec.percentile, spec.n_startup_trials, spec.n_warmup_steps, spec.interval_steps)
        case settings.SuccessiveHalvingPruner():
            return optuna.pruners.SuccessiveHalvingPruner(
                spec.min_resource, spec.reduction_factor, spec.min_early_stopping_rate, spec.bootstrap_count
            )
        case settings.HyperbandPruner():
            longest = seeds if spec.max_resource == "auto" else spec.max_resource
            return optuna.pruners.HyperbandPruner(spec.min_resource, longest, spec.reduction_factor)
        case settings.PatientPruner():
            median = _PercentilePruner(50.0, spec.n_startup_trials, spec.n_warmup_steps)
            with warnings.catch_warnings():  # experimental in name, for five years
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return _PatientPruner(median, spec.patience, spec.min_delta)
        case settings.ThresholdPruner():
            return optuna.pruners.ThresholdPruner(
                lower=spec.lower, n_warmup_steps=spec.n_warmup_steps, interval_steps=spec.interval_steps
            )
        case _:
            return optuna.pruners.NopPruner()
