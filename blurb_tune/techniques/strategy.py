"""A stabilization strategy applied to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blurb_tune.core.trial import Strategy
from blurb_tune.models.encoder import Pretrained
from blurb_tune.models.layers import LayerMap
from blurb_tune.techniques.freezing import freeze
from blurb_tune.techniques.reinit import draw_head, reinitialise

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def apply_strategy(model: PreTrainedModel, layers: LayerMap, strategy: Strategy, seed: int, pretrained: Pretrained) -> None:
    """Make a model with restored weights ready for a trial: draw its head, re-initialise, freeze.

    The strategy's decay rate goes into the optimiser, through `parameter_groups`. Same seed, same weights, whatever the
    strategy draws beside them. Raises ValueError, before anything has changed, when a depth or count is out of range or
    a freshly drawn block would be frozen.
    """
    freeze_depth, reinit_count = strategy.freeze_depth, strategy.reinit_count
    if min(freeze_depth, reinit_count) < 0 or freeze_depth + reinit_count > layers.blocks:
        raise ValueError(
            f"0 <= freeze_depth, 0 <= reinit_count and freeze_depth + reinit_count <= {layers.blocks} must hold, "
            f"but got {freeze_depth=}, {reinit_count=}"
        )
    draw_head(model, layers, pretrained.weights.keys(), seed)
    reinitialise(model, layers, reinit_count, seed)
    freeze(model, layers, freeze_depth)
