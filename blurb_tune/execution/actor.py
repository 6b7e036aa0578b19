"""What a slot does: it keeps model and data warm from trial to trial. `trainable.TrialActor` is its face for Ray Tune.

The one place where exceptions become outcomes.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import socket
import traceback
from collections import deque
from typing import Any

import ray
import torch
from transformers import PreTrainedModel

from blurb_tune.core.pulse import Pulse
from blurb_tune.core.trial import Cause, Measurement, Outcome, TrialConfig, TrialReport
from blurb_tune.execution.checkpoints import Timer
from blurb_tune.execution.cleanup import weights_name
from blurb_tune.execution.environment import TrialEnvironment
from blurb_tune.execution.halt import HaltWatch, tell_hang
from blurb_tune.execution.messages import REPORT, TrialFailedError
from blurb_tune.execution.nodes import worker_name
from blurb_tune.execution.pulses import PulseSender
from blurb_tune.execution.slot import check_versions, set_up_process
from blurb_tune.execution.trial_log import TrialLog
from blurb_tune.execution.watchdog import Watchdog
from blurb_tune.execution.weights import save_weights
from blurb_tune.training.batch_runner import is_lack_of_memory
from blurb_tune.training.fine_tuning import FineTuning
from blurb_tune.training.training_data import TrainingData

_logger = logging.getLogger(__name__)
_DEVICE_FAULTS = ("CUDA error", "CUDNN_STATUS", "cuDNN error", "CUBLAS_STATUS", "NCCL error", "hipError")


class _HaltedError(Exception):
    """The driver has trials stop; this one has left a checkpoint."""


class Slot:
    """Runs one trial after another in one process; each `step` trains to the next dev evaluation."""

    def __init__(self, environment: TrialEnvironment, trial: TrialConfig):
        self._environment = environment
        self._model: PreTrainedModel | None = None
        self._data: TrainingData | None = None
        self._run: FineTuning | None = None
        self._model_name = ""
        self._fold: int | None = None
        self._prefixes = environment.prefixes()
        self._measured: list[Measurement] = []
        self._past: deque[Measurement] = deque()
        self._resumed_seconds = 0.0
        self._halt = HaltWatch(environment.halt)
        self._pulses = PulseSender(environment.halt, _worker())
        self._timer = Timer(environment.checkpoints.seconds if environment.checkpoints else math.inf)
        self._log = TrialLog(environment.logs)
        self._watchdog = Watchdog(environment.hang_seconds, self._tell_hang)
        set_up_process(environment.cpus, environment.device)
        self.begin(trial)

    def step(self) -> dict[str, Any]:
        self._watchdog.feed()
        try:
            if self._run is None:
                self._run = self._take_up()
            # What an earlier attempt measured is said again, so that the log has this attempt whole.
            report = TrialReport(self._past.popleft()) if self._past else self._advance(self._run)
        except _HaltedError:
            self._run = None
            return {REPORT: TrialReport(worker=_worker()), "done": False}
        except Exception as error:
            # Whatever goes wrong in a trial, from a full GPU to a bug, ends this trial and not the sweep.
            self._run = None
            reason = f"{type(error).__name__}: {error}"
            report = TrialReport(None, Outcome.ERRORED, reason, traceback.format_exc(), _worker(), cause_of(error))
            _logger.error("%s", report.error)
            self._log.flush()
            raise TrialFailedError(report) from None
        finally:
            self._watchdog.rest()
        self._say(report)
        if report.outcome is Outcome.DIVERGED:
            self._run = None
        if report.outcome is not None:
            self._finish_trial()
        elif not self._past:
            self._save_if_due()
        report = dataclasses.replace(report, worker=_worker(), resumed_seconds=self._resumed_seconds)
        return {REPORT: report, "done": report.outcome is not None}

    def cleanup(self) -> None:
        self._log.flush()
        if self._run is not None and not self._past and self._environment.halt is not None and self._environment.halt.is_set():
            self._save(self._run)
            self._run = None
        self._finish_trial()
        self._model = self._data = None

    def begin(self, trial: TrialConfig) -> None:
        """Take up a trial; the model is set up in the first step, where a fault can be reported."""
        self._finish_trial()
        self._trial = trial
        self._log.begin(weights_name(trial.trial_id, trial.attempt))
        label = trial.configuration.strategy.label
        _logger.info("%s, attempt %d on %s: %s", trial.trial_id, trial.attempt, _worker(), label)

    def _take_up(self) -> FineTuning:
        """The trial from its newest checkpoint, or from its beginning."""
        self._timer.restart()
        self._measured, self._past, self._resumed_seconds = [], deque(), 0.0
        run, checkpoints = self._fine_tuning(), self._environment.checkpoints
        if checkpoints is None:
            return run
        try:
            found = checkpoints.newest(self._trial)
        except OSError as error:
            _logger.warning("its checkpoints cannot be read, it starts from scratch: %s", error)
            return run
        if found is not None:
            checkpoint, self._measured = found
            run.resume(checkpoint)
            self._past = deque(self._measured)
            self._resumed_seconds = checkpoint.facts["train_seconds"] + checkpoint.facts["eval_seconds"]
            _logger.info("it goes on from step %d", checkpoint.facts["steps"])
        return run

    def _advance(self, run: FineTuning) -> TrialReport:
        def after_step() -> None:
            self._watchdog.feed()
            self._pulses.send_if_due(self._pulse("training", run))
            if self._halt.is_set():
                self._save(run)
                raise _HaltedError
            self._save_if_due()

        report = run.advance(after_step, lambda: self._pulses.send_if_due(self._pulse("evaluating", run)))
        if report.measurement is not None:
            self._measured.append(report.measurement)
        return report

    def _pulse(self, doing: str, run: FineTuning | None = None) -> Pulse:
        return Pulse(self._trial.trial_id, self._trial.attempt, doing, *(run.steps if run else ()))

    def _say(self, report: TrialReport) -> None:
        of = report.measurement
        if of is not None:
            scores = f"dev {of.dev_score:.4f}, dev loss {of.dev_loss:.4g}, train loss {of.train_loss:.4g}"
            _logger.info("step %d, epoch %.2f: %s, %.1f s of training", of.step, of.epoch, scores, of.train_seconds)
        if report.outcome is not None:
            _logger.info("%s", ": ".join(filter(None, (report.outcome, report.reason))))
            self._log.flush()
        self._log.flush_if_due()

    def _tell_hang(self) -> None:
        if self._environment.halt is not None:
            tell_hang(self._environment.halt, self._trial.trial_id, self._trial.attempt)
        self._log.flush()  # to the sweep's storage, which may be what hangs

    def _save_if_due(self) -> None:
        if self._run is not None and self._timer.is_due:
            self._save(self._run)

    def _save(self, run: FineTuning) -> None:
        checkpoints = self._environment.checkpoints
        if checkpoints is not None:
            try:
                checkpoints.save(self._trial, run.checkpoint(), self._measured)
            except OSError as error:
                # The trial goes on; where it is lost, it begins at an earlier one.
                _logger.warning("a checkpoint cannot be kept: %s", error)
        self._timer.restart()

    def _fine_tuning(self) -> FineTuning:
        trial, environment = self._trial, self._environment
        check_versions(environment.versions)
        model, fold = trial.configuration.model, trial.fold
        if self._model is None or model != self._model_name:
            self._pulses.send(self._pulse("loading the model"))
            # The old model goes before the new one comes: a GPU may not have room for both.
            self._model = self._data = None
            self._model, self._model_name = environment.classifier(model), model
        if self._data is None or fold != self._fold:
            self._data = None
            self._data, self._fold = environment.models[model].fold(fold), fold
        return environment.fine_tuning(self._model, self._data, trial, self._prefixes)

    def _finish_trial(self) -> None:
        """Save the previous trial's weights, also of one that was stopped, and free its gradients and optimizer state."""
        if self._run is not None and self._environment.weights is not None:
            try:
                name = weights_name(self._trial.trial_id, self._trial.attempt)
                save_weights(self._environment.weights, name, self._run.weights())
            except OSError as error:
                # The trial's result stands without its weights; the final test can train it again.
                _logger.warning("its weights cannot be kept: %s", error)
        self._run = None
        self._past.clear()
        if self._model is not None:
            self._model.zero_grad(set_to_none=True)
            if self._environment.device == "cuda":
                torch.cuda.empty_cache()


def cause_of(error: BaseException) -> Cause:
    """Whether the same would happen again, anywhere."""
    if is_lack_of_memory(error):
        return Cause.MEMORY
    is_device = isinstance(error, torch.AcceleratorError) or any(words in str(error) for words in _DEVICE_FAULTS)
    return Cause.MACHINE if is_device or isinstance(error, OSError) else Cause.CODE


def _worker() -> str:
    return worker_name(socket.gethostname(), ray.get_runtime_context().get_node_id(), os.getpid())
