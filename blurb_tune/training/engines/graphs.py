"""Forward and backward passes as CUDA graphs: one launch for all kernels of a pass, where small batches wait for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blurb_tune.training.engines.padded import Batch

Pass = Callable[[Batch, torch.Tensor], torch.Tensor]
Replay = Callable[[], torch.Tensor]
Record = Callable[[Callable[[], torch.Tensor]], Replay]

# A graph is of one length. Texts are padded to a multiple of this, so that few graphs serve all batches.
_LENGTH_STEP = 32
_MOST_GRAPHS = 32
# As many as PyTorch's notes on CUDA graphs have: libraries set themselves up in the first passes, which cannot be recorded.
_WARM_UPS = 3


@dataclass(frozen=True, eq=False)
class _Graph:
    """batch, targets: what the recorded kernels read, at the addresses that they know."""

    batch: Batch
    targets: torch.Tensor
    replay: Replay

    def run(self, batch: Batch, targets: torch.Tensor) -> torch.Tensor:
        for ours, theirs in zip((*self.batch.tensors(), self.targets), (*batch.tensors(), targets), strict=True):
            ours.copy_(theirs, non_blocking=True)
        return self.replay().clone()


class Graphs:
    """The recorded passes of one trial, one for each shape of a batch and each set of parameters that learn.

    parameters: all that may learn; their addresses stay. record: how a pass is recorded.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter], record: Record | None = None):
        self._parameters = list(parameters)
        self._record = record or CudaRecorder(self._parameters)
        self._graphs: dict[Any, _Graph] = {}

    def length_for(self, lengths: NDArray[np.int64], longest: int) -> int:
        """To how many tokens a batch of these lengths (n,) is padded; longest: of all examples, which the model can read."""
        return min(-(-int(lengths.max()) // _LENGTH_STEP) * _LENGTH_STEP, longest)

    def backward(self, batch: Batch, targets: torch.Tensor, run: Pass) -> torch.Tensor:
        """The loss that `run` returns, with the gradients that it leaves in parameters which have none."""
        shapes = tuple(tensor.shape for tensor in batch.tensors())
        key = shapes, targets.shape, tuple(parameter.requires_grad for parameter in self._parameters)
        if key not in self._graphs:
            if len(self._graphs) == _MOST_GRAPHS:
                return run(batch, targets)
            own, own_targets = batch.clone(), targets.clone()
            self._graphs[key] = _Graph(own, own_targets, self._record(lambda: run(own, own_targets)))
        return self._graphs[key].run(batch, targets)


class CudaRecorder:
    """Records passes as CUDA graphs that share their memory: one is replayed, and its gradients are used up, before the next.

    parameters: all that may learn; each has one gradient for all graphs, so that their number costs no memory.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter]):
        self._parameters = parameters
        self._gradients: dict[torch.nn.Parameter, torch.Tensor] = {}
        self._pool: Any = None

    def __call__(self, run: Callable[[], torch.Tensor]) -> Replay:
        """What does the kernels of `run` again. The random numbers that recording takes are given back."""
        with torch.random.fork_rng(devices=[torch.cuda.current_device()]):
            learning = self._warm_up(run)
            gradients = [self._gradients.setdefault(parameter, torch.empty_like(parameter)) for parameter in learning]
            for parameter, gradient in zip(learning, gradients, strict=True):
                parameter.grad = gradient
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                torch._foreach_zero_(gradients)
                loss = run()
        self._pool = graph.pool()

        def replay() -> torch.Tensor:
            graph.replay()
            for parameter, gradient in zip(learning, gradients, strict=True):
                parameter.grad = gradient
            return loss

        return replay

    def _warm_up(self, run: Callable[[], torch.Tensor]) -> list[torch.nn.Parameter]:
        """The parameters that get a gradient."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                for parameter in self._parameters:
                    parameter.grad = None
                run()
        torch.cuda.current_stream().wait_stream(stream)
        return [parameter for parameter in self._parameters if parameter.grad is not None]
