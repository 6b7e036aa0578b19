"""State machine of the sweep: what runs next, what a measurement means, when a configuration is through. No Ray.

It is the only place where events are made. Each fact is in the log before anyone acts on it, and a `Sweep` that is given the
events of an earlier driver goes on where that one stopped.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from typing import Protocol

from blurb_tune.core.secrets import redact
from blurb_tune.core.seeds import derive_share
from blurb_tune.core.steps import total_steps
from blurb_tune.core.trial import (
    Cause,
    Configuration,
    Continue,
    Decision,
    Measurement,
    Outcome,
    Prune,
    TrialConfig,
    TrialReport,
    Work,
    trial_name,
)
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import ConfigurationRecord, TrialRecord
from blurb_tune.results.groups import GroupResult, best_of, why_no_result
from blurb_tune.search.samplers import SAMPLERS
from blurb_tune.search.study import ConfigurationStudy, Suggestion
from blurb_tune.spec.pruning import RaceSpec
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.stopping.instability import judge
from blurb_tune.stopping.optuna_pruners import ConfigurationPruning
from blurb_tune.sweep.budget import spent
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.faults import MOST_LOSSES, Faults
from blurb_tune.sweep.order import place_in_round
from blurb_tune.sweep.queue import WorkQueue
from blurb_tune.sweep.race import FAILURES, RULES, Race, Verdict, rerun, tolerated_failures

# Reopened configurations are queued in front of all others, the control group behind them, confirmation behind everything.
_REOPENED, _CONTROL, _CONFIRMATION = -1, 1 << 60, 1 << 61

# What a look has found, and what does not change the results that it looked at.
_OF_A_LOOK = ev.ConfigurationStopped | ev.ConfigurationEnded | ev.SweepResumed | ev.SweepEnded


class Log(Protocol):
    """Where events go: a file that one driver writes, or a list."""

    def append(self, event: ev.Event) -> None: ...

    def follow(self, follower: Callable[[ev.Event], None]) -> None: ...


class Study(Protocol):
    """Where configurations come from."""

    planned: int
    is_exhausted: bool

    def knows(self, configuration_id: str) -> bool: ...

    def ask(self) -> Suggestion | None: ...

    def learn(self, configuration: Configuration, values: Sequence[float], failed_share: float) -> None: ...

    def replay(self, parameters: dict[str, object]) -> Suggestion: ...

    def tell(self, configuration_id: str, values: Sequence[float], failed_share: float) -> None: ...


class Sweep:
    """Hands out work, takes the reports of its trials, and decides.

    What runs the work (`execution` on Ray, `replay` on simulated time) asks for `next_work` whenever a slot is free, passes
    what each of its trials reports to `report`, and one whose process is gone to `lost`. A trial whose report is answered by
    `Prune` is stopped, and a slot is free again when all trials of its work have ended.

    A run is stopped on its own merit only (`stopping.instability`), a configuration as a whole: by its failed runs or the race
    (`sweep.race`), or by a stock pruner over configurations. The first seeds of all configurations come before the second
    ones, so that all are compared at the same number of replicates; where the sampler learns from results, open configurations
    are finished before new ones begin.

    study: where configurations come from, the spec's space by default. steps: optimizer steps of a trial, from the size of the
    data and the configuration by default.
    """

    def __init__(
        self,
        spec: SweepSpec,
        facts: SweepFacts,
        log: Log,
        past: Sequence[ev.Event],
        *,
        study: Study | None = None,
        steps: Callable[[TrialConfig], int] | None = None,
        nodes: int = 1,
    ):
        """nodes: of the cluster, of which one can be broken."""
        self._spec, self._facts, self._log = spec, facts, log
        self.record = SweepRecord.of(past[:1])
        self._study: Study = study or ConfigurationStudy(spec, facts.blocks, study_name=self.record.header.sweep_id)
        self._steps = steps or self._steps_by_size
        self._runs = self._runs_of(spec.seeds)
        self._runs_per_seed = max(1, facts.folds)
        self._rounds = {seed: number for number, seed in enumerate(spec.seeds)}
        self._race = self._new_race()
        self._pruning = ConfigurationPruning(spec.pruning.pruner)
        self._is_guided = SAMPLERS[spec.search.sampler].is_guided
        self._queue = WorkQueue()
        self._running: dict[str, set[str]] = {}  # by configuration
        self._out: set[str] = set()  # what was stopped, and may yet be reopened
        self._taken_back: set[str] = set()  # stops that a larger plan would not have made, and those that it would have
        self._made_up: dict[str, Verdict] = {}
        self._references: set[str] = set()  # which no verdict stops
        self._is_through = False
        self._is_looking = False  # the race is asked after each result, and one look is closed before the next begins
        self._numbers: dict[str, int] = {}
        self._seeds_done: dict[str, dict[int, list[float]]] = {}
        self._histories: dict[str, list[tuple[float, Measurement]]] = {}
        self._setup_seconds: dict[str, float] = {}
        self._faults = Faults(spec.stop_after_errors, nodes)
        for event in past[1:]:
            self._follow(event)
        self._running.clear()
        log.follow(self._follow)
        self._fit_to_larger_plan()
        self._requeue_unfinished(past)

    @property
    def abort_reason(self) -> str | None:
        """Why no more trials are started, though there are some; None as long as all is well."""
        return self._faults.abort_reason

    @property
    def left_out(self) -> frozenset[str]:
        """The nodes on which trials errored that do well elsewhere: no trial should start there."""
        return frozenset(self._faults.left_out)

    @property
    def planned_trials(self) -> int:
        return self._study.planned * len(self._runs)

    @property
    def is_finished(self) -> bool:
        """Nothing runs and nothing is left to run, as `next_work` has found."""
        return self._is_through

    @property
    def waiting(self) -> int:
        """About how many trials could begin now."""
        if self._is_through or self.abort_reason is not None:
            return 0
        may_open = self._is_searching and not self._study.is_exhausted
        return len(self._queue) + (len(self._runs) if may_open else 0)

    def next_work(self, most: int = 1) -> Work | None:
        """Start what comes next, of `most` replicates at most, or None while there is nothing to start."""
        work = self._next(most) if self.abort_reason is None else None
        for trial in work.trials if work else ():
            self._log.append(
                ev.TrialStarted(
                    trial=trial.trial_id,
                    configuration=trial.configuration_id,
                    seed=trial.seed,
                    attempt=trial.attempt,
                    fold=trial.fold,
                )
            )
        return work

    def report(self, trial_id: str, report: TrialReport) -> Decision:
        """Take what an actor says of a trial, and say whether the trial goes on."""
        trial = self.record.trials[trial_id]
        if not trial.is_running:
            return Continue()
        decision: Decision = Continue()
        if report.measurement is not None:
            self._log.append(ev.Measured(trial=trial_id, measurement=report.measurement))
            self._faults.works(report.worker)
            if report.outcome is None:
                decision = self._decide(trial)
        if report.outcome is not None:
            self._end(
                trial,
                report.outcome,
                report.reason,
                report.error,
                report.worker,
                cause=report.cause,
                stopped_early=report.stopped_early,
            )
        elif isinstance(decision, Prune):
            self._end(trial, decision.outcome, decision.reason, worker=report.worker)
        return decision

    def lost(self, trial_id: str, error: str) -> None:
        """A trial's process was killed, or its machine is gone: no fault of the trial, unless it happens again and again."""
        trial = self.record.trials[trial_id]
        if trial.is_running:
            times = trial.losses_with_this
            is_its_own = times >= MOST_LOSSES
            again = f" {times} times in a row, and it came no farther" if is_its_own else ""
            reason = f"the trial's process was lost{again}"
            self._end(trial, Outcome.ERRORED, reason, error, is_lost=not is_its_own)

    def select(self) -> ev.SelectionMade | None:
        """Name the winner and its reference, once all trials are through; None where there is no winner."""
        best = self.record.best_configuration()
        if self.record.selection is None and self.record.no_result is None:
            reason = why_no_result(best)
            if reason is not None:
                self._log.append(ev.NoResultFound(reason=reason))
        if self.record.selection is None and self.record.no_result is None and best is not None:
            reference = self.record.references().get(self.record.configurations[best.name].configuration.model)
            name = reference.name if reference and reference.name != best.name else None
            self._log.append(ev.SelectionMade(configuration=best.name, reference=name))
        return self.record.selection

    def tested(self, event: ev.Tested) -> None:
        """Take the result of a trial's model on the test split."""
        self._log.append(replace(event, error=redact(event.error)))

    def close(self, *, interrupted: bool, started: float) -> None:
        """Write down how this driver's work ended; `started` is its time.monotonic() at the beginning."""
        status = "interrupted" if interrupted else "finished"
        self._log.append(ev.SweepEnded(status=status, wall_seconds=time.monotonic() - started))

    def config_of(self, trial: TrialRecord) -> TrialConfig:
        """What a trial was started with."""
        again = self._trial(trial.configuration_id, trial.seed, trial.fold, attempt=trial.attempt)
        return replace(again, halvings=trial.halvings)

    def _new_race(self) -> Race:
        spec = self._spec
        # Crossed seeds have their initialization in common with others: they are no independent replicates.
        race = spec.pruning.race if spec.crossed is None else RaceSpec(method="none")
        return Race(race, len(spec.seeds), tolerated_failures(spec.max_failed_share, len(self._runs)))

    def _runs_of(self, seeds: Sequence[int]) -> list[tuple[int, int | None]]:
        """Seeds with their folds."""
        folds = range(self._facts.folds) if self._facts.folds else (None,)
        return [(seed, fold) for seed in seeds for fold in folds]

    # What runs next.

    def _next(self, most: int) -> Work | None:
        while True:
            round_number = self._first_round()
            # Where results do not guide the sampler, each configuration gets its first seed before any gets its second.
            may_open = round_number >= (_CONTROL if self._is_guided else 1)
            if self._is_searching:
                if self._spend_budget():
                    continue
                if may_open and not self._study.is_exhausted and self._suggest():
                    continue
                if round_number >= _CONTROL and self._reopen():
                    continue
            if self._queue or self._confirm():
                return self._queue.pop(most)
            self._is_through = not self._running
            return None

    @property
    def _is_searching(self) -> bool:
        """There may be more to decide."""
        record = self.record
        return record.selection is None and record.no_result is None and record.budget_spent is None

    def _spend_budget(self) -> bool:
        """Whether the search has just ended with things left to run."""
        is_all_open = len(self.record.configurations) >= self._study.planned
        if is_all_open and not self._queue:
            return False
        is_settled = is_all_open and self._race.is_settled
        event = spent(self._spec.budget, self.record, now=time.time(), is_settled=is_settled)
        if event is None:
            return False
        self._log.append(event)
        for cid in list(self.record.open_configurations):
            self._end_configuration(cid)
        return True

    def _confirm(self) -> bool:
        """Nothing is left to decide: winner and reference run the seeds that no decision has seen."""
        if self._running or not self.record.header.confirmation_seeds:
            return False
        selection = self.select()
        for cid in (selection.configuration, selection.reference) if selection else ():
            if cid is not None:
                had = {(trial.seed, trial.fold) for trial in self.record.confirmations_of(cid)}
                for seed, fold in self._runs_of(self.record.header.confirmation_seeds):
                    if (seed, fold) not in had:
                        self._push(self._trial(cid, seed, fold, attempt=1))
        return bool(self._queue)

    def _first_round(self) -> int:
        """Of what comes next, without what was stopped meanwhile; the control group goes behind all others."""
        while (first := self._queue.first()) is not None:
            (round_number, *_), trial = first
            if round_number == _CONFIRMATION:
                return round_number
            is_late = self._is_control_configuration(trial.configuration_id) and 0 <= round_number < _CONTROL
            if not is_late and not self.record.configurations[trial.configuration_id].is_out:
                return round_number
            self._queue.pop()
            if is_late:
                self._push(trial)
        return _CONTROL

    def _suggest(self) -> bool:
        suggestion = self._study.ask()
        if suggestion is None:
            return False
        self._log.append(
            ev.ConfigurationSuggested(
                configuration=suggestion.configuration_id,
                parameters=suggestion.parameters,
                values=suggestion.configuration.values(),
            )
        )
        for seed, fold in self._runs:
            self._push(self._trial(suggestion.configuration_id, seed, fold, attempt=1))
        return True

    def _push(self, trial: TrialConfig, *, again: bool = False) -> None:
        """Queue a trial; `again` for one that errored, which waits each time for a turn of the others: the slot that is free
        failed, and it may be the trial."""
        cid = trial.configuration_id
        if trial.seed not in self._rounds:
            self._queue.push((_CONFIRMATION, trial.attempt), trial)
            return
        number, seed_round = self._numbers[cid], self._rounds[trial.seed] + (trial.attempt - 1 if again else 0)
        key: tuple[int, ...]
        if self.record.configurations[cid].reopened:
            key = (_REOPENED, seed_round)
        elif self._is_control_configuration(cid):
            key = (_CONTROL, 0)
        elif self._is_guided:
            key = (number, len(self._rounds) if again else seed_round)
        else:
            key = (seed_round, self._place(trial.configuration, seed_round), number)
        self._queue.push(key, trial)

    def _place(self, configuration: Configuration, round_number: int) -> int:
        blocks = self._facts.blocks
        of_model = blocks.get(configuration.model, 0)
        return place_in_round(configuration, models=list(blocks), blocks=of_model, round_number=round_number)

    def _is_control_configuration(self, configuration_id: str) -> bool:
        configuration = self.record.configurations[configuration_id]
        return configuration.stopped is not None and configuration.stopped.spared and not _is_back(configuration)

    def _requeue_unfinished(self, past: Sequence[ev.Event]) -> None:
        """Queue what an earlier driver left: trials that have not started, were lost with it, or errored.

        What made them fail may have been mended since. What it had not come to decide is decided now.
        """
        for cid, configuration in list(self.record.configurations.items()):
            for trial in self.record.confirmations_of(cid):
                if not trial.is_final or trial.outcome is Outcome.ERRORED:
                    self._push(self._next_attempt(trial))
            if configuration.state is None and not configuration.is_out and self._is_searching:
                self._push_missing(cid)
        last = next((event for event in reversed(past) if not isinstance(event, ev.SweepResumed | ev.SweepEnded)), None)
        if isinstance(last, ev.TrialEnded):
            self._ask_stock_pruner(self.record.trials[last.trial].configuration_id)
        if self._is_looking:
            self._decide_configurations()
        for cid in list(self.record.configurations):
            self._end_configuration(cid)

    def _push_missing(self, configuration_id: str) -> None:
        """Queue the runs of a configuration that have given no result. None of it may be at work."""
        trials = {(trial.seed, trial.fold): trial for trial in self.record.trials_of(configuration_id)}
        for run in self._runs:
            trial = trials.get(run)
            if trial is None:
                self._push(self._trial(configuration_id, *run, attempt=1))
            elif not trial.is_final or trial.outcome in (Outcome.PRUNED_UNDERPERFORMING, Outcome.ERRORED):
                self._push(self._next_attempt(trial))

    # What becomes of events.

    def _follow(self, event: ev.Event) -> None:
        """The state that follows from an event, whether it happens now or is read from the log."""
        if self._is_looking and not isinstance(event, _OF_A_LOOK):
            self._race.close_look()
            self._is_looking = False
        self.record.apply(event)
        match event:
            case ev.WarmStarted():
                for earlier in event.configurations:
                    self._study.learn(Configuration(**earlier["values"]), earlier["objectives"], earlier["failed_share"])
            case ev.SweepExtended():
                self._follow_extension()
            case ev.BudgetSpent():
                self._queue.clear()
            case ev.ConfigurationSuggested():
                if not self._study.knows(event.configuration):
                    self._study.replay(event.parameters)
                self._numbers[event.configuration] = len(self._numbers)
                self._seeds_done[event.configuration] = {}
                self._race.enter(event.configuration)
            case ev.TrialStarted():
                self._running.setdefault(event.configuration, set()).add(event.trial)
                self._histories[event.trial] = []
            case ev.Measured():
                trial = self.record.trials[event.trial]
                if len(trial.measurements) == 1:
                    self._setup_seconds[event.trial] = event.time - trial.started - trial.train_seconds
                progress = event.measurement.step / self._steps(self.config_of(trial))
                self._histories[event.trial].append((progress, event.measurement))
            case ev.TrialEnded():
                self._stop_running(self.record.trials[event.trial])
                self._histories.pop(event.trial, None)
                self._setup_seconds.pop(event.trial, None)
                if not event.retry:
                    self._is_looking = True
                    self._take_result(self.record.trials[event.trial])
            case ev.ConfigurationStopped():
                self._made_up.pop(event.configuration, None)
                self._race.lose(event.configuration)
                configuration = self.record.configurations[event.configuration]
                if configuration.is_out and not configuration.reopened:
                    self._out.add(event.configuration)
            case ev.ConfigurationReopened():
                self._out.discard(event.configuration)
                self._taken_back.discard(event.configuration)
                if event.is_reference:
                    self._references.add(event.configuration)
                stopped = self.record.configurations[event.configuration].stopped
                self._race.reopen(event.configuration, is_exempt=stopped is None or stopped.rule != FAILURES)
            case ev.ConfigurationEnded():
                self._race.finish(event.configuration)
                self._pruning.end(event.configuration, event.value)
                self._study.tell(event.configuration, self._values(event), event.failed_share)

    def _follow_extension(self) -> None:
        """The race begins again by the larger plan, whose spending is slower: who had lost may be in it still."""
        self._queue.clear()
        self._references.clear()
        self._race = self._new_race()
        stopped = {cid: c.stopped.rule for cid, c in self.record.configurations.items() if c.stopped and not _is_back(c)}
        by_pruner = {cid for cid, rule in stopped.items() if rule not in RULES}
        rounds = {cid: self._results(cid) for cid in self.record.configurations}
        lost = rerun(self._race, rounds, out=by_pruner)
        self._taken_back = stopped.keys() - by_pruner - lost.keys()
        self._made_up = {cid: verdict for cid, verdict in lost.items() if cid not in stopped}
        for cid, configuration in self.record.configurations.items():
            if configuration.state is not None and not configuration.is_out:
                self._race.finish(cid)

    def _results(self, configuration_id: str) -> list[tuple[float, int]]:
        """The complete seeds of a configuration in the order of the race: score, and failed runs."""
        failed = Counter(t.seed for t in self.record.trials_of(configuration_id) if t.outcome and t.outcome.is_failed)
        return [
            (math.fsum(scores) / len(scores), failed[seed])
            for seed, scores in self._seeds_done[configuration_id].items()
            if len(scores) == self._runs_per_seed
        ]

    def _fit_to_larger_plan(self) -> None:
        """Take back the stops that the larger plan would not have made, and make those that it would have."""
        for cid in sorted(self._taken_back, key=self._numbers.__getitem__):
            stopped = self.record.configurations[cid].stopped
            after = f" after {stopped.replicates}" if stopped else ""
            reason = f"in a plan of {len(self._spec.seeds)} seeds it had not lost{after}"
            self._log.append(ev.ConfigurationReopened(configuration=cid, reason=reason))
        for verdict in list(self._made_up.values()):
            self._stop(verdict)

    def _values(self, event: ev.ConfigurationEnded) -> tuple[float, ...]:
        """What the study is told: the objective, or both of two."""
        if self._spec.objective != "pareto":
            return (event.value,)
        summary = self.record.result_of(event.configuration).summary
        return summary.mean, summary.std

    def _stop_running(self, trial: TrialRecord) -> None:
        running = self._running.get(trial.configuration_id, set())
        running.discard(trial.trial_id)
        if not running:
            self._running.pop(trial.configuration_id, None)

    def _take_result(self, trial: TrialRecord) -> None:
        """A run has ended for good: its failure counts at once, its score with the other folds of its seed."""
        cid, score = trial.configuration_id, self.record.score(trial)
        if score is None or self.record.is_confirmation(trial):
            return
        is_failed = trial.outcome is not None and trial.outcome.is_failed
        if is_failed:
            self._race.fail(cid)
        scores = self._seeds_done[cid].setdefault(trial.seed, [])
        scores.append(self._facts.trivial_score if is_failed else score)
        if len(scores) == self._runs_per_seed:
            self._race.score(cid, math.fsum(scores) / len(scores))
            self._pruning.report(cid, self._complete_seeds(cid), self.record.result_of(cid).objective)

    # Decisions.

    def _decide(self, trial: TrialRecord) -> Decision:
        configuration = self.record.configurations[trial.configuration_id]
        if configuration.is_out and configuration.stopped is not None and not self.record.is_confirmation(trial):
            reason = f"its configuration was stopped: {configuration.stopped.reason}"
            return Prune(Outcome.PRUNED_UNDERPERFORMING, configuration.stopped.rule, reason)
        if trial.is_control:
            return Continue()
        decision = judge(self._spec.pruning.instability, self._facts.level(trial.fold), self._histories[trial.trial_id])
        if isinstance(decision, Continue):
            return decision
        spared = decision.outcome.is_pruned and self._is_control(trial.trial_id)
        self._log.append(
            ev.PruneDecided(
                trial=trial.trial_id,
                step=trial.steps,
                rule=decision.rule,
                reason=decision.reason,
                outcome=decision.outcome,
                spared=spared,
            )
        )
        return Continue() if spared else decision

    def _is_control(self, name: str) -> bool:
        share = derive_share(self._spec.search.seed, "control", self.record.header.spec_digest, name)
        return share < self._spec.pruning.control_share

    def _end(
        self,
        trial: TrialRecord,
        outcome: Outcome,
        reason: str,
        error: str = "",
        worker: str = "",
        *,
        cause: Cause = Cause.MACHINE,
        is_lost: bool = False,
        stopped_early: bool = False,
    ) -> None:
        by_machine, reason, error = is_lost, redact(reason), redact(error)
        if outcome is not Outcome.ERRORED:
            self._faults.none(worker)
        elif not is_lost:
            by_machine = self._faults.add(worker, reason)
        is_over = self.record.configurations[trial.configuration_id].is_out or self.record.budget_spent is not None
        may_retry = by_machine or self._may_retry(trial, cause) or self.abort_reason is not None
        retry = outcome is Outcome.ERRORED and may_retry and (self.record.is_confirmation(trial) or not is_over)
        self._log.append(
            ev.TrialEnded(
                trial=trial.trial_id,
                attempt=trial.attempt,
                outcome=outcome,
                reason=reason,
                error=error,
                setup_seconds=self._setup_seconds.get(trial.trial_id, 0.0),
                worker=worker,
                retry=retry,
                by_machine=by_machine,
                cause=cause if outcome is Outcome.ERRORED else "",
                stopped_early=stopped_early,
            )
        )
        if retry:
            self._push(self._next_attempt(trial), again=True)
            return
        self._ask_stock_pruner(trial.configuration_id)
        self._decide_configurations()
        self._end_configuration(trial.configuration_id)

    def _may_retry(self, trial: TrialRecord, cause: Cause) -> bool:
        match cause:
            case Cause.CODE:
                return False
            case Cause.MEMORY:
                return trial.halvings < 1
            case Cause.HANG:
                return trial.hangs < 1
            case Cause.MACHINE:
                return trial.errors < self._spec.retries

    def _ask_stock_pruner(self, configuration_id: str) -> None:
        configuration = self.record.configurations[configuration_id]
        is_exempt = configuration.configuration.strategy.is_vanilla and self._spec.pruning.keep_vanilla
        if configuration.stopped is not None or is_exempt or not self._queue.has(configuration_id):
            return
        decision = self._pruning.judge(configuration_id)
        if isinstance(decision, Prune):
            self._stop(Verdict(configuration_id, decision.rule, decision.reason, self._complete_seeds(configuration_id)))

    def _complete_seeds(self, configuration_id: str) -> int:
        return sum(len(scores) == self._runs_per_seed for scores in self._seeds_done[configuration_id].values())

    def _decide_configurations(self) -> None:
        """Stop the configurations that have lost by now."""
        for verdict in self._race.verdicts():
            configuration = self.record.configurations[verdict.configuration]
            if verdict.configuration in self._references:
                continue
            if not configuration.is_out and not self._is_control_configuration(verdict.configuration):
                self._stop(verdict)

    def _stop(self, verdict: Verdict) -> None:
        cid = verdict.configuration
        self._log.append(
            ev.ConfigurationStopped(
                configuration=cid,
                rule=verdict.rule,
                reason=verdict.reason,
                replicates=verdict.replicates,
                spared=self._is_control(cid),
            )
        )
        self._end_configuration(cid)

    def _reopen(self) -> bool:
        """Nothing is left but the control group: whatever was stopped and may stand above the best so far runs on after all.

        The race tests equal distributions, and so can stop a safe configuration beside a leader that is better when it learns;
        and who had no failed run after three seeds may have some after ten. So does the vanilla configuration that the winner
        is compared with: three seeds of it are too few for a claim.
        """
        if self._running:
            return False
        out = [self.record.configurations[cid] for cid in sorted(self._out, key=self._numbers.__getitem__)]
        results = [r for r in self.record.by_configuration() if not self.record.configurations[r.name].is_out and r.n]
        whole = self.record.header.replicates
        best = best_of([r for r in results if r.n == whole] or results, whole)
        chosen = [configuration for configuration in out if self._may_win(configuration, best)]
        reference = self._unfinished_reference(best, {configuration.configuration_id for configuration in chosen})
        if best is not None and best.n == whole:  # which only a better one can replace
            self._out.clear()
        for configuration in chosen:
            cid = configuration.configuration_id
            result = self.record.result_of(cid)
            beside = f", beside {best.objective:.4f} of {best.name} with {best.failed} failed" if best else ""
            reason = f"objective {result.objective:.4f} of {result.n} runs, {result.failed} failed{beside}"
            self._log.append(ev.ConfigurationReopened(configuration=cid, reason=reason))
            self._push_missing(cid)
            self._end_configuration(cid)
        if reference is not None:
            reason = "the winner is compared with it"
            self._log.append(ev.ConfigurationReopened(configuration=reference, reason=reason, is_reference=True))
            self._push_missing(reference)
            self._end_configuration(reference)
        return bool(chosen) or reference is not None

    def _unfinished_reference(self, best: GroupResult | None, chosen: Set[str]) -> str | None:
        """The best vanilla configuration of the leader's model, where all of that model are out.

        None where fresh seeds are planned, by which the two are compared.
        """
        is_wanted = self._spec.pruning.keep_vanilla and not self._spec.confirm
        if best is None or best.n < self.record.header.replicates or not is_wanted:
            return None
        reference = self.record.references().get(self.record.configurations[best.name].configuration.model)
        if reference is None or reference.name in self._references | chosen or not self.record.is_censored(reference.name):
            return None
        return reference.name

    def _may_win(self, configuration: ConfigurationRecord, best: GroupResult | None) -> bool:
        """Whether a stopped configuration may still stand above the best whole one, by failed runs and then the objective.

        What was stopped by its failures was so beside others that had fewer, and its objective was not looked at.
        """
        result, stopped = self.record.result_of(configuration.configuration_id), configuration.stopped
        if best is None or not result.n:
            return best is None
        excess = max(0.0, result.failed / len(self._runs) - self._spec.max_failed_share)
        is_above = result.objective > best.objective or (stopped is not None and stopped.rule == FAILURES)
        return excess < best.excess or (excess == best.excess and is_above)

    def _end_configuration(self, configuration_id: str) -> None:
        """Say that a configuration has ended, once nothing of it runs or waits."""
        configuration = self.record.configurations[configuration_id]
        is_waiting = self._queue.has(configuration_id) and not configuration.is_out
        if configuration.state is not None or is_waiting or configuration_id in self._running:
            return
        result = self.record.result_of(configuration_id)
        is_whole = sum(t.is_final for t in self.record.trials_of(configuration_id)) >= len(self._runs)
        if configuration.is_out:
            state = "STOPPED"
        elif is_whole:
            state = "COMPLETE" if result.n else "FAIL"
        elif self.record.budget_spent is not None:
            state = "INCOMPLETE"
        else:
            return
        self._log.append(
            ev.ConfigurationEnded(
                configuration=configuration_id, state=state, value=result.objective, failed_share=result.failed_share
            )
        )

    def _steps_by_size(self, trial: TrialConfig) -> int:
        return total_steps(self._facts.train_examples[trial.fold or 0], trial.configuration)

    def _next_attempt(self, trial: TrialRecord) -> TrialConfig:
        again = self._trial(trial.configuration_id, trial.seed, trial.fold, attempt=trial.attempt + 1)
        return replace(again, halvings=trial.next_halvings)

    def _trial(self, configuration_id: str, seed: int, fold: int | None, *, attempt: int) -> TrialConfig:
        configuration = self.record.configurations[configuration_id].configuration
        trial_id = trial_name(configuration_id, seed, fold)
        return TrialConfig(trial_id, configuration_id, configuration, seed, attempt, fold)


def _is_back(configuration: ConfigurationRecord) -> bool:
    """It was stopped once, and goes on like those that never were."""
    return configuration.reopened and not configuration.is_out
