"""What a sweep's event log says so far: trials and configurations, folded from the events.

The driver resumes from this, the reports and the terminal view are drawn from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from pathlib import Path

from blurb_tune.core.trial import Configuration, Measurement, Outcome, node_of
from blurb_tune.core.versions import differences
from blurb_tune.log import events as ev
from blurb_tune.log import trial_scores
from blurb_tune.log.event_log import fold_events
from blurb_tune.log.leaders import Leaders
from blurb_tune.log.tally import Tally
from blurb_tune.log.transitions import why_impossible
from blurb_tune.log.trial_record import ConfigurationRecord, TrialRecord
from blurb_tune.results.groups import GroupResult, best_of, pareto_front


class SweepRecord:
    """The state of one sweep, by `apply`-ing its events in order.

    searched: trials that have begun, those of confirmation seeds left out. train_seconds: training and evaluation of all
    trials, lost attempts included. spec_digest: of the plan in force, which `started` describes too. broken_nodes: those on
    which trials errored that were tried again elsewhere, and how many. later_versions: what drivers after the first one had.
    combinations: by method, of the winner that is named now.
    """

    def __init__(self) -> None:
        self.started: ev.SweepStarted | None = None
        self.trials: dict[str, TrialRecord] = {}
        self.searched = 0
        self._trials_of: dict[str, dict[str, TrialRecord]] = {}
        self._confirmations_of: dict[str, dict[str, TrialRecord]] = {}
        self._confirmation_seeds: frozenset[int] = frozenset()
        self._groups: dict[str, GroupResult] = {}
        self._tally = Tally()
        self._open: dict[str, None] = {}
        self._trials_of_ended = 0
        self._leaders = Leaders(self)
        self.configurations: dict[str, ConfigurationRecord] = {}
        self.selection: ev.SelectionMade | None = None
        self.no_result: ev.NoResultFound | None = None
        self.budget_spent: ev.BudgetSpent | None = None
        self.spec_digest = ""
        self.tests: dict[str, ev.Tested] = {}
        self.combinations: dict[str, ev.CombinationTested] = {}
        self.status = "running"
        self.slots = 1
        self.wall_seconds = 0.0
        self.train_seconds = 0.0
        self.broken_nodes: Counter[str] = Counter()
        self.later_versions: dict[str, str] = {}
        self._session_started = 0.0
        self._last_time = 0.0

    @classmethod
    def of(cls, events: Iterable[ev.Event]) -> SweepRecord:
        record = cls()
        for event in events:
            record.apply(event)
        return record

    @classmethod
    def read(cls, path: Path) -> SweepRecord:
        """The record of the log at `path`. Raises BlurbTuneError when the log is damaged before its last line."""
        record = cls()
        for _ in fold_events(path, record.apply):
            pass
        return record

    def apply(self, event: ev.Event) -> None:
        """Take one event in. Raises LookupError when it cannot follow from those before it, and takes nothing in then."""
        if fault := why_impossible(self, event):
            raise LookupError(fault)
        match event:
            case ev.SweepStarted():
                self.started = event
                self.slots = event.slots
                self.spec_digest = event.spec_digest
                self._confirmation_seeds = frozenset(event.confirmation_seeds)
                self._session_started = event.time
            case ev.SweepExtended():
                self._extend(event)
            case ev.BudgetSpent():
                self.budget_spent = event
            case ev.SweepResumed():
                if self.status == "running":
                    self.wall_seconds += self._last_time - self._session_started
                self.status = "running"
                self.slots = event.slots
                self.later_versions |= {name: of[1] for name, of in differences(self.header.versions, event.versions).items()}
                self._session_started = event.time
            case ev.ConfigurationSuggested():
                values = dict(event.values)
                if "model" not in values and len(self.header.models) == 1:  # a log from before there were several models
                    values["model"] = next(iter(self.header.models))
                self.configurations[event.configuration] = ConfigurationRecord(
                    event.configuration, len(self.configurations), event.parameters, Configuration(**values)
                )
                self._trials_of[event.configuration] = {}
                self._confirmations_of[event.configuration] = {}
                self._open[event.configuration] = None
            case ev.TrialStarted():
                before = self.trials.get(event.trial)
                trial = TrialRecord(event.trial, event.configuration, event.seed, event.attempt, event.time, event.fold)
                if before:
                    self._tally.remove(before)
                    trial.follow(before)
                of = self._confirmations_of if self.is_confirmation(trial) else self._trials_of
                self.trials[event.trial] = of[event.configuration][event.trial] = trial
                self.searched += before is None and of is self._trials_of
                self._groups.pop(event.configuration, None)
            case ev.Measured():
                measured = self.trials[event.trial]
                self.train_seconds -= measured.added_seconds
                measured.measure(event)
                self.train_seconds += measured.added_seconds
            case ev.PruneDecided():
                self.trials[event.trial].prunes.append(event)
            case ev.TrialEnded():
                trial = self.trials[event.trial]
                self._tally.remove(trial)
                trial.end(event)
                if event.by_machine and event.worker:
                    self.broken_nodes[node_of(event.worker)] += 1
                self._tally.add(trial)
                self._groups.pop(trial.configuration_id, None)
            case ev.ConfigurationStopped():
                stopped = self.configurations[event.configuration]
                stopped.stopped, stopped.is_out = event, not event.spared
            case ev.ConfigurationReopened():
                reopened = self.configurations[event.configuration]
                self._reopen(reopened)
                reopened.reopened, reopened.is_out, reopened.state = True, False, None
            case ev.ConfigurationEnded():
                ended = self.configurations[event.configuration]
                self._reopen(ended)
                ended.state, ended.value = event.state, event.value
                self._close(ended)
            case ev.SelectionMade():
                self.selection = event
            case ev.NoResultFound():
                self.no_result = event
            case ev.Tested():
                self.tests[event.trial] = event
            case ev.CombinationTested():
                self.combinations[event.method] = event
            case ev.SweepEnded():
                self.status = event.status
                self.wall_seconds += event.wall_seconds
        self._last_time = event.time

    def _extend(self, event: ev.SweepExtended) -> None:
        """A larger plan is in force: what was whole is open again, and nothing is settled any more."""
        self.started = replace(
            self.header,
            seeds=event.seeds,
            configurations=event.configurations,
            confirmation_seeds=event.confirmation_seeds,
        )
        self.spec_digest = event.spec_digest
        self._confirmation_seeds = frozenset(event.confirmation_seeds)
        self.selection = self.no_result = self.budget_spent = None
        self.combinations.clear()
        self._groups.clear()
        for configuration in self.configurations.values():
            if configuration.state is not None and not configuration.is_out and not self._is_whole(configuration, event):
                self._reopen(configuration)
                configuration.state = None
        self._leaders.on_extension()

    def _is_whole(self, configuration: ConfigurationRecord, event: ev.SweepExtended) -> bool:
        """Whether it has had all runs of the plan in force."""
        trials = self._trials_of[configuration.configuration_id].values()
        again = sum(trial.outcome is Outcome.ERRORED for trial in trials) if event.errored_again else 0
        return len(trials) - again >= self.header.trials_per_configuration

    def _reopen(self, configuration: ConfigurationRecord) -> None:
        """It is at work again, if it had ended."""
        if configuration.state is not None:
            name = configuration.configuration_id
            self._trials_of_ended -= len(self._trials_of[name])
            self._open[name] = None
            self._leaders.on_reopening(configuration)

    def _close(self, configuration: ConfigurationRecord) -> None:
        """It has ended, and may lead from now on."""
        name = configuration.configuration_id
        self._open.pop(name, None)
        self._trials_of_ended += len(self._trials_of[name])
        self._leaders.on_end(configuration)

    def elapsed_of_drivers(self) -> float:
        """Wall time of all drivers so far; of one that died without an end, up to its last event."""
        return self.elapsed(self._last_time) if self.status == "running" else self.wall_seconds

    def elapsed(self, now: float) -> float:
        """Wall time of all drivers up to `now`, in seconds since the epoch, while the last one is at work."""
        return self.wall_seconds + now - self._session_started

    @property
    def header(self) -> ev.SweepStarted:
        """The sweep's first event. Raises LookupError while the log is empty."""
        if self.started is None:
            raise LookupError("the event log does not start with sweep_started")
        return self.started

    @property
    def is_searching(self) -> bool:
        """Neither a winner, or that there is none, nor a spent budget has ended the search."""
        return self.selection is None and self.no_result is None and self.budget_spent is None

    @property
    def has_models(self) -> bool:
        """The model is an axis of the search: strategies are told apart by model."""
        return len(self.header.models) > 1

    def label(self, configuration_id: str) -> str:
        """A configuration's strategy in words, such as `freeze 4`, or `bert-base: freeze 4` where there are several models."""
        configuration = self.configurations[configuration_id].configuration
        return self._of_model(configuration.model, configuration.strategy.label)

    def family(self, configuration_id: str) -> str:
        """The techniques at work, such as `freeze+decay`, with the model in front where there are several."""
        configuration = self.configurations[configuration_id].configuration
        return self._of_model(configuration.model, configuration.strategy.family)

    def _of_model(self, model: str, what: str) -> str:
        return f"{model}: {what}" if self.has_models else what

    def trials_of(self, configuration_id: str) -> list[TrialRecord]:
        """Those that decisions are made by."""
        return list(self._trials_of[configuration_id].values())

    def confirmations_of(self, configuration_id: str) -> list[TrialRecord]:
        """Those of the confirmation seeds, which no decision has seen."""
        return list(self._confirmations_of[configuration_id].values())

    def quoted_trials(self, configuration_id: str) -> list[TrialRecord]:
        """What the winner and its reference are quoted by: their confirmation runs, or all they have where there are none."""
        return self.confirmations_of(configuration_id) or self.trials_of(configuration_id)

    def is_confirmation(self, trial: TrialRecord) -> bool:
        return trial.seed in self._confirmation_seeds

    def score(self, trial: TrialRecord) -> float | None:
        """The number with which a trial enters mean and spread (`trial_scores`); None for one that is no result."""
        return trial_scores.score(self.header, trial)

    def scored_measurement(self, trial: TrialRecord) -> Measurement | None:
        """The measurement by which a trial is scored and its outcome was found (`trial_scores`)."""
        return trial_scores.scored_measurement(self.header, trial)

    def seed_scores(self, trials: Iterable[TrialRecord]) -> dict[str, dict[int, float]]:
        """By configuration and seed, the score of a seed: the mean over its folds, left out where one of them has none."""
        return trial_scores.seed_scores(self.header, trials)

    def group(self, name: str, trials: Iterable[TrialRecord]) -> GroupResult:
        """The seeds' scores of `trials`, of one configuration or several, taken together."""
        return trial_scores.group(self.header, name, trials)

    def by_configuration(self) -> list[GroupResult]:
        """One result per configuration, in the order of suggestion."""
        return [self.result_of(name) for name in self.configurations]

    def result_of(self, configuration_id: str) -> GroupResult:
        """The result of a configuration so far; rebuilt only when one of its trials has begun or ended."""
        if configuration_id not in self._groups:
            self._groups[configuration_id] = self.group(configuration_id, self._trials_of[configuration_id].values())
        return self._groups[configuration_id]

    def best_configuration(self) -> GroupResult | None:
        """The winner: of the configurations whose every seed gave a result, and no more failed than the sweep tolerates,
        the one with the highest objective. Where all have more failed runs, those with the least excess come first.

        One that lacks seeds, because they errored or are to come, is passed over while any other has a full set; and one
        that was stopped before it had them while any other has a result.
        """
        return self.best_of(self.configurations)

    def best_of(self, configuration_ids: Iterable[str]) -> GroupResult | None:
        """The first of these by the winner's rule."""
        return self.best_among([self.result_of(name) for name in configuration_ids])

    def best_among(self, results: Sequence[GroupResult]) -> GroupResult | None:
        """The first of these results by the winner's rule, of equals the first in order."""
        others = (result for result in results if not self.is_censored(result.name))
        return best_of(others, self.header.replicates) or best_of(results, self.header.replicates)

    def front(self) -> list[GroupResult]:
        """The configurations with a full set of seeds that no other beats in both mean and standard deviation."""
        return pareto_front(result for result in self.by_configuration() if result.n == self.header.replicates)

    def is_censored(self, configuration_id: str) -> bool:
        """It was stopped before it had a result for every seed: what it had is shown apart, and compared with nothing."""
        is_out = self.configurations[configuration_id].is_out
        return is_out and self.result_of(configuration_id).n < self.header.replicates

    def references(self) -> dict[str, GroupResult]:
        """By model, its best vanilla configuration: what the winner is compared with on the test split."""
        vanilla: dict[str, list[GroupResult]] = {}
        for result in self.by_configuration():
            configuration = self.configurations[result.name].configuration
            if configuration.strategy.is_vanilla:
                vanilla.setdefault(configuration.model, []).append(result)
        best = {model: self.best_among(results) for model, results in vanilla.items()}
        return {model: result for model, result in best.items() if result is not None}

    def leaders(self) -> set[str]:
        """The ended configurations that others have to beat: the best of them, and the best vanilla one of each model.

        One that is at work is none, however well it stands after its first seeds.
        """
        return {leader.name for leader in self._leaders.current().values()}

    @property
    def leader(self) -> GroupResult | None:
        """The best of the ended configurations."""
        return self._leaders.current().get(None)

    def outcome_counts(self) -> dict[str, int]:
        """How many final trials ended in each way, every outcome named."""
        return self._tally.outcomes()

    @property
    def open_configurations(self) -> Set[str]:
        """Those that have not ended."""
        return self._open.keys()

    @property
    def trials_of_ended_configurations(self) -> int:
        return self._trials_of_ended

    def seconds_of_ended_trials(self) -> tuple[float, int]:
        """What the final trials took from start to end, errored ones left out, and how many they are."""
        return self._tally.seconds()
