"""Batches through a model, in training and in evaluation, and what becomes of them when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import numpy as np
import torch
from transformers import PreTrainedModel

from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.tasks.task import Task
from blurb_tune.techniques.treatment import Treatment
from blurb_tune.training.batching import sorted_batches
from blurb_tune.training.engines.dropout import Masks
from blurb_tune.training.engines.engine import make_engine
from blurb_tune.training.engines.graphs import Graphs
from blurb_tune.training.engines.padded import Batch, PaddedEngine
from blurb_tune.training.engines.states import States
from blurb_tune.training.precision import autocast_dtype, resolve_precision

T = TypeVar("T")

# What else than `torch.OutOfMemoryError` torch says where memory runs out: cuBLAS of its own, and the CPU's allocator.
_LACK_OF_MEMORY = (
    "CUBLAS_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
)


class BatchRunner:
    """Runs examples through a model, at most so many at a time.

    The first time that memory runs out, batches are halved from then on, in training or in evaluation; the second time the
    error goes on to the caller. What a step learns from does not change: gradients of the parts add up to those of the whole.

    frozen_depth: embeddings and blocks 1 to this one compute without dropout and gradient; 0 for none. masks: from which
    dropout draws on a CPU. treatment: the techniques that have a part in the loss, None for none. label_smoothing: the share
    of each label that is spread over all classes in training. graphs: record the passes of whole batches of texts, and do them
    again; None: each is done step by step.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        task: Task,
        pad_token_id: int,
        *,
        precision: str,
        micro_batch_size: int,
        eval_batch_size: int,
        frozen_depth: int = 0,
        masks: Masks | None = None,
        treatment: Treatment | None = None,
        label_smoothing: float = 0.0,
        graphs: Graphs | None = None,
    ):
        self._model, self._task, self._treatment = model, task, treatment
        self._label_smoothing, self._graphs = label_smoothing, graphs
        self._device = next(model.parameters()).device
        self._autocast_dtype = autocast_dtype(precision, self._device)
        self.precision = resolve_precision(precision, self._device.type)
        self._engine = make_engine(model, pad_token_id, masks or Masks(0))
        self._frozen_depth = frozen_depth
        self.micro_batch_size, self.eval_batch_size = micro_batch_size, eval_batch_size
        self.oom_fallback_used = False

    @property
    def engine(self) -> str:
        """The name of what runs the model."""
        return type(self._engine).__name__

    def backward(self, data: Encoded, rows: np.ndarray, below: States | None = None) -> torch.Tensor:
        """Add the gradient of the mean loss over the examples `rows`, and of what label smoothing and the techniques add to
        it, to the model's; returns the loss without that, detached.

        The mean is over the terms of the loss of the task's kind: examples, or words that the model reads.
        below: what comes out of the frozen part, where that is known.
        """
        try:
            return self._backward(data, rows, below)
        except (RuntimeError, MemoryError) as error:
            if not (is_lack_of_memory(error) and self._try_to_halve("micro_batch_size", len(rows))):
                raise
        # Behind the handler, whose error keeps the tensors of the failed attempt alive. Its gradients must not count twice.
        self._model.zero_grad(set_to_none=True)
        self._forget_memory()
        return self._backward(data, rows, below)

    @torch.inference_mode()
    def outputs(self, data: Encoded, below: States | None = None) -> np.ndarray:
        """Outputs for all labels of `data` in fp32, shape (m, task outputs); NaN for words that the model does not read."""
        self._model.eval()
        return self._all_in_batches(data, lambda: self._outputs(data, below))

    @torch.no_grad()
    def fill_states(self, values: torch.Tensor, data: Encoded, depth: int, below: States | None) -> None:
        """Write what comes out of block `depth` for all tokens of `data`, without dropout, into `values`, (tokens, width).

        below: what comes out of a lower block, where that is known. The model is left as it was, in training or not.
        """
        with self._evaluating():
            self._all_in_batches(data, lambda: self._fill_states(values, data, depth, below))

    @torch.no_grad()
    def are_states_fp32(self, data: Encoded) -> bool:
        """Whether hidden states go from block to block in fp32, so that nothing is lost where they are kept in it."""
        with self._evaluating(), self._autocast():
            _, states = self._engine.states(data, np.argmin(data.lengths, keepdims=True), 1, None)
        return states.dtype == torch.float32

    def _all_in_batches(self, data: Encoded, run: Callable[[], T]) -> T:
        try:
            return run()
        except (RuntimeError, MemoryError) as error:
            if not (is_lack_of_memory(error) and self._try_to_halve("eval_batch_size", len(data))):
                raise
        self._forget_memory()
        return run()

    def _backward(self, data: Encoded, rows: np.ndarray, below: States | None) -> torch.Tensor:
        if self._graphs is not None and data.words is None and len(rows) <= self.micro_batch_size:
            return self._backward_by_graph(self._graphs, data, rows, below)
        total = max(1, self._task.kind.terms(data.labels[data.units(rows)], data.sizes(rows)))
        losses = []
        for start in range(0, len(rows), self.micro_batch_size):
            batch = rows[start : start + self.micro_batch_size]
            for part in self._engine.parts(data.lengths[batch]):
                units = data.units(batch[part])
                labels, sizes = data.labels[units], data.sizes(batch[part])
                if terms := self._task.kind.terms(labels, sizes):
                    outputs = [self._run(data, batch[part], below) for _ in range(self._passes)]
                    objective, loss = self._objective(outputs, self._on_device(labels), sizes)
                    share = terms / total
                    objective.mul(share).backward()  # type: ignore[no-untyped-call]
                    losses.append(loss.detach() * share)
        return torch.stack(losses).sum() if losses else torch.zeros((), device=self._device)

    def _backward_by_graph(self, graphs: Graphs, data: Encoded, rows: np.ndarray, below: States | None) -> torch.Tensor:
        engine = self._engine
        assert isinstance(engine, PaddedEngine), "the packed one gathers by the lengths of its examples"

        def run(batch: Batch, targets: torch.Tensor) -> torch.Tensor:
            with self._autocast():
                outputs = [engine.logits(batch).float() for _ in range(self._passes)]
            objective, loss = self._objective(outputs, targets, None)
            objective.backward()  # type: ignore[no-untyped-call]
            return loss.detach()

        if below is None and self._frozen_depth:
            with self._autocast():
                below = self._run_frozen_part(data, rows)
        length = graphs.length_for(data.lengths[rows], int(data.lengths.max()))
        return graphs.backward(engine.batch(data, rows, below, length), self._on_device(data.labels[rows]), run)

    @property
    def _passes(self) -> int:
        return self._treatment.passes if self._treatment else 1

    def _objective(
        self, outputs: Sequence[torch.Tensor], targets: torch.Tensor, sizes: Sequence[int] | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is minimized, and the mean loss without what label smoothing and the techniques add to it.

        outputs: of each pass, (units, task outputs).
        """
        kind, treatment, smoothing = self._task.kind, self._treatment, self._label_smoothing
        objective = loss = _average([kind.loss(of_pass, targets, sizes) for of_pass in outputs])
        if smoothing:
            objective = _average([kind.smoothed_loss(of_pass, targets, smoothing) for of_pass in outputs])
        return sum(treatment.penalties(outputs, sizes) if treatment else [], objective), loss

    def _outputs(self, data: Encoded, below: States | None) -> np.ndarray:
        outputs = np.full((len(data.labels), self._task.outputs), np.nan, dtype=np.float32)
        for rows in sorted_batches(data.lengths, self.eval_batch_size):
            outputs[data.units(rows)] = self._run(data, rows, below).cpu().numpy()
        return outputs

    def _fill_states(self, values: torch.Tensor, data: Encoded, depth: int, below: States | None) -> None:
        for rows in sorted_batches(data.lengths, self.eval_batch_size):
            with self._autocast():
                tokens, states = self._engine.states(data, rows, depth, below)
            values.index_copy_(0, torch.from_numpy(tokens), states.float().cpu())

    def _run(self, data: Encoded, rows: np.ndarray, below: States | None) -> torch.Tensor:
        """Outputs in fp32 for `data.units(rows)`, shape (units, task outputs)."""
        with self._autocast():
            if below is None and self._frozen_depth:
                below = self._run_frozen_part(data, rows)
            return self._engine.outputs(data, rows, below).float()

    def _run_frozen_part(self, data: Encoded, rows: np.ndarray) -> States:
        """The examples `rows` through the frozen part."""
        with torch.no_grad(), self._evaluating():
            tokens, states = self._engine.states(data, rows, self._frozen_depth, None)
        order = np.argsort(tokens, kind="stable")
        starts = np.searchsorted(tokens[order], data.offsets[:-1])
        return States(self._frozen_depth, states.float().index_select(0, self._on_device(order)), starts)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        was_training = self._model.training
        self._model.eval()
        try:
            yield
        finally:
            self._model.train(was_training)

    def _on_device(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device, non_blocking=True)

    def _autocast(self) -> AbstractContextManager[object]:
        if self._autocast_dtype is None:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._autocast_dtype)

    def _try_to_halve(self, name: str, rows: int) -> bool:
        """Whether batches are halved now: they are not for a second time, nor where they are of one example."""
        size = min(getattr(self, name), rows)
        if self.oom_fallback_used or size < 2:
            return False
        self.oom_fallback_used = True
        setattr(self, name, (size + 1) // 2)
        return True

    def _forget_memory(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def _average(losses: Sequence[torch.Tensor]) -> torch.Tensor:
    return losses[0] if len(losses) == 1 else torch.stack(losses).mean()  # type: ignore[arg-type]


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether more memory was asked for than there is, on the device or on the machine."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in _LACK_OF_MEMORY)
