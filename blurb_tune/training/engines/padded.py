"""Any encoder, run as Hugging Face has it, on batches of examples of similar length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from blurb_tune.models.families import Family
from blurb_tune.tasks.encoding.features import Encoded, collate
from blurb_tune.tasks.ragged import ranges
from blurb_tune.training.engines.cut import starting_above, states_at
from blurb_tune.training.engines.lengths import split_by_length
from blurb_tune.training.engines.states import States

# What a further part of a batch costs beside its arithmetic, in tokens. On a CPU 8 to 64 take as long within 7 %, and one part
# for all 1.6 times as long (MiniLM, BIOSSES in batches of 16). A GPU's is chosen, not measured.
_COST_OF_A_PART = {"cpu": 24.0, "cuda": 4096.0}


@dataclass(frozen=True, eq=False)
class Batch:
    """What a model is called with.

    inputs: (examples, tokens) each. states: those behind block `depth` where they are known, (examples, tokens, width).
    """

    inputs: Mapping[str, torch.Tensor]
    depth: int = 0
    states: torch.Tensor | None = None

    def tensors(self) -> list[torch.Tensor]:
        """All that it holds."""
        return [*self.inputs.values(), *([] if self.states is None else [self.states])]

    def clone(self) -> Batch:
        """The same at other addresses."""
        inputs = {name: values.clone() for name, values in self.inputs.items()}
        return replace(self, inputs=inputs, states=None if self.states is None else self.states.clone())


class PaddedEngine:
    """Runs examples through a model, shorter ones padded to the longest of those beside them."""

    def __init__(self, model: PreTrainedModel, family: Family, pad_token_id: int):
        self._model, self._family, self._pad_token_id = model, family, pad_token_id
        self._device = next(model.parameters()).device

    def parts(self, lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Which of a batch's examples run together, so that the fewest tokens are computed."""
        order = np.argsort(-lengths, kind="stable")
        return [order[part] for part in split_by_length(lengths[order], cost_of_a_part=_COST_OF_A_PART[self._device.type])]

    def outputs(self, data: Encoded, rows: NDArray[np.int64], below: States | None = None) -> torch.Tensor:
        """What the model says of `data.units(rows)`, (units, outputs); from the states `below`, where they are known."""
        logits = self.logits(self.batch(data, rows, below))
        positions = data.positions(rows)
        if positions is not None:
            logits = logits.flatten(0, 1).index_select(0, self._on_device(positions))
        return logits

    def states(
        self, data: Encoded, rows: NDArray[np.int64], depth: int, below: States | None
    ) -> tuple[NDArray[np.int64], torch.Tensor]:
        """The states behind block `depth` of all tokens of `rows`, (tokens, width), and which tokens of `data` these are."""
        batch = self.batch(data, rows, below)
        padded = states_at(self._model, self._family, depth, lambda: self.logits(batch))
        places, tokens = _places(data, rows, padded.shape[1])
        return tokens, padded.flatten(0, 1).index_select(0, self._on_device(places))

    def batch(self, data: Encoded, rows: NDArray[np.int64], below: States | None = None, length: int | None = None) -> Batch:
        """The examples `rows`, padded to `length` tokens, or to the longest of them."""
        arrays = collate(data, rows, self._pad_token_id, length)
        inputs = {name: self._on_device(values) for name, values in arrays.items()}
        if below is None:
            return Batch(inputs)
        packed = below.of_tokens(rows, data.lengths[rows], self._device)
        shape = inputs["attention_mask"].shape
        places, _ = _places(data, rows, shape[1])
        states = packed.new_zeros(shape.numel(), packed.shape[1]).index_copy_(0, self._on_device(places), packed)
        return Batch(inputs, below.depth, states.view(*shape, -1))

    def logits(self, batch: Batch) -> torch.Tensor:
        """What the model says of it, (examples, outputs), or (examples, tokens, outputs)."""
        if batch.states is None:
            return self._model(**batch.inputs).logits  # type: ignore[no-any-return]
        with starting_above(self._model, self._family, batch.depth, batch.states):
            return self._model(**batch.inputs).logits  # type: ignore[no-any-return]

    def _on_device(self, values: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device, non_blocking=True)


def _places(data: Encoded, rows: NDArray[np.int64], length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the tokens of `rows` stand in a batch that is padded to `length`, flattened, and which ones of `data` they are."""
    lengths = data.lengths[rows]
    return ranges(np.arange(len(rows)) * length, lengths), ranges(data.offsets[rows], lengths)
