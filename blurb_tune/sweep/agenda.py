"""The trials of a sweep that wait to be run, and in which order they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from blurb_tune.core.trial import Configuration, Outcome, TrialConfig
from blurb_tune.log.record import SweepRecord
from blurb_tune.search.samplers import SAMPLERS
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.sweep.attempts import first_attempt, next_attempt
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.order import place_in_round
from blurb_tune.sweep.queue import WorkQueue

# Reopened configurations are queued in front of all others, the control group behind them, confirmation behind everything.
_REOPENED, _CONTROL, _CONFIRMATION = -1, 1 << 60, 1 << 61


class Agenda:
    """Fills the queue of a sweep.

    The first seeds of all configurations come before the second ones; where the sampler learns from results, open
    configurations are finished before new ones begin.

    queue: what waits. runs: seeds and folds of a whole configuration.
    """

    def __init__(self, spec: SweepSpec, facts: SweepFacts, record: SweepRecord, runs: Sequence[tuple[int, int | None]]):
        self.queue = WorkQueue()
        self._blocks, self._record, self._runs = facts.blocks, record, runs
        self._rounds = {seed: number for number, seed in enumerate(spec.seeds)}
        self._is_guided = SAMPLERS[spec.search.sampler].is_guided

    def first_round(self) -> int:
        """Of what comes next, without what was stopped meanwhile; the control group goes behind all others."""
        while (first := self.queue.first()) is not None:
            (round_number, *_), trial = first
            if round_number == _CONFIRMATION:
                return round_number
            configuration = self._record.configurations[trial.configuration_id]
            is_late = configuration.is_control and 0 <= round_number < _CONTROL
            if not is_late and not configuration.is_out:
                return round_number
            self.queue.pop()
            if is_late:
                self.push(trial)
        return _CONTROL

    def may_open(self, round_number: int) -> bool:
        """Whether a new configuration comes before the trials of this round.

        Where results do not guide the sampler, each configuration gets its first seed before any gets its second.
        """
        return round_number >= (_CONTROL if self._is_guided else 1)

    def may_reopen(self, round_number: int) -> bool:
        """Whether nothing but the control group is left to be run."""
        return round_number >= _CONTROL

    def push(self, trial: TrialConfig, *, again: bool = False) -> None:
        """Queue a trial; `again` for one that errored, which waits each time for a turn of the others: the slot that is free
        failed, and it may be the trial."""
        if trial.seed not in self._rounds:
            self.queue.push((_CONFIRMATION, trial.attempt), trial)
            return
        configuration = self._record.configurations[trial.configuration_id]
        seed_round = self._rounds[trial.seed] + (trial.attempt - 1 if again else 0)
        key: tuple[int, ...]
        if configuration.reopened:
            key = (_REOPENED, seed_round)
        elif configuration.is_control:
            key = (_CONTROL, 0)
        elif self._is_guided:
            key = (configuration.number, len(self._rounds) if again else seed_round)
        else:
            key = (seed_round, self._place(trial.configuration, seed_round), configuration.number)
        self.queue.push(key, trial)

    def push_missing(self, configuration_id: str) -> None:
        """Queue the runs of a configuration that have given no result. None of it may be at work."""
        trials = {(trial.seed, trial.fold): trial for trial in self._record.trials_of(configuration_id)}
        for run in self._runs:
            trial = trials.get(run)
            if trial is None:
                self.push(first_attempt(self._record, configuration_id, *run))
            elif not trial.is_final or trial.outcome in (Outcome.PRUNED_UNDERPERFORMING, Outcome.ERRORED):
                self.push(next_attempt(self._record, trial))

    def push_confirmations(self, configuration_id: str, runs: Iterable[tuple[int, int | None]]) -> None:
        """Queue those of the confirmation runs that have not begun."""
        had = {(trial.seed, trial.fold) for trial in self._record.confirmations_of(configuration_id)}
        for run in runs:
            if run not in had:
                self.push(first_attempt(self._record, configuration_id, *run))

    def push_unconfirmed(self, configuration_id: str) -> None:
        """Queue the confirmation runs that an earlier driver has begun and that have given no result."""
        for trial in self._record.confirmations_of(configuration_id):
            if not trial.is_final or trial.outcome is Outcome.ERRORED:
                self.push(next_attempt(self._record, trial))

    def _place(self, configuration: Configuration, round_number: int) -> int:
        of_model = self._blocks.get(configuration.model, 0)
        return place_in_round(configuration, models=list(self._blocks), blocks=of_model, round_number=round_number)
