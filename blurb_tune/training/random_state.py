"""A trial's own random numbers while it trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import torch

from blurb_tune.core.seeds import derive
from blurb_tune.models.encoder import recomputes_blocks
from blurb_tune.training.engines.dropout import Masks


class RandomState:
    """What dropout and techniques draw from in one trial, derived from its seed.

    On a CPU, dropout draws from the trial's masks. On a GPU it takes torch's global generator, as whatever else draws does on
    either; that is lent the trial's state for as long as the trial trains. So it does where blocks are computed again in the
    backward pass, for which torch's generator alone is set back.
    """

    def __init__(self, seed: int, device: torch.device):
        self.masks = Masks(derive(seed, "masks"))
        self._device = device
        generator = torch.Generator(device=device)
        generator.manual_seed(derive(seed, "dropout"))
        self._state = generator.get_state()
        self._is_lent = False

    @contextmanager
    def lent_to(self, model: torch.nn.Module) -> Iterator[None]:
        """Within, `model` and whatever draws from torch's global generator have the trial's random numbers."""
        devices = [self._device] if self._device.type == "cuda" else []
        masks = nullcontext() if devices or recomputes_blocks(model) else self.masks.within(model)
        with torch.random.fork_rng(devices=devices), masks:
            self._set_global(self._state)
            self._is_lent = True
            try:
                yield
            finally:
                self._is_lent = False
            self._state = self._get_global()

    def state(self) -> dict[str, torch.Tensor]:
        """Where the generators stand, by name: torch's `dropout`, uint8, and `masks`, int64 of shape (4,)."""
        return {"dropout": self._get_global() if self._is_lent else self._state, "masks": self.masks.state()}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Go on where `state` was taken. To be called before the model is lent anything."""
        self._state = tensors["dropout"]
        self.masks.load(tensors["masks"])

    def _get_global(self) -> torch.Tensor:
        return torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else torch.get_rng_state()

    def _set_global(self, state: torch.Tensor) -> None:
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(state, self._device)
        else:
            torch.set_rng_state(state)
