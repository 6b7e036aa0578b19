"""One trial's fine-tuning, from one dev evaluation to the next."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import numpy as np
import torch
from transformers import PreTrainedModel

from blurb_tune.core.seeds import streams
from blurb_tune.core.steps import total_steps
from blurb_tune.core.trial import Configuration, Measurement, Outcome, TrialReport
from blurb_tune.models.encoder import Pretrained
from blurb_tune.models.vocabulary import Vocabulary
from blurb_tune.tasks.scoring.metrics import Evaluation, evaluate
from blurb_tune.training.batch_runner import BatchRunner
from blurb_tune.training.batching import epoch_batches
from blurb_tune.training.checkpoint import Checkpoint
from blurb_tune.training.endings import judge_end, why_stop_early
from blurb_tune.training.engines.graphs import Graphs
from blurb_tune.training.engines.prefix import Prefixes
from blurb_tune.training.engines.states import States
from blurb_tune.training.optimizer import Schedule, ScheduledAdamW
from blurb_tune.training.parameter_groups import frozen_depth, parameter_groups
from blurb_tune.training.preparation import prepare
from blurb_tune.training.random_state import RandomState
from blurb_tune.training.training_data import TrainingData
from blurb_tune.training.training_settings import TrainingSettings

Weights = dict[str, torch.Tensor]

# A loss is checked in every step on a CPU; on a GPU each check would wait for the kernels in flight.
_GPU_CHECK_INTERVAL = 16


class FineTuning:
    """Trains a model under one configuration and seed; `advance` goes on to the next evaluation.

    The model is borrowed: its weights are set to the pretrained ones first, so nothing of an earlier trial remains. Head and
    re-initialization, data order and dropout each draw from a generator of their own, derived from the seed, so the numbers
    depend on configuration, seed and machine alone, not on what ran before or runs beside it in the process.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        pretrained: Pretrained,
        data: TrainingData,
        settings: TrainingSettings,
        configuration: Configuration,
        seed: int,
        prefixes: Prefixes | None = None,
        vocabulary: Vocabulary | None = None,
    ):
        self._model, self._data, self._settings = model, data, settings
        of_initialization, self._seed = streams(seed, settings.crossed)
        self._configuration = configuration
        self._device = next(model.parameters()).device
        self._random = RandomState(self._seed, self._device)
        self._total_steps = total_steps(len(data.train), configuration)
        self._steps_per_epoch = self._total_steps // configuration.epochs
        self._train_seconds = self._eval_seconds = 0.0

        self._treatment, self._layers = prepare(
            model,
            pretrained,
            configuration,
            data.task.kind,
            init_seed=of_initialization,
            seed=self._seed,
            steps=self._total_steps,
            steps_per_epoch=self._steps_per_epoch,
        )
        self._frozen_depth = 0 if settings.frozen_dropout else frozen_depth(self._layers, self._treatment)
        learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._runner = BatchRunner(
            model,
            data.task,
            data.pad_token_id,
            precision=settings.precision,
            micro_batch_size=settings.micro_batch_size or configuration.batch_size,
            eval_batch_size=settings.eval_batch_size,
            frozen_depth=self._frozen_depth,
            masks=self._random.masks,
            treatment=self._treatment,
            label_smoothing=configuration.label_smoothing_factor,
            graphs=Graphs(learning) if settings.cuda_graphs and self._device.type == "cuda" else None,
        )
        self._optimizer = ScheduledAdamW(
            parameter_groups(model, self._layers, self._treatment, configuration),
            Schedule(self._total_steps, configuration.warmup_share, configuration.lr_scheduler_type),
            bias_correction=configuration.bias_correction,
            betas=(configuration.adam_beta1, configuration.adam_beta2),
            epsilon=configuration.adam_epsilon,
            watched=None if vocabulary is None else model.get_parameter(vocabulary.parameter),
        )
        self._parameters = self._optimizer.parameters
        self._names: dict[torch.Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
        self._batches = _all_batches(data.train.lengths, configuration, self._seed)
        self._prefixes, self._vocabulary = prefixes, vocabulary
        self._below: tuple[States | None, States | None] | None = None
        self._started: float | None = None
        self._window: list[torch.Tensor] = []
        self._norms: list[torch.Tensor] = []
        self._scores: list[float] = []
        self._best: Measurement | None = None
        self._best_weights, self._best_shrinkage = Weights(), 1.0

    @property
    def steps(self) -> tuple[int, int]:
        """Optimizer steps so far, and in all."""
        return self._optimizer.steps, self._total_steps

    def weights(self) -> Weights:
        """All weights of the trial's model as it stands, or as it stood at its best, by name, on the CPU; rows of all tokens.

        They may be the model's own, which the next trial overwrites.
        """
        weights = self._treatment.export(self._best_weights or _weights_of(self._model))
        if self._vocabulary is None:
            return weights
        shrinkage = self._best_shrinkage if self._best_weights else self._optimizer.shrinkage
        return self._vocabulary.with_all_rows(weights, shrinkage)

    def checkpoint(self) -> Checkpoint:
        """All that the next step depends on: a trial that is `resume`d from it gives the same numbers, bit for bit.

        To be called between two steps. The tensors are copies where training goes on on the CPU.
        """
        learned = {self._names[parameter]: parameter for parameter in self._parameters}
        tensors = {f"weights/{name}": _copy_to_cpu(parameter) for name, parameter in learned.items()}
        tensors |= {f"adam/{name}": value.clone() for name, value in self._optimizer.state(self._names).items()}
        tensors |= {f"best/{name}": weights for name, weights in self._best_weights.items()}
        tensors |= {f"technique/{name}": value.clone() for name, value in self._treatment.state().items()}
        tensors |= self._random.state()
        if self._window:
            tensors |= {"losses": torch.stack(self._window).cpu(), "norms": torch.stack(self._norms).cpu()}
        return Checkpoint(
            tensors,
            {
                "steps": self._optimizer.steps,
                "train_seconds": self._train_seconds + (0.0 if self._started is None else time.perf_counter() - self._started),
                "eval_seconds": self._eval_seconds,
                "micro_batch_size": self._runner.micro_batch_size,
                "eval_batch_size": self._runner.eval_batch_size,
                "has_halved": self._runner.oom_fallback_used,
                "scores": list(self._scores),
                "best": asdict(self._best) if self._best else None,
                "shrinkage": [self._optimizer.shrinkage, self._best_shrinkage],
            },
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on where the checkpoint was taken. To be called before the first step.

        Raises KeyError or RuntimeError where it is of another model or strategy; the trial has to start from scratch then.
        """
        parts: dict[str, Weights] = {"weights": {}, "adam": {}, "best": {}, "technique": {}}
        for key, tensor in checkpoint.tensors.items():
            part, _, name = key.partition("/")
            if name:
                parts[part][name] = tensor
        with torch.no_grad():
            for parameter in self._parameters:
                parameter.copy_(parts["weights"][self._names[parameter]])
        facts = checkpoint.facts
        self._optimizer.load(facts["steps"], parts["adam"], self._names)
        self._optimizer.shrinkage, self._best_shrinkage = facts["shrinkage"]
        self._treatment.load(parts["technique"])
        self._batches = itertools.islice(self._batches, facts["steps"], None)
        self._random.load(checkpoint.tensors)
        if "losses" in checkpoint.tensors:
            self._window = list(checkpoint.tensors["losses"].to(self._device))
            self._norms = list(checkpoint.tensors["norms"].to(self._device))
        self._train_seconds, self._eval_seconds = facts["train_seconds"], facts["eval_seconds"]
        for name in ("micro_batch_size", "eval_batch_size"):  # either may have been halved since
            setattr(self._runner, name, min(getattr(self._runner, name), facts[name]))
        self._runner.oom_fallback_used = facts["has_halved"]
        self._scores = list(facts["scores"])
        self._best = Measurement(**facts["best"]) if facts["best"] else None
        self._best_weights = parts["best"]

    def advance(
        self, after_step: Callable[[], None] = lambda: None, before_evaluation: Callable[[], None] = lambda: None
    ) -> TrialReport:
        """Train to the next evaluation and evaluate on dev; the report of the last one says how the trial ended.

        `after_step` is called behind every step but the last before an evaluation; a `checkpoint` may be taken there.
        """
        with self._random.lent_to(self._model):
            self._started = time.perf_counter()
            is_finite = self._train_to_evaluation(after_step)
            trained = time.perf_counter()
            self._train_seconds += trained - self._started
            self._started = None
            before_evaluation()
            evaluation = self._evaluate() if is_finite else None
            self._eval_seconds += time.perf_counter() - trained
        measurement = self._measurement(evaluation)
        self._window, self._norms = [], []
        self._scores.append(measurement.dev_score)
        self._remember_best(measurement)
        if evaluation is None:
            return TrialReport(measurement, Outcome.DIVERGED, f"the train loss is not finite at step {measurement.step}")
        stopped = why_stop_early(self._settings, self._scores, *self.steps)
        if self._optimizer.steps < self._total_steps and stopped is None:
            return TrialReport(measurement)
        if not math.isfinite(evaluation.loss):
            return TrialReport(measurement, Outcome.DIVERGED, f"the dev loss is not finite at step {measurement.step}")
        report = judge_end(self._settings, self._data.trivial.level(self._settings.metric), measurement, self._best)
        if stopped is None:
            return report
        return replace(report, stopped_early=True, reason="; ".join(filter(None, (stopped, report.reason))))

    def _remember_best(self, measurement: Measurement) -> None:
        score = measurement.dev_score
        if math.isnan(score) or (self._best is not None and score <= self._best.dev_score):
            return
        self._best = measurement
        if self._settings.select_best_checkpoint:
            self._best_weights, self._best_shrinkage = _weights_of(self._model, copy=True), self._optimizer.shrinkage

    def _train_to_evaluation(self, after_step: Callable[[], None]) -> bool:
        """Whether the loss stayed finite up to the next evaluation, which the last step always has."""
        self._model.train()
        every = self._settings.eval_every or self._steps_per_epoch
        check_interval = 1 if self._device.type == "cpu" else _GPU_CHECK_INTERVAL
        for rows in self._batches:
            self._step(rows)
            step = self._optimizer.steps
            is_due = step % every == 0 or step == self._total_steps
            if (step % check_interval == 0 or is_due) and not torch.isfinite(torch.stack(self._window)).all():
                return False
            if is_due:
                break
            after_step()
        return True

    def _step(self, rows: np.ndarray) -> None:
        self._treatment.before_step(self._optimizer.steps + 1)
        loss = self._runner.backward(self._data.train, rows, self._known_below()[0])
        self._treatment.after_backward()
        limit = self._configuration.max_grad_norm
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, math.inf if limit is None else limit)
        self._norms.append(norm.detach().to(self._device))  # it is on the CPU where no parameter has a gradient
        self._window.append(loss)
        self._treatment.before_update(self._optimizer.next_rates(self._names))
        self._optimizer.step()
        self._treatment.after_step()

    def _known_below(self) -> tuple[States | None, States | None]:
        """What comes out of the frozen part for train and for dev; None where it is recomputed each time."""
        if self._below is None:
            depth, prefixes = self._frozen_depth, self._prefixes
            if not depth or prefixes is None:
                self._below = None, None
            else:
                places = (self._data.train, self._data.train_from), (self._data.dev, self._data.dev_from)
                train, dev = (prefixes.states(self._model, self._layers, *place, depth, self._runner) for place in places)
                self._below = train, dev
        return self._below

    def _evaluate(self) -> Evaluation:
        dev = self._data.dev
        return evaluate(self._data.task, self._runner.outputs(dev, self._known_below()[1]), dev.labels, dev.words)

    def _measurement(self, evaluation: Evaluation | None) -> Measurement:
        step = self._optimizer.steps
        metrics = dict(evaluation.metrics) if evaluation else {}
        metrics |= self._treatment.report()
        return Measurement(
            step=step,
            epoch=step / self._steps_per_epoch,
            dev_score=metrics.pop(self._settings.metric, math.nan),
            dev_loss=evaluation.loss if evaluation else math.nan,
            train_loss=float(torch.stack(self._window).mean()),
            grad_norm=float(torch.stack(self._norms).mean()),
            prediction_spread=evaluation.prediction_spread if evaluation else math.nan,
            learning_rate=self._optimizer.peak_rate,
            train_seconds=self._train_seconds,
            eval_seconds=self._eval_seconds,
            micro_batch_size=self._runner.micro_batch_size,
            extra=metrics,
        )


def _all_batches(lengths: np.ndarray, configuration: Configuration, seed: int) -> Iterator[np.ndarray]:
    """The batches of all epochs. (A generator that knew its `FineTuning` would keep it, and its memory, alive in a cycle.)"""
    for epoch in range(configuration.epochs):
        yield from epoch_batches(lengths, configuration.batch_size, seed=seed, epoch=epoch)


def _copy_to_cpu(parameter: torch.Tensor) -> torch.Tensor:
    return parameter.detach().to("cpu", copy=True)


def _weights_of(model: PreTrainedModel, *, copy: bool = False) -> Weights:
    return {name: parameter.detach().to("cpu", copy=copy) for name, parameter in model.named_parameters()}
