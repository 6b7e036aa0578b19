"""What follows from a sweep's events beside its record: the race, what runs, and which stops are not for good."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from blurb_tune.core.seeds import derive_share
from blurb_tune.core.steps import total_steps
from blurb_tune.core.trial import Configuration, Measurement, TrialConfig
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.spec.pruning import RaceSpec
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.stopping.optuna_pruners import ConfigurationPruning
from blurb_tune.sweep.attempts import latest_attempt
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.protocols import Study
from blurb_tune.sweep.race import FAILURES, RULES, Race, Verdict, rerun, tolerated_failures

# What a look has found, and what does not change the results that it looked at.
_OF_A_LOOK = ev.ConfigurationStopped | ev.ConfigurationEnded | ev.SweepResumed | ev.SweepEnded


class SweepState:
    """Applies events, whether they happen now or are read from the log; makes none.

    runs: seeds and folds of a whole configuration. running: trials at work, by configuration. out: configurations that were
    stopped and may yet be reopened. taken_back: stops that a larger plan would not have made; made_up: those that it would
    have. references: configurations that no verdict stops. is_looking: the race is asked after each result, and one look is
    closed before the next begins. histories: progress (0 to 1) and measurement at each evaluation of the trials at work.
    setup_seconds: from a trial's start to its first training step.
    """

    def __init__(
        self,
        spec: SweepSpec,
        facts: SweepFacts,
        record: SweepRecord,
        study: Study,
        steps: Callable[[TrialConfig], int] | None = None,
    ):
        """steps: of a trial, by the size of the data and the configuration by default."""
        self.spec, self.facts, self.record, self._study = spec, facts, record, study
        self._steps = steps or self._steps_by_size
        self.runs = self.runs_of(spec.seeds)
        self._runs_per_seed = max(1, facts.folds)
        self.race = self._new_race()
        self.pruning = ConfigurationPruning(spec.pruning.pruner, len(spec.seeds))
        self.running: dict[str, set[str]] = {}
        self.out: set[str] = set()
        self.taken_back: set[str] = set()
        self.made_up: dict[str, Verdict] = {}
        self.references: set[str] = set()
        self.is_looking = False
        self.histories: dict[str, list[tuple[float, Measurement]]] = {}
        self.setup_seconds: dict[str, float] = {}
        self._seeds_done: dict[str, dict[int, list[float]]] = {}

    def runs_of(self, seeds: Sequence[int]) -> list[tuple[int, int | None]]:
        """Seeds with their folds."""
        folds = range(self.facts.folds) if self.facts.folds else (None,)
        return [(seed, fold) for seed in seeds for fold in folds]

    @property
    def is_searching(self) -> bool:
        """There may be more to decide."""
        return self.record.is_searching

    def complete_seeds(self, configuration_id: str) -> int:
        """Seeds of a configuration that have a result of every fold."""
        return sum(len(scores) == self._runs_per_seed for scores in self._seeds_done[configuration_id].values())

    def in_control_group(self, name: str) -> bool:
        """Whether a trial or configuration, if it is to be stopped, goes on as one of the control group."""
        share = derive_share(self.spec.search.seed, "control", self.record.header.spec_digest, name)
        return share < self.spec.pruning.control_share

    def is_judged(self, configuration_id: str) -> bool:
        """Whether a stock pruner may stop a configuration."""
        configuration = self.record.configurations[configuration_id]
        is_exempt = configuration.configuration.strategy.is_vanilla and self.spec.pruning.keep_vanilla
        return configuration.stopped is None and not is_exempt

    def apply(self, event: ev.Event) -> None:
        """Take an event in, the record first. Raises LookupError when it cannot follow from those before it."""
        if self.is_looking and not isinstance(event, _OF_A_LOOK):
            self.race.close_look()
            self.is_looking = False
        self.record.apply(event)
        match event:
            case ev.WarmStarted():
                for earlier in event.configurations:
                    self._study.learn(Configuration(**earlier["values"]), earlier["objectives"], earlier["failed_share"])
            case ev.SweepExtended():
                self._extend()
            case ev.ConfigurationSuggested():
                if not self._study.knows(event.configuration):
                    self._study.replay(event.parameters)
                self._seeds_done[event.configuration] = {}
                self.race.enter(event.configuration)
            case ev.TrialStarted():
                self.running.setdefault(event.configuration, set()).add(event.trial)
                self.histories[event.trial] = []
                self.setup_seconds.pop(event.trial, None)
            case ev.Measured():
                trial = self.record.trials[event.trial]
                if event.trial not in self.setup_seconds and trial.own_seconds:
                    self.setup_seconds[event.trial] = max(0.0, event.time - trial.started - trial.own_seconds)
                progress = event.measurement.step / self._steps(latest_attempt(self.record, trial))
                self.histories[event.trial].append((progress, event.measurement))
            case ev.TrialEnded():
                self._stop_running(self.record.trials[event.trial])
                self.histories.pop(event.trial, None)
                self.setup_seconds.pop(event.trial, None)
                if not event.retry:
                    self.is_looking = True
                    self._take_result(self.record.trials[event.trial])
            case ev.ConfigurationStopped():
                self.made_up.pop(event.configuration, None)
                self.race.lose(event.configuration)
                configuration = self.record.configurations[event.configuration]
                if configuration.is_out and not configuration.reopened:
                    self.out.add(event.configuration)
            case ev.ConfigurationReopened():
                self.out.discard(event.configuration)
                self.taken_back.discard(event.configuration)
                if event.is_reference:
                    self.references.add(event.configuration)
                stopped = self.record.configurations[event.configuration].stopped
                self.race.reopen(event.configuration, is_exempt=stopped is None or stopped.rule != FAILURES)
            case ev.ConfigurationEnded():
                self.race.finish(event.configuration)
                self.pruning.end(event.configuration, event.value)
                self._study.tell(event.configuration, self._values(event), event.failed_share)

    def _new_race(self) -> Race:
        spec = self.spec
        # Crossed seeds have their initialization in common with others: they are no independent replicates.
        race = spec.pruning.race if spec.crossed is None else RaceSpec(method="none")
        return Race(race, len(spec.seeds), tolerated_failures(spec.max_failed_share, len(self.runs)))

    def _extend(self) -> None:
        """The race begins again by the larger plan, whose spending is slower: who had lost may be in it still."""
        self.references.clear()
        self.race = self._new_race()
        stopped = {cid: c.stopped.rule for cid, c in self.record.configurations.items() if c.stopped and not c.is_back}
        by_pruner = {cid for cid, rule in stopped.items() if rule not in RULES}
        rounds = {cid: self._results(cid) for cid in self.record.configurations}
        lost = rerun(self.race, rounds, out=by_pruner)
        self.taken_back = stopped.keys() - by_pruner - lost.keys()
        self.made_up = {cid: verdict for cid, verdict in lost.items() if cid not in stopped}
        for cid, configuration in self.record.configurations.items():
            of_incomplete_seeds = self._failed(cid).total() - sum(failed for _, failed in rounds[cid])
            for _ in range(of_incomplete_seeds):
                self.race.fail(cid)
            if configuration.state is not None and not configuration.is_out:
                self.race.finish(cid)

    def _failed(self, configuration_id: str) -> Counter[int]:
        """The failed runs of a configuration by seed."""
        return Counter(t.seed for t in self.record.trials_of(configuration_id) if t.outcome and t.outcome.is_failed)

    def _results(self, configuration_id: str) -> list[tuple[float, int]]:
        """The complete seeds of a configuration in the order of the race: score, and failed runs."""
        failed = self._failed(configuration_id)
        return [
            (math.fsum(scores) / len(scores), failed[seed])
            for seed, scores in self._seeds_done[configuration_id].items()
            if len(scores) == self._runs_per_seed
        ]

    def _values(self, event: ev.ConfigurationEnded) -> tuple[float, ...]:
        """What the study is told: the objective, or both of two."""
        if self.spec.objective != "pareto":
            return (event.value,)
        summary = self.record.result_of(event.configuration).summary
        return summary.mean, summary.std

    def _stop_running(self, trial: TrialRecord) -> None:
        running = self.running.get(trial.configuration_id, set())
        running.discard(trial.trial_id)
        if not running:
            self.running.pop(trial.configuration_id, None)

    def _take_result(self, trial: TrialRecord) -> None:
        """A run has ended for good: its failure counts at once, its score with the other folds of its seed."""
        cid, score = trial.configuration_id, self.record.score(trial)
        if score is None or self.record.is_confirmation(trial):
            return
        is_failed = trial.outcome is not None and trial.outcome.is_failed
        if is_failed:
            self.race.fail(cid)
        scores = self._seeds_done[cid].setdefault(trial.seed, [])
        scores.append(self.facts.trivial_score if is_failed else score)
        if len(scores) == self._runs_per_seed:
            self.race.score(cid, math.fsum(scores) / len(scores))
            objective = self.record.result_of(cid).objective
            self.pruning.report(cid, self.complete_seeds(cid), objective, is_judged=self.is_judged(cid))

    def _steps_by_size(self, trial: TrialConfig) -> int:
        return total_steps(self.facts.train_examples[trial.fold or 0], trial.configuration)
