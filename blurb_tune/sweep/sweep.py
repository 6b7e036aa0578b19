"""State machine of the sweep: what runs next, what a measurement means, when a configuration is through. No Ray.

Events are made here and by what it decides with (`configurations`). Each is in the log before anyone acts on it, and a `Sweep`
that is given the events of an earlier driver goes on where that one stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from blurb_tune.core.secrets import redact
from blurb_tune.core.trial import Cause, Continue, Decision, Outcome, Prune, TrialConfig, TrialReport, Work
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.search.study import ConfigurationStudy
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.stopping.instability import judge
from blurb_tune.sweep.agenda import Agenda
from blurb_tune.sweep.attempts import latest_attempt, next_attempt
from blurb_tune.sweep.budget import spent_budget
from blurb_tune.sweep.configuration_decisions import ConfigurationDecisions
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.faults import MOST_LOSSES, Faults, may_retry
from blurb_tune.sweep.protocols import Log, Study
from blurb_tune.sweep.state import SweepState


class Sweep:
    """Hands out work, takes the reports of its trials, and decides.

    What runs the work (`execution` on Ray, `replay` on simulated time) asks for `next_work` whenever a slot is free, passes
    what each of its trials reports to `report`, and one whose process is gone to `report_lost`. A trial whose report is
    answered by `Prune` is stopped, and a slot is free again when all trials of its work have ended.

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
        self._spec, self._log = spec, log
        self.record = SweepRecord.of(past[:1])
        self._study: Study = study or ConfigurationStudy(spec, facts.blocks)
        self._state = SweepState(spec, facts, self.record, self._study, steps)
        self._agenda = Agenda(spec, facts, self.record, self._state.runs)
        self._configurations = ConfigurationDecisions(self._state, self._agenda, log)
        self._faults = Faults(spec.stop_after_errors, nodes)
        self._is_through = False
        for event in past[1:]:
            self._state.apply(event)
        self._state.running.clear()
        log.follow(self._state.apply)
        self._configurations.fit_to_larger_plan()
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
    def is_finished(self) -> bool:
        """Nothing runs and nothing is left to run, as `next_work` has found."""
        return self._is_through

    @property
    def waiting(self) -> int:
        """About how many trials could begin now."""
        if self._is_through or self.abort_reason is not None:
            return 0
        may_open = self._state.is_searching and not self._study.is_exhausted
        return len(self._agenda.queue) + (len(self._state.runs) if may_open else 0)

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
            self._log.append(
                ev.Measured(trial=trial_id, measurement=report.measurement, resumed_seconds=report.resumed_seconds)
            )
            self._faults.mark_sound(report.worker)
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

    def report_lost(self, trial_id: str, error: str) -> None:
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
        return self._configurations.select()

    def report_test(self, event: ev.Tested) -> None:
        """Take the result of a trial's model on the test split."""
        self._log.append(replace(event, error=redact(event.error)))

    def close(self, *, interrupted: bool, started: float) -> None:
        """Write down how this driver's work ended; `started` is its time.monotonic() at the beginning."""
        status = "interrupted" if interrupted else "finished"
        self._log.append(ev.SweepEnded(status=status, wall_seconds=time.monotonic() - started))

    def config_of(self, trial: TrialRecord) -> TrialConfig:
        """What a trial was started with."""
        return latest_attempt(self.record, trial)

    # What runs next.

    def _next(self, most: int) -> Work | None:
        queue = self._agenda.queue
        while True:
            round_number = self._agenda.first_round()
            if self._state.is_searching:
                if self._spend_budget():
                    continue
                if self._agenda.may_open(round_number) and not self._study.is_exhausted and self._suggest():
                    continue
                if self._agenda.may_reopen(round_number) and self._configurations.reopen():
                    continue
            if queue or self._confirm():
                return queue.pop(most)
            self._is_through = not self._state.running
            return None

    def _spend_budget(self) -> bool:
        """Whether the search has just ended with things left to run."""
        is_all_open = len(self.record.configurations) >= self._study.planned
        if is_all_open and not self._agenda.queue:
            return False
        is_settled = is_all_open and self._state.race.is_settled
        event = spent_budget(self._spec.budget, self.record, now=time.time(), is_settled=is_settled)
        if event is None:
            return False
        self._log.append(event)
        self._agenda.queue.clear()
        for cid in list(self.record.open_configurations):
            self._configurations.end(cid)
        return True

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
        self._agenda.push_missing(suggestion.configuration_id)
        return True

    def _confirm(self) -> bool:
        """Nothing is left to decide: winner and reference run the seeds that no decision has seen."""
        if self._state.running or not self.record.header.confirmation_seeds:
            return False
        selection = self.select()
        runs = self._state.runs_of(self.record.header.confirmation_seeds)
        for cid in (selection.configuration, selection.reference) if selection else ():
            if cid is not None:
                self._agenda.push_confirmations(cid, runs)
        return bool(self._agenda.queue)

    def _requeue_unfinished(self, past: Sequence[ev.Event]) -> None:
        """Queue what an earlier driver left: trials that have not started, were lost with it, or errored.

        What made them fail may have been mended since. What it had not come to decide is decided now.
        """
        for cid, configuration in list(self.record.configurations.items()):
            self._agenda.push_unconfirmed(cid)
            if configuration.state is None and not configuration.is_out and self._state.is_searching:
                self._agenda.push_missing(cid)
        last = next((event for event in reversed(past) if not isinstance(event, ev.SweepResumed | ev.SweepEnded)), None)
        if isinstance(last, ev.TrialEnded) and not last.retry:
            self._configurations.ask_stock_pruner(self.record.trials[last.trial].configuration_id)
        if self._state.is_looking:
            self._configurations.stop_losers()
        for cid in list(self.record.configurations):
            self._configurations.end(cid)

    # What becomes of a trial.

    def _decide(self, trial: TrialRecord) -> Decision:
        configuration = self.record.configurations[trial.configuration_id]
        if configuration.is_out and configuration.stopped is not None and not self.record.is_confirmation(trial):
            reason = f"its configuration was stopped: {configuration.stopped.reason}"
            return Prune(Outcome.PRUNED_UNDERPERFORMING, configuration.stopped.rule, reason)
        if trial.is_control:
            return Continue()
        level = self._state.facts.level(trial.fold)
        decision = judge(self._spec.pruning.instability, level, self._state.histories[trial.trial_id])
        if isinstance(decision, Continue):
            return decision
        spared = decision.outcome.is_pruned and self._state.in_control_group(trial.trial_id)
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
            self._faults.clear(worker)
        elif not is_lost:
            by_machine = self._faults.add(worker, reason)
        is_over = self.record.configurations[trial.configuration_id].is_out or self.record.budget_spent is not None
        is_worth_it = by_machine or may_retry(trial, cause, self._spec.retries) or self.abort_reason is not None
        retry = outcome is Outcome.ERRORED and is_worth_it and (self.record.is_confirmation(trial) or not is_over)
        self._log.append(
            ev.TrialEnded(
                trial=trial.trial_id,
                attempt=trial.attempt,
                outcome=outcome,
                reason=reason,
                error=error,
                setup_seconds=self._state.setup_seconds.get(trial.trial_id, 0.0),
                worker=worker,
                retry=retry,
                by_machine=by_machine,
                cause=cause if outcome is Outcome.ERRORED else "",
                stopped_early=stopped_early,
            )
        )
        if retry:
            self._agenda.push(next_attempt(self.record, trial), again=True)
            return
        self._configurations.ask_stock_pruner(trial.configuration_id)
        self._configurations.stop_losers()
        self._configurations.end(trial.configuration_id)
