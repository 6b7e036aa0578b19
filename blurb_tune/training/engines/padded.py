"""Any encoder, run as Hugging Face has it, on batches of examples of similar length."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from blurb_tune.models.families import Family
from blurb_tune.tasks.encoding.features import Encoded, collate
from blurb_tune.training.engines.cut import starting_above, states_at
from blurb_tune.training.engines.lengths import split_by_length
from blurb_tune.training.engines.states import States

# What a further part of a batch costs beside its arithmetic, in tokens. Chosen, not measured.
_COST_OF_A_PART = {"cpu": 24.0, "cuda": 4096.0}


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
        logits = self._run(data, rows, below)
        positions = data.positions(rows)
        if positions is not None:
            logits = logits.flatten(0, 1).index_select(0, torch.from_numpy(positions).to(self._device))
        return logits

    def states(
        self, data: Encoded, rows: NDArray[np.int64], depth: int, below: States | None
    ) -> tuple[NDArray[np.int64], torch.Tensor]:
        """The states behind block `depth` of all tokens of `rows`, (tokens, width), and which tokens of `data` these are."""
        padded = states_at(self._model, self._family, depth, lambda: self._run(data, rows, below))
        lengths = data.lengths[rows]
        columns = np.arange(lengths.max())
        is_token = columns < lengths[:, None]
        tokens = (data.offsets[rows][:, None] + columns)[is_token]
        return tokens, padded[torch.from_numpy(is_token).to(self._device)]

    def _run(self, data: Encoded, rows: NDArray[np.int64], below: States | None) -> torch.Tensor:
        batch = collate(data, rows, self._pad_token_id)
        inputs = {name: torch.from_numpy(values).to(self._device, non_blocking=True) for name, values in batch.items()}
        if below is None:
            return self._model(**inputs).logits  # type: ignore[no-any-return]
        packed = below.of_tokens(rows, data.lengths[rows], self._device)
        mask = inputs["attention_mask"].bool()
        states = packed.new_zeros(*mask.shape, packed.shape[1])
        states[mask] = packed
        with starting_above(self._model, self._family, below.depth, states):
            return self._model(**inputs).logits  # type: ignore[no-any-return]
