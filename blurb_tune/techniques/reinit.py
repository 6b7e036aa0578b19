"""Drawing the head, the pooler and the top blocks anew."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from blurb_tune.models.drawing import draw_module
from blurb_tune.models.layers import LayerMap, Part, is_in

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def reinitialise(model: PreTrainedModel, layers: LayerMap, count: int, seed: int) -> None:
    """Draw the pooler (or its counterpart in the head) and the top `count` blocks as the family initialises them.

    count: 0..L; 0 changes nothing. The same seed gives a block the same weights whatever the count. Raises ValueError
    outside this range. (Zhang et al. 2021, arXiv 2006.05987.)
    """
    if not 0 <= count <= layers.blocks:
        raise ValueError(f"0 <= count <= {layers.blocks} must hold, but got count={count}")
    if count == 0:
        return
    blocks = range(layers.blocks - count + 1, layers.blocks + 1)
    for module in (*layers.pooler_modules, *(module for block in blocks for module in layers.block_modules(block))):
        draw_module(model, module, seed)


def draw_head(model: PreTrainedModel, layers: LayerMap, pretrained: Collection[str], seed: int) -> None:
    """Draw the head, and of the pooler the modules that are not among the `pretrained` parameters."""
    draw_module(model, layers.family.head, seed)
    drawn = layers.names(Part.POOLER) - set(pretrained)
    for module in layers.pooler_modules:
        if any(is_in(name, module) for name in drawn):
            draw_module(model, module, seed)
