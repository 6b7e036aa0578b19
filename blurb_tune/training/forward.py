"""Batches through a model, in training and in evaluation, and what becomes of them when memory runs out."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from blurb_tune.tasks.features import Encoded, collate
from blurb_tune.tasks.task import Kind, Task
from blurb_tune.training.batching import sorted_batches
from blurb_tune.training.precision import autocast_dtype

# What else than `torch.OutOfMemoryError` torch says where memory runs out: cuBLAS of its own, and the CPU's allocator.
_LACK_OF_MEMORY = (
    "CUBLAS_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
)


class Forward:
    """Runs examples through a model, at most so many at a time.

    The first time that memory runs out, batches are halved from then on, in training or in evaluation; the second time the
    error goes on to the caller. What a step learns from does not change: gradients of the parts add up to those of the whole.
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
    ):
        self._model, self._task, self._pad_token_id = model, task, pad_token_id
        self._device = next(model.parameters()).device
        self._autocast_dtype = autocast_dtype(precision, self._device)
        self.micro_batch_size, self.eval_batch_size = micro_batch_size, eval_batch_size
        self.has_halved = False

    def backward(self, data: Encoded, rows: np.ndarray) -> torch.Tensor:
        """Add the gradient of the mean loss over the examples `rows` to the model's; returns that loss, detached.

        The mean is over examples, or over the words that the model reads; multi-label losses are means over labels too.
        """
        try:
            return self._backward(data, rows)
        except RuntimeError as error:
            if not (is_lack_of_memory(error) and self._try_to_halve("micro_batch_size", len(rows))):
                raise
        # Behind the handler, whose error keeps the tensors of the failed attempt alive. Its gradients must not count twice.
        self._model.zero_grad(set_to_none=True)
        self._forget_memory()
        return self._backward(data, rows)

    @torch.inference_mode()
    def outputs(self, data: Encoded) -> np.ndarray:
        """Outputs for all labels of `data` in fp32, shape (m, task outputs); NaN for words that the model does not read."""
        self._model.eval()
        try:
            return self._outputs(data)
        except RuntimeError as error:
            if not (is_lack_of_memory(error) and self._try_to_halve("eval_batch_size", len(data))):
                raise
        self._forget_memory()
        return self._outputs(data)

    def _backward(self, data: Encoded, rows: np.ndarray) -> torch.Tensor:
        total = max(1, len(data.units(rows)))
        losses = []
        for start in range(0, len(rows), self.micro_batch_size):
            part = rows[start : start + self.micro_batch_size]
            units = data.units(part)
            if len(units):
                share = self._loss(self._run(data, part), data.labels[units]) * (len(units) / total)
                share.backward()  # type: ignore[no-untyped-call]
                losses.append(share.detach())
        return torch.stack(losses).sum() if losses else torch.zeros((), device=self._device)

    def _outputs(self, data: Encoded) -> np.ndarray:
        outputs = np.full((len(data.labels), self._task.outputs), np.nan, dtype=np.float32)
        for rows in sorted_batches(data.lengths, self.eval_batch_size):
            outputs[data.units(rows)] = self._run(data, rows).cpu().numpy()
        return outputs

    def _run(self, data: Encoded, rows: np.ndarray) -> torch.Tensor:
        """Outputs in fp32 for `data.units(rows)`, shape (units, task outputs)."""
        batch = collate(data, rows, self._pad_token_id)
        inputs = {name: self._on_device(values) for name, values in batch.items()}
        with self._autocast():
            logits: torch.Tensor = self._model(**inputs).logits
        positions = data.positions(rows)
        if positions is not None:
            logits = logits.flatten(0, 1).index_select(0, self._on_device(positions))
        return logits.float()

    def _loss(self, outputs: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
        targets = self._on_device(labels)
        if self._task.kind is Kind.REGRESSION:
            return functional.mse_loss(outputs.squeeze(-1), targets)
        if self._task.kind is Kind.MULTI_LABEL:
            return functional.binary_cross_entropy_with_logits(outputs, targets)
        return functional.cross_entropy(outputs, targets)

    def _on_device(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device, non_blocking=True)

    def _autocast(self) -> AbstractContextManager[object]:
        if self._autocast_dtype is None:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._autocast_dtype)

    def _try_to_halve(self, name: str, rows: int) -> bool:
        """Whether batches are halved now: they are not for a second time, nor where they are of one example."""
        size = min(getattr(self, name), rows)
        if self.has_halved or size < 2:
            return False
        self.has_halved = True
        setattr(self, name, (size + 1) // 2)
        return True

    def _forget_memory(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether more memory was asked for than there is, on the device or on the machine."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in _LACK_OF_MEMORY)
