"""The driver's mind: what runs next, what a measurement means, when a configuration is through. Knows nothing of Ray.

It is the only place where events are made. Each fact is in the log before study, pruners or anyone else act on it, and a
`Sweep` that is given the events of an earlier driver goes on where that one stopped.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blurb_tune.core.seeds import derive_share
from blurb_tune.core.steps import total_steps
from blurb_tune.core.trial import Continue, Decision, Outcome, Prune, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog
from blurb_tune.log.record import SweepRecord, TrialRecord
from blurb_tune.search.study import ConfigurationStudy
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.stats.stability import aggregate
from blurb_tune.stopping.pruning import TrialPruning


@dataclass(frozen=True)
class SweepFacts:
    """What the driver must know of model and data.

    blocks: encoder blocks by model. train_examples: size of the training set, of each fold's in a cross-validation.
    trivial_loss and trivial_score: the trivial predictor's train loss and dev score. folds: 0 without cross-validation.
    """

    blocks: Mapping[str, int]
    train_examples: Sequence[int]
    trivial_loss: float
    trivial_score: float
    folds: int = 0


class Sweep:
    """Hands out trials, takes their reports, and decides.

    trouble: why no more trials are started, though there are some; None as long as all is well.
    """

    def __init__(self, spec: SweepSpec, facts: SweepFacts, log: EventLog, past: Sequence[ev.Event]):
        self._spec, self._facts, self._log = spec, facts, log
        self.record = SweepRecord.of(past[:1])
        self._study = ConfigurationStudy(spec, facts.blocks, study_name=self.record.header.sweep_id)
        self._pruning = TrialPruning(spec.pruning, trivial_loss=facts.trivial_loss, trivial_score=facts.trivial_score)
        folds = range(facts.folds) if facts.folds else (None,)
        self._runs = [(seed, fold) for seed in spec.seeds for fold in folds]
        self._queue: deque[TrialConfig] = deque()
        self._running: set[str] = set()
        self._decisions: dict[str, Decision] = {}
        self._setup_seconds: dict[str, float] = {}
        self._errors_in_a_row = 0
        self.trouble: str | None = None
        for event in past[1:]:
            self._follow(event)
        self._running.clear()
        log.subscribe(self._follow)
        self._pick_up()

    @property
    def planned_trials(self) -> int:
        return self._study.planned * len(self._runs)

    @property
    def is_finished(self) -> bool:
        """Nothing runs and nothing is left to run, as far as `next_trial` has looked."""
        return self._study.is_exhausted and not self._queue and not self._running

    def next_trial(self) -> TrialConfig | None:
        """Start a trial, or None while there is none to start."""
        if not self._queue and self.trouble is None:
            self._suggest()
        if not self._queue or self.trouble is not None:
            return None
        trial = self._queue.popleft()
        self._log.append(
            ev.TrialStarted(
                trial=trial.trial_id,
                configuration=trial.configuration_id,
                seed=trial.seed,
                attempt=trial.attempt,
                fold=trial.fold,
            )
        )
        return trial

    def report(self, trial_id: str, report: TrialReport) -> Decision:
        """Take what an actor says of a trial, and say whether the trial goes on."""
        trial = self.record.trials[trial_id]
        if not trial.is_running:
            return Continue()
        decision: Decision = Continue()
        if report.measurement is not None:
            self._log.append(ev.Measured(trial=trial_id, measurement=report.measurement))
            if report.outcome is None:
                decision = self._decide(trial)
        if report.outcome is not None:
            self._end(trial, report.outcome, report.reason, report.error, report.worker)
        elif isinstance(decision, Prune):
            self._end(trial, decision.outcome, decision.reason, worker=report.worker)
        return decision

    def lost(self, trial_id: str, error: str) -> None:
        """A trial's actor died or could not be reached."""
        trial = self.record.trials[trial_id]
        if trial.is_running:
            self._end(trial, Outcome.ERRORED, "the trial's process was lost", error)

    def select(self) -> ev.SelectionMade | None:
        """Name the winner and its reference, once all trials are through; None where nothing has a result."""
        best = self.record.best_configuration()
        if self.record.selection is None and best is not None:
            reference = self.record.references().get(self.record.configurations[best.name].configuration.model)
            name = reference.name if reference and reference.name != best.name else None
            self._log.append(ev.SelectionMade(configuration=best.name, reference=name))
        return self.record.selection

    def tested(self, event: ev.Tested) -> None:
        """Take the result of a trial's model on the test split."""
        self._log.append(event)

    def close(self, *, interrupted: bool, started: float) -> None:
        """Write down how this driver's work ended; `started` is its time.monotonic() at the beginning."""
        status = "interrupted" if interrupted else "finished"
        self._log.append(ev.SweepEnded(status=status, wall_seconds=time.monotonic() - started))

    def _follow(self, event: ev.Event) -> None:
        """What study and pruners make of an event, whether it happens now or is read from the log."""
        self.record.apply(event)
        match event:
            case ev.ConfigurationSuggested() if not self._study.knows(event.configuration):
                self._study.replay(event.parameters)
            case ev.TrialStarted():
                self._running.add(event.trial)
                strategy = self.record.configurations[event.configuration].configuration.strategy
                self._pruning.start(event.trial, is_vanilla=strategy.is_vanilla)
            case ev.Measured():
                trial = self.record.trials[event.trial]
                if len(trial.measurements) == 1:
                    self._setup_seconds[event.trial] = event.time - trial.started - trial.train_seconds
                progress = event.measurement.step / self._steps_of(event.trial)
                self._decisions[event.trial] = self._pruning.judge(event.trial, event.measurement, progress)
            case ev.TrialEnded():
                self._running.discard(event.trial)
                self._decisions.pop(event.trial, None)
                self._setup_seconds.pop(event.trial, None)
                self._pruning.end(event.trial, Outcome(event.outcome))
                if not event.retry:
                    self._report_standing(self.record.trials[event.trial].configuration_id)
            case ev.ConfigurationEnded():
                self._study.tell(event.configuration, event.state, event.value, event.failed_share)

    def _report_standing(self, configuration_id: str) -> None:
        """How a configuration stands so far, for a sampler that must make do with it if it is pruned."""
        ended = [trial for trial in self.record.trials_of(configuration_id) if trial.is_final]
        scores = [self._facts.trivial_score if math.isnan(s) else s for t in ended if (s := self._standing(t)) is not None]
        if scores:
            self._study.report(configuration_id, len(ended), aggregate(self._spec.objective, scores))

    def _standing(self, trial: TrialRecord) -> float | None:
        """A trial's score, for a dominated trial the last it had."""
        return trial.final_score if trial.outcome is Outcome.PRUNED_DOMINATED else self.record.score(trial)

    def _pick_up(self) -> None:
        """Queue what an earlier driver left: trials that have not started, were lost with it, or errored.

        What made them fail may have been mended since.
        """
        for configuration in list(self.record.configurations.values()):
            if configuration.state is not None:
                continue
            cid = configuration.configuration_id
            trials = {(trial.seed, trial.fold): trial for trial in self.record.trials_of(cid)}
            for run in self._runs:
                trial = trials.get(run)
                if trial is None or not trial.is_final or trial.outcome is Outcome.ERRORED:
                    self._queue.append(self._trial(cid, *run, attempt=trial.attempt + 1 if trial else 1))
            self._end_configuration(cid)

    def _steps_of(self, trial_id: str) -> int:
        trial = self.record.trials[trial_id]
        configuration = self.record.configurations[trial.configuration_id].configuration
        return total_steps(self._facts.train_examples[trial.fold or 0], configuration)

    def _decide(self, trial: TrialRecord) -> Decision:
        decision = self._decisions[trial.trial_id]
        if isinstance(decision, Continue) or trial.is_control:
            return Continue()
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

    def _is_control(self, trial_id: str) -> bool:
        return derive_share(self._spec.search.seed, "control", trial_id) < self._spec.pruning.control_share

    def _end(self, trial: TrialRecord, outcome: Outcome, reason: str, error: str = "", worker: str = "") -> None:
        is_error = outcome is Outcome.ERRORED
        self._errors_in_a_row = self._errors_in_a_row + 1 if is_error else 0
        if self._errors_in_a_row == self._spec.stop_after_errors:
            where = worker or "a process that was lost"
            self.trouble = (
                f"the sweep stopped, since {self._errors_in_a_row} trials in a row errored, the last one on {where}: {reason}"
            )
        retry = is_error and (trial.errors < self._spec.retries or self.trouble is not None)
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
            )
        )
        if retry:
            again = self._trial(trial.configuration_id, trial.seed, trial.fold, attempt=trial.attempt + 1)
            self._queue.append(again)  # at the end: the slot that is free now is the one that failed
        else:
            self._end_configuration(trial.configuration_id)

    def _end_configuration(self, configuration_id: str) -> None:
        trials = self.record.trials_of(configuration_id)
        is_queued = any(trial.configuration_id == configuration_id for trial in self._queue)
        if is_queued or sum(trial.is_final for trial in trials) < len(self._runs):
            return
        result = self.record.group(configuration_id, trials)
        pruned = result.pruned_unstable + result.dominated
        state = "PRUNED" if pruned else "COMPLETE" if result.n else "FAIL"
        self._log.append(
            ev.ConfigurationEnded(
                configuration=configuration_id, state=state, value=result.objective, failed_share=result.failed_share
            )
        )

    def _suggest(self) -> None:
        suggestion = self._study.ask()
        if suggestion is None:
            return
        self._log.append(
            ev.ConfigurationSuggested(
                configuration=suggestion.configuration_id,
                parameters=suggestion.parameters,
                values=suggestion.configuration.values(),
            )
        )
        self._queue.extend(self._trial(suggestion.configuration_id, *run, attempt=1) for run in self._runs)

    def config_of(self, trial: TrialRecord) -> TrialConfig:
        """What a trial was started with."""
        return self._trial(trial.configuration_id, trial.seed, trial.fold, attempt=trial.attempt)

    def _trial(self, configuration_id: str, seed: int, fold: int | None, *, attempt: int) -> TrialConfig:
        configuration = self.record.configurations[configuration_id].configuration
        trial_id = f"{configuration_id}-s{seed}" + ("" if fold is None else f"-f{fold}")
        return TrialConfig(trial_id, configuration_id, configuration, seed, attempt, fold)
