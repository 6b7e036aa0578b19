"""What becomes of configurations: which are stopped, reopened and through, and which one wins."""

from __future__ import annotations

from collections.abc import Set

from blurb_tune.core.trial import Prune
from blurb_tune.log import events as ev
from blurb_tune.log.trial_record import ConfigurationRecord
from blurb_tune.results.groups import GroupResult, best_of, why_no_result
from blurb_tune.sweep.agenda import Agenda
from blurb_tune.sweep.protocols import Log
from blurb_tune.sweep.race import FAILURES, Verdict
from blurb_tune.sweep.state import SweepState


class ConfigurationDecisions:
    """Decides on whole configurations, by what the state of the sweep says, and has each decision in the log."""

    def __init__(self, state: SweepState, agenda: Agenda, log: Log):
        self._state, self._agenda, self._log = state, agenda, log
        self._record = state.record

    def ask_stock_pruner(self, configuration_id: str) -> None:
        """Stop a configuration if the stock pruner of the spec, where there is one, says so."""
        if not self._state.is_judged(configuration_id) or not self._agenda.queue.has(configuration_id):
            return
        decision = self._state.pruning.judge(configuration_id)
        if isinstance(decision, Prune):
            seeds = self._state.complete_seeds(configuration_id)
            self._stop(Verdict(configuration_id, decision.rule, decision.reason, seeds))

    def stop_losers(self) -> None:
        """Stop the configurations that have lost by now."""
        for verdict in self._state.race.verdicts():
            configuration = self._record.configurations[verdict.configuration]
            if verdict.configuration in self._state.references:
                continue
            if not configuration.is_out and not configuration.is_control:
                self._stop(verdict)

    def fit_to_larger_plan(self) -> None:
        """Take back the stops that the larger plan would not have made, and make those that it would have."""
        for configuration in self._by_number(self._state.taken_back):
            cid, stopped = configuration.configuration_id, configuration.stopped
            after = f" after {stopped.replicates}" if stopped else ""
            reason = f"in a plan of {len(self._state.spec.seeds)} seeds it had not lost{after}"
            self._log.append(ev.ConfigurationReopened(configuration=cid, reason=reason))
        for verdict in list(self._state.made_up.values()):
            self._stop(verdict)

    def reopen(self) -> bool:
        """Nothing is left but the control group: whatever was stopped and may stand above the best so far runs on after all.

        The race tests equal distributions, and so can stop a safe configuration beside a leader that is better when it learns;
        and who had no failed run after three seeds may have some after ten. So does the vanilla configuration that the winner
        is compared with: three seeds of it are too few for a claim.
        """
        state, record = self._state, self._record
        if state.running:
            return False
        results = [r for r in record.by_configuration() if not record.configurations[r.name].is_out and r.n]
        whole = record.header.replicates
        best = best_of([r for r in results if r.n == whole] or results, whole)
        chosen = [configuration for configuration in self._by_number(state.out) if self._may_win(configuration, best)]
        reference = self._unfinished_reference(best, {configuration.configuration_id for configuration in chosen})
        if best is not None and best.n == whole:  # which only a better one can replace
            state.out.clear()
        for configuration in chosen:
            result = record.result_of(configuration.configuration_id)
            beside = f", beside {best.objective:.4f} of {best.name} with {best.failed} failed" if best else ""
            reason = f"objective {result.objective:.4f} of {result.n} runs, {result.failed} failed{beside}"
            self._reopen(configuration.configuration_id, reason)
        if reference is not None:
            self._reopen(reference, "the winner is compared with it", is_reference=True)
        return bool(chosen) or reference is not None

    def end(self, configuration_id: str) -> None:
        """Say that a configuration has ended, once nothing of it runs or waits."""
        configuration = self._record.configurations[configuration_id]
        is_waiting = self._agenda.queue.has(configuration_id) and not configuration.is_out
        if configuration.state is not None or is_waiting or configuration_id in self._state.running:
            return
        result = self._record.result_of(configuration_id)
        is_whole = sum(t.is_final for t in self._record.trials_of(configuration_id)) >= len(self._state.runs)
        if configuration.is_out:
            state = "STOPPED"
        elif is_whole:
            state = "COMPLETE" if result.n else "FAIL"
        elif self._record.budget_spent is not None:
            state = "INCOMPLETE"
        else:
            return
        self._log.append(
            ev.ConfigurationEnded(
                configuration=configuration_id, state=state, value=result.objective, failed_share=result.failed_share
            )
        )

    def select(self) -> ev.SelectionMade | None:
        """Name the winner and its reference, once all trials are through; None where there is no winner."""
        record = self._record
        best = record.best_configuration()
        if record.selection is None and record.no_result is None:
            reason = why_no_result(best)
            if reason is not None:
                self._log.append(ev.NoResultFound(reason=reason))
        if record.selection is None and record.no_result is None and best is not None:
            reference = self._reference_of(best)
            name = reference.name if reference and reference.name != best.name else None
            self._log.append(ev.SelectionMade(configuration=best.name, reference=name))
        return record.selection

    def _by_number(self, configuration_ids: Set[str]) -> list[ConfigurationRecord]:
        """In the order in which they were suggested."""
        return sorted((self._record.configurations[cid] for cid in configuration_ids), key=lambda c: c.number)

    def _stop(self, verdict: Verdict) -> None:
        cid = verdict.configuration
        self._log.append(
            ev.ConfigurationStopped(
                configuration=cid,
                rule=verdict.rule,
                reason=verdict.reason,
                replicates=verdict.replicates,
                spared=self._state.in_control_group(cid),
            )
        )
        self.end(cid)

    def _reopen(self, configuration_id: str, reason: str, *, is_reference: bool = False) -> None:
        self._log.append(ev.ConfigurationReopened(configuration=configuration_id, reason=reason, is_reference=is_reference))
        self._agenda.push_missing(configuration_id)
        self.end(configuration_id)

    def _reference_of(self, best: GroupResult) -> GroupResult | None:
        """The best vanilla configuration of the same model."""
        return self._record.references().get(self._record.configurations[best.name].configuration.model)

    def _unfinished_reference(self, best: GroupResult | None, chosen: Set[str]) -> str | None:
        """The best vanilla configuration of the leader's model, where all of that model are out.

        None where fresh seeds are planned, by which the two are compared.
        """
        spec = self._state.spec
        is_wanted = spec.pruning.keep_vanilla and not spec.confirm
        if best is None or best.n < self._record.header.replicates or not is_wanted:
            return None
        reference = self._reference_of(best)
        taken = self._state.references | chosen
        if reference is None or reference.name in taken or not self._record.is_censored(reference.name):
            return None
        return reference.name

    def _may_win(self, configuration: ConfigurationRecord, best: GroupResult | None) -> bool:
        """Whether a stopped configuration may still stand above the best whole one, by failed runs and then the objective.

        What was stopped by its failures was so beside others that had fewer, and its objective was not looked at.
        """
        result, stopped = self._record.result_of(configuration.configuration_id), configuration.stopped
        if best is None or not result.n:
            return best is None
        excess = max(0.0, result.failed / len(self._state.runs) - self._state.spec.max_failed_share)
        is_above = result.objective > best.objective or (stopped is not None and stopped.rule == FAILURES)
        return excess < best.excess or (excess == best.excess and is_above)
