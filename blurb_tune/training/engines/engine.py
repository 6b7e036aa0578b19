"""What runs a model on a batch, and which engine does it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from blurb_tune.models.encoder import recomputes_blocks
from blurb_tune.models.families import family_of
from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.training.engines.dropout import Masks
from blurb_tune.training.engines.packed import PackedEngine
from blurb_tune.training.engines.padded import PaddedEngine
from blurb_tune.training.engines.states import States


class Engine(Protocol):
    """Runs examples through a model, in training (with dropout) or not, as the model is set."""

    def parts(self, lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Which of the examples of a batch, of these lengths, run together; each once."""

    def outputs(self, data: Encoded, rows: NDArray[np.int64], below: States | None = None) -> torch.Tensor:
        """What the model says of `data.units(rows)`, (units, outputs); from the states `below`, where they are known."""

    def states(
        self, data: Encoded, rows: NDArray[np.int64], depth: int, below: States | None
    ) -> tuple[NDArray[np.int64], torch.Tensor]:
        """The states behind block `depth` of all tokens of `rows`, (tokens, width), and which tokens of `data` these are."""


def make_engine(model: PreTrainedModel, pad_token_id: int, masks: Masks) -> Engine:
    """Without padding for families with blocks like BERT's on a CPU; as Hugging Face has it for others, and on a GPU, where
    fused attention wants batches. Where activations are recomputed in the backward pass, too, as only blocks know how to.
    """
    family = family_of(model.config.model_type)
    is_on_cpu = next(model.parameters()).device.type == "cpu"
    if is_on_cpu and family.layout is not None and not recomputes_blocks(model):
        return PackedEngine(model, family, masks)
    return PaddedEngine(model, family, pad_token_id)
