"""Dropout on a CPU with masks from a fast generator of the trial's own.

torch draws a mask with one double of its Mersenne Twister per element, a tenth of a training step. Here an element takes 16
bits of SFC64, so that p is met within 2^-17.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_BITS = 16
_SFC64_WORDS = 4


class Masks:
    """Draws dropout masks; the same ones, in the same order, from the same seed."""

    def __init__(self, seed: int):
        self._generator = np.random.SFC64(seed)

    def draw(self, shape: torch.Size | tuple[int, ...], p: float) -> tuple[torch.Tensor, float]:
        """Which elements stay, as bools, and by what they are to be multiplied."""
        count = int(np.prod(shape))
        words = self._generator.random_raw((count + 3) // 4)
        threshold = min(round(p * 2**_BITS), 2**_BITS - 1)
        kept = torch.from_numpy(words.view(np.int16)[:count]).ge(threshold - 2 ** (_BITS - 1)).view(shape)
        return kept, 2**_BITS / (2**_BITS - threshold)

    def uniform(self, count: int) -> torch.Tensor:
        """Numbers from 0 to below 1, float64 of shape (count,), on a grid of 2^-53."""
        words = self._generator.random_raw(count) >> np.uint64(11)
        return torch.from_numpy(words.astype(np.float64) * 2.0**-53)

    def drop(self, values: torch.Tensor, p: float) -> torch.Tensor:
        """Dropout, as torch.nn.functional.dropout has it."""
        if p <= 0:
            return values
        kept, scale = self.draw(values.shape, p)
        return torch.where(kept, values, 0.0) * scale

    @contextmanager
    def within(self, model: torch.nn.Module) -> Iterator[None]:
        """Within, the dropout modules of a model that is trained draw from here."""

        def forward(module: torch.nn.Dropout) -> object:
            return lambda values: self.drop(values, module.p) if module.training else values

        modules = [module for module in model.modules() if type(module) is torch.nn.Dropout]
        for module in modules:
            module.forward = forward(module)  # type: ignore[assignment]
        try:
            yield
        finally:
            for module in modules:
                del module.forward

    def state(self) -> torch.Tensor:
        """Where the generator stands, int64 of shape (4,)."""
        return torch.from_numpy(self._generator.state["state"]["state"].view(np.int64).copy())

    def load(self, state: torch.Tensor) -> None:
        """Go on where `state` was taken."""
        words = state.numpy().view(np.uint64)
        if words.shape != (_SFC64_WORDS,):
            raise ValueError(f"a generator's state has {_SFC64_WORDS} words, but got {words.shape}")
        self._generator.state = {**self._generator.state, "state": {"state": words.copy()}, "has_uint32": 0, "uinteger": 0}
