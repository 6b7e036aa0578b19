"""Everything that a trial's next step depends on, as one safetensors file that knows when it is damaged."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

_FORMAT = 3
_FACTS = "blurb_tune"


class DamagedError(Exception):
    """This is no checkpoint, or not the one that was written."""


@dataclass(frozen=True)
class Checkpoint:
    """A trial in the middle of its training.

    tensors: weights that are learned, the optimizer's moments, generator states, by name, on the CPU. facts: what else there
    is, as JSON has it: counts, seconds, past measurements, and what the trial is.
    """

    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Raises OSError where it cannot be written."""
        facts = json.dumps({"format": _FORMAT, **self.facts})
        tensors = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        try:
            save_file(tensors, path, {_FACTS: facts, "crc": _checksum(facts, tensors)})
        except SafetensorError as error:  # a full disk, for one
            raise OSError(str(error)) from error

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Raises DamagedError where the file is not whole, and OSError where it cannot be read."""
        path.open("rb").close()
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts, crc = metadata[_FACTS], metadata["crc"]
            if crc != _checksum(facts, tensors):
                raise DamagedError("its checksum does not fit")
            values = json.loads(facts)
            if values.pop("format") != _FORMAT:
                raise DamagedError("it is of another version")
            return cls(tensors, values)
        except (SafetensorError, KeyError, ValueError, RecursionError, AttributeError) as error:
            raise DamagedError(str(error)) from error


def _checksum(facts: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """CRC-32 of all that is in the file: safetensors itself notices no changed bit."""
    crc = zlib.crc32(facts.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        crc = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), crc)
        if tensor.numel():
            crc = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"
