"""The trial actor: a Ray Tune trainable that keeps model and data warm from trial to trial.

The one place where exceptions become outcomes.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import traceback
from dataclasses import dataclass
from typing import Any

import torch
from ray import tune
from transformers import PreTrainedModel

from blurb_tune.models.encoder import Pretrained, build_classifier
from blurb_tune.training.fine_tuning import FineTuning, TrainingData, TrainingSettings
from blurb_tune.trial import Outcome, TrialConfig, TrialReport

TRIAL = "trial"
REPORT = "report"


@dataclass(frozen=True)
class TrialEnvironment:
    """What all trials of a sweep share; it goes through Ray's object store once, and its arrays are mapped, not copied."""

    pretrained: Pretrained
    data: TrainingData
    settings: TrainingSettings
    cpus: int
    device: str


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Runs one trial after another in one process; each `step` trains to the next dev evaluation."""

    def setup(self, config: dict[str, Any], environment: TrialEnvironment | None = None) -> None:
        assert environment is not None, "tune.with_parameters hands the environment over"
        self._environment = environment
        self._model: PreTrainedModel | None = None
        self._run: FineTuning | None = None
        self._limit_threads()
        self._begin(config[TRIAL])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._begin(new_config[TRIAL])
        return True

    def step(self) -> dict[str, Any]:
        try:
            if self._run is None:
                self._run = self._fine_tuning()
            report = self._run.advance()
        except Exception as error:
            # Whatever goes wrong in a trial, from a full GPU to a bug, ends this trial and not the sweep.
            report = TrialReport(
                outcome=Outcome.ERRORED, reason=f"{type(error).__name__}: {error}", error=traceback.format_exc()
            )
        if report.outcome is not None:
            self._let_go()
        worker = f"{socket.gethostname()}:{os.getpid()}"
        return {REPORT: dataclasses.replace(report, worker=worker), "done": report.outcome is not None}

    def cleanup(self) -> None:
        self._let_go()
        self._model = None

    def _begin(self, trial: TrialConfig) -> None:
        """Take up a trial; the model is set up in the first step, where a fault can be reported."""
        self._let_go()
        self._trial = trial

    def _fine_tuning(self) -> FineTuning:
        environment = self._environment
        if self._model is None:
            model = build_classifier(environment.pretrained, environment.data.task.outputs)
            self._model = model.to(environment.device)
        return FineTuning(
            self._model,
            environment.pretrained,
            environment.data,
            environment.settings,
            self._trial.configuration,
            self._trial.seed,
        )

    def _let_go(self) -> None:
        """Drop gradients and optimiser state of the trial behind us; a pruned trial ends without a last step."""
        self._run = None
        if self._model is not None:
            self._model.zero_grad(set_to_none=True)
            if self._environment.device == "cuda":
                torch.cuda.empty_cache()

    def _limit_threads(self) -> None:
        torch.set_num_threads(self._environment.cpus)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        if self._environment.device == "cuda":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
