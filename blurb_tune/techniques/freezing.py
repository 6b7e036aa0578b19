"""Freezing the lower part of an encoder."""

from __future__ import annotations

import torch

from blurb_tune.models.layers import LayerMap


def freeze(model: torch.nn.Module, layers: LayerMap, depth: int) -> None:
    """Let embeddings and blocks 1..depth have no gradient and stay as they are; everything else is trained.

    depth: 0..L; 0 freezes nothing, L leaves pooler and head alone. Raises ValueError outside this range.
    (Tinn et al., arXiv 2112.07869.)
    """
    if not 0 <= depth <= layers.blocks:
        raise ValueError(f"0 <= depth <= {layers.blocks} must hold, but got depth={depth}")
    for name, parameter in model.named_parameters():
        is_frozen = depth > 0 and layers.place(name).level <= depth
        parameter.requires_grad_(not is_frozen)
        if is_frozen:
            # A leftover gradient would let AdamW's weight decay and momentum move a frozen tensor.
            parameter.grad = None
