"""The sweep as Ray Tune's components: a searcher that hands out trials, a scheduler that stops them, a stopper.

All three talk to one `Sweep`. (Ray's own OptunaSearch hard-codes Optuna's NopPruner and reports stopped trials as COMPLETE.)
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle, tune
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from blurb_tune.core.pulse import Onlooker
from blurb_tune.core.trial import Cause, Outcome, Prune, TrialConfig, TrialReport
from blurb_tune.execution.halt import Halt, has_hung
from blurb_tune.execution.messages import REPORT, TRIAL, TrialFailedError
from blurb_tune.execution.nodes import ids_of, worker_of
from blurb_tune.execution.shares import SlotShare
from blurb_tune.sweep.sweep import Sweep

AVOIDED = "avoided"
_SECONDS_OF_A_WAIT = 10.0
_logger = logging.getLogger(__name__)


class _NotInSnapshots:
    """Tune pickles its parts into a snapshot of the experiment; nothing is restored from it, the event log is the state."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class SweepSearcher(_NotInSnapshots, Searcher):  # type: ignore[misc]
    """Asks the sweep for the next trial, and tells it of each trial's last report."""

    def __init__(self, sweep: Sweep, share: SlotShare, needs: Mapping[str, float]):
        super().__init__(metric=REPORT, mode="max")
        self._sweep, self._share, self._needs = sweep, share, needs
        self._left_out: frozenset[str] = frozenset()
        self._trials: dict[str, TrialConfig] = {}
        self.is_held_back = False

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        self._share.request_slots(len(self._trials) + self._sweep.waiting)
        self.is_held_back = len(self._trials) >= self._share.slots and not self._sweep.is_finished
        if self.is_held_back:
            return None  # the slot is for another sweep
        work = self._sweep.next_work()
        if work is not None:
            (trial,) = work.trials  # the actor trains one replicate at a time
            self._trials[trial_id] = trial
            return {TRIAL: trial, AVOIDED: self._nodes_to_avoid()}
        return Searcher.FINISHED if self._sweep.is_finished else None

    def _nodes_to_avoid(self) -> tuple[str, ...]:
        left_out = self._sweep.left_out
        for node in left_out - self._left_out:
            _logger.warning("%s gets no more trials: they erred there, and do well elsewhere", node)
        self._left_out = left_out
        return ids_of(left_out, self._needs)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: the scheduler has reported the measurement."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._trials.pop(trial_id)
        report = (result or {}).get(REPORT)
        if isinstance(report, TrialReport) and report.outcome is not None and not error:
            self._sweep.report(trial.trial_id, report)

    def save(self, checkpoint_path: str) -> None:
        """Nothing, for the same reason."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, for the same reason."""


class SweepScheduler(_NotInSnapshots, FIFOScheduler):  # type: ignore[misc]
    """Passes each measurement to the sweep and stops the trial when the sweep says so."""

    def __init__(self, sweep: Sweep, searcher: SweepSearcher, halt: Halt, onlooker: Onlooker):
        super().__init__()
        self._sweep, self._searcher, self._halt, self._onlooker = sweep, searcher, halt, onlooker
        self._waits_since: float | None = None
        self._told = ""

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        # Tune keeps one warm process for a trial to come; one that is held back would keep its slot from other sweeps.
        tune_controller._actor_cache._may_keep_one = not self._searcher.is_held_back
        self._look_for_waiting(tune_controller)
        return super().choose_trial_to_run(tune_controller)

    def _look_for_waiting(self, tune_controller: TuneController) -> None:
        """Say which resource is missing, once trials have waited for a while, and when none does any more."""
        # A trial whose process only starts up is pending too, but its resources are there.
        waiting = len(tune_controller._actor_manager._resource_manager.get_resource_futures())
        now = time.monotonic()
        self._waits_since = (self._waits_since or now) if waiting else None
        is_long = self._waits_since is not None and now - self._waits_since > _SECONDS_OF_A_WAIT
        told = f"{waiting} trial{'s' if waiting > 1 else ''}" if is_long else ""
        if told != self._told:
            self._told = told
            verb = "waits" if waiting == 1 else "wait"
            self._onlooker.on_waiting(f"{told} {verb} for {_missing()}" if told else "")

    def on_trial_result(self, tune_controller: object, trial: Trial, result: dict[str, Any]) -> str:
        decision = self._sweep.report(trial.config[TRIAL].trial_id, result[REPORT])
        return str(TrialScheduler.STOP if isinstance(decision, Prune) else TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: object, trial: Trial) -> None:
        trial_id, error = trial.config[TRIAL].trial_id, _error_of(trial)
        cause = getattr(error, "cause", error)
        if isinstance(cause, TrialFailedError):
            self._sweep.report(trial_id, cause.report)
        elif isinstance(error, RayActorError) and error.actor_init_failed:
            reason = "the trial's process cannot be set up"
            report = TrialReport(outcome=Outcome.ERRORED, reason=reason, error=str(error), worker=worker_of(error))
            self._sweep.report(trial_id, report)
        elif isinstance(error, OutOfMemoryError):
            reason = "the node ran out of memory, and Ray ended the trial's process"
            self._sweep.report(trial_id, _error_report(reason, error, Cause.MEMORY))
        elif has_hung(self._halt, trial_id, trial.config[TRIAL].attempt):
            self._sweep.report(trial_id, _error_report("the trial did no step for too long", error, Cause.HANG))
        else:
            self._sweep.report_lost(trial_id, str(error or ""))


def _missing() -> str:
    """What of the cluster is taken."""
    total, free = ray.cluster_resources(), ray.available_resources()
    parts = [f"{kind} ({free.get(kind, 0):g} of {total[kind]:g} free)" for kind in ("CPU", "GPU") if total.get(kind)]
    return " or ".join(parts) or "a node"


def _error_report(reason: str, error: Exception | None, cause: Cause) -> TrialReport:
    return TrialReport(outcome=Outcome.ERRORED, reason=reason, error=str(error or ""), cause=cause)


def _error_of(trial: Trial) -> Exception | None:
    """What ended a trial's process; Tune has just written it to the experiment's scratch folder."""
    if trial.pickled_error_file is None:
        return None
    with Path(trial.pickled_error_file).open("rb") as file:
        error: Exception = cloudpickle.load(file)
        return error


class InterruptStopper(_NotInSnapshots, tune.Stopper):  # type: ignore[misc]
    """Ends the experiment once the event is set, or the sweep has a reason to abort."""

    def __init__(self, sweep: Sweep, interrupted: threading.Event, halt: Halt):
        self._sweep, self._interrupted, self._halt = sweep, interrupted, halt
        self._is_over = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        if not self._is_over and (self._interrupted.is_set() or self._sweep.abort_reason is not None):
            self._is_over = True
            self._halt.set()  # trials at work leave a checkpoint
        return self._is_over


class NoProgress(tune.ProgressReporter):  # type: ignore[misc]
    """Shows nothing; the sweep's own view does."""

    def should_report(self, trials: list[Trial], done: bool = False) -> bool:
        return False

    def report(self, trials: list[Trial], done: bool, *sys_info: str) -> None:
        """Nothing."""
