"""The weights of finished trials: written by the actors, read by the final test. `keepers` removes them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from blurb_tune.core.storage import Storage
from blurb_tune.execution.cleanup import WEIGHTS_SUFFIX


def save_weights(storage: Storage, name: str, weights: Mapping[str, torch.Tensor]) -> None:
    """Write weights, whole or not at all. Raises OSError where they cannot be written."""
    with storage.writing(f"{name}{WEIGHTS_SUFFIX}") as path:
        try:
            save_file(dict(weights), path)
        except SafetensorError as error:  # a full disk, for one
            raise OSError(str(error)) from error


def load_weights(storage: Storage, name: str) -> dict[str, torch.Tensor]:
    """The weights of that name. Raises OSError where they cannot be read."""
    with storage.reading(f"{name}{WEIGHTS_SUFFIX}") as path:
        try:
            weights: dict[str, torch.Tensor] = load_file(path)
        except SafetensorError as error:
            raise OSError(str(error)) from error
    return weights
