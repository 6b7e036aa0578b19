"""The frozen part of an encoder, which is the same for every epoch, seed, decay and re-initialization, computed once."""

from __future__ import annotations

import hashlib
import json
from typing import Protocol

import numpy as np
import torch
import transformers
from transformers import PreTrainedModel

from blurb_tune.models.layers import LayerMap
from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.training.engines.device_states import DeviceStates
from blurb_tune.training.engines.states import States
from blurb_tune.training.engines.states_cache import StatesCache
from blurb_tune.training.training_data import Subset

_FORMAT = 1


class Computes(Protocol):
    """What computes hidden states: `training.batch_runner.BatchRunner`. They depend on its settings in the last bits."""

    precision: str
    eval_batch_size: int

    @property
    def engine(self) -> str:
        """The name of what runs the model."""

    def fill_states(self, values: torch.Tensor, data: Encoded, depth: int, below: States | None) -> None:
        """Write those behind block `depth` of all tokens of `data` into `values`, (tokens, width)."""

    def are_states_fp32(self, data: Encoded) -> bool:
        """Whether nothing is lost where they are kept in fp32 and read from there."""


class Prefixes:
    """The hidden states that a process's trials begin from. It remembers what it has looked up for one model and its data.

    device_bytes: of the device's memory for states that are read there; 0: they are read from the CPU's.
    """

    def __init__(self, cache: StatesCache, device_bytes: float = 0.0):
        self._cache = cache
        self._on_device = DeviceStates(device_bytes)
        self._known: dict[tuple[str, int], torch.Tensor] = {}
        self._of_data: dict[int, tuple[Encoded, str]] = {}
        self._of_weights: dict[int, str] = {}
        self._model: PreTrainedModel | None = None
        self._are_fp32: bool | None = None

    def states(
        self,
        model: PreTrainedModel,
        layers: LayerMap,
        examples: Encoded,
        subset_of: Subset | None,
        depth: int,
        computes: Computes,
    ) -> States | None:
        """The states of `examples` behind block `depth`, whose parameters and those below are as pretrained.

        None where they are too large to be kept. subset_of: the larger set that they were taken from, which is computed whole.
        """
        data = examples if subset_of is None else subset_of.examples
        if model is not self._model:
            self._model, self._known, self._of_weights, self._are_fp32 = model, {}, {}, None
            self._on_device.clear()
        shape = int(data.offsets[-1]), int(model.config.hidden_size)
        if not self._cache.has_room_for(shape):
            return None
        values = self._values(layers, data, depth, computes, shape)
        values = self._on_device.copy((self._digest_of(data), depth), values, next(model.parameters()).device)
        return States(depth, values, data.offsets[:-1] if subset_of is None else subset_of.starts)

    def _values(self, layers: LayerMap, data: Encoded, depth: int, computes: Computes, shape: tuple[int, int]) -> torch.Tensor:
        digest = self._digest_of(data)
        if (digest, depth) not in self._known:
            key = self._key(layers, data, depth, computes)
            found = self._cache.find(key)
            if found is None:
                below = self._deepest_below(layers, data, depth, computes)
                found = self._cache.make(key, shape, lambda values: computes.fill_states(values, data, depth, below))
            self._known[digest, depth] = found
        return self._known[digest, depth]

    def _deepest_below(self, layers: LayerMap, data: Encoded, depth: int, computes: Computes) -> States | None:
        if self._are_fp32 is None:
            self._are_fp32 = computes.are_states_fp32(data)
        for lower in range(depth - 1, 0, -1) if self._are_fp32 else ():
            found = self._known.get((self._digest_of(data), lower))
            found = self._cache.find(self._key(layers, data, lower, computes)) if found is None else found
            if found is not None:
                return States(lower, found, data.offsets[:-1])
        return None

    def _key(self, layers: LayerMap, data: Encoded, depth: int, computes: Computes) -> str:
        """All that the states depend on, on this kind of machine, bit for bit."""
        assert self._model is not None
        facts = [
            _FORMAT,
            torch.__version__,
            transformers.__version__,
            torch.backends.cpu.get_cpu_capability(),
            torch.get_num_threads(),
            str(next(self._model.parameters()).device.type),
            computes.precision,
            computes.eval_batch_size,
            computes.engine,
            layers.family.model_type,
            {name: value for name, value in self._model.config.to_dict().items() if _is_plain(value)},
            self._digest_of_weights(layers, depth),
            self._digest_of(data),
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:40]

    def _digest_of_weights(self, layers: LayerMap, depth: int) -> str:
        if depth not in self._of_weights:
            assert self._model is not None
            digest = hashlib.sha256()
            for name, parameter in self._model.named_parameters():
                if layers.layer_of(name).level <= depth:
                    digest.update(name.encode())
                    digest.update(parameter.detach().cpu().contiguous().numpy().data)
            self._of_weights[depth] = digest.hexdigest()
        return self._of_weights[depth]

    def _digest_of(self, data: Encoded) -> str:
        if id(data) not in self._of_data:
            digest = hashlib.sha256()
            for array in (data.input_ids, data.token_type_ids, data.offsets):
                digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
            # The data are kept, so that no other can take their address.
            self._of_data[id(data)] = data, digest.hexdigest()
        return self._of_data[id(data)][1]


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool | None)
