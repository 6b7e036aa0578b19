"""The parameters that the optimizer has, in groups of the same learning rate and weight decay."""

from __future__ import annotations

from typing import Any

import torch

from blurb_tune.core.trial import Configuration
from blurb_tune.models.layers import LayerMap, LayerRef, Part
from blurb_tune.techniques.treatment import Treatment


def parameter_groups(
    model: torch.nn.Module, layers: LayerMap, treatment: Treatment, configuration: Configuration
) -> list[dict[str, Any]]:
    """The trainable parameters as groups for torch's AdamW, each with its `lr`, `weight_decay` and a `name`.

    A parameter learns at the learning rate times the factor that the techniques give it. Parameters of equal settings share a
    group, so that the optimizer has few and large ones.

    Raises BlurbTuneError for a parameter that the layer map does not know.
    """
    members: dict[tuple[float, float], list[tuple[LayerRef, torch.nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        ref = layers.layer_of(name)
        if not parameter.requires_grad:
            continue
        rate = configuration.learning_rate * treatment.rate_factor(name)
        decays = treatment.has_weight_decay(name) and has_weight_decay(name, configuration.no_weight_decay)
        members.setdefault((rate, configuration.weight_decay if decays else 0.0), []).append((ref, parameter))
    return [
        {
            "name": _group_name([ref for ref, _ in group], decay),
            "params": [parameter for _, parameter in group],
            "lr": rate,
            "weight_decay": decay,
        }
        for (rate, decay), group in members.items()
    ]


def frozen_depth(layers: LayerMap, treatment: Treatment) -> int:
    """Up to which block, embeddings included, nothing learns in the whole trial; 0 for none."""
    return max(0, min(ref.level for name, ref in layers.refs.items() if treatment.rate_factor(name) != 0) - 1)


def has_weight_decay(parameter: str, excluded: str) -> bool:
    """Whether a parameter is none of those that are `excluded` from it: `bias_and_layer_norm`, `layer_norm` or `none`.

    By its name: BERT's own optimizer excludes whatever has "bias" or "LayerNorm" in it. So MPNet's table of relative attention
    biases, which has two dimensions, is a bias, and DeBERTa's of relative position embeddings is not. A norm's bias is the
    norm's.
    """
    *modules, own = parameter.split(".")
    holder = modules[-1].lower() if modules else ""
    is_norm, is_bias = "norm" in holder, own.endswith("bias") or holder.endswith("bias")
    return excluded == "none" or not (is_norm or (is_bias and excluded != "layer_norm"))


def _group_name(refs: list[LayerRef], weight_decay: float) -> str:
    """Such as `block 3`, or `embeddings to head, no weight decay`."""
    lowest, highest = min(refs, key=_height), max(refs, key=_height)
    extent = str(lowest) if lowest == highest else f"{lowest} to {highest}"
    return extent if weight_decay else f"{extent}, no weight decay"


def _height(ref: LayerRef) -> tuple[int, bool]:
    """Orders layers from the embeddings to the head, which is above the pooler on the same level."""
    return ref.level, ref.part is Part.HEAD
