"""Learning rates that fall from the head down to the embeddings."""

from __future__ import annotations

from typing import Any

import torch

from blurb_tune.models.layers import LayerMap, Part, Place


def parameter_groups(
    model: torch.nn.Module, layers: LayerMap, *, learning_rate: float, decay_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """The trainable parameters as groups for torch's AdamW, each with its `lr`, `weight_decay` and a `name`.

    Head and pooler learn at `learning_rate`, block i of L at `learning_rate * decay_rate ** (L + 1 - i)`, the embeddings at
    `learning_rate * decay_rate ** (L + 1)` (Zhang et al. 2021, arXiv 2006.05987). ELECTRA's own fine-tuning has one power
    more below the head: `decay_rate ** (L + 2 - i)` for block i, `decay_rate ** (L + 2)` for the embeddings
    (`_get_layer_lrs` in its model/optimization.py), so its rates are lower than these by the factor `decay_rate` there.

    Biases and norms have no weight decay, by their names: BERT's own optimizer excludes whatever has "bias" or "LayerNorm" in
    its name. So MPNet's table of relative attention biases, which has two dimensions, is a bias, and DeBERTa's of relative
    position embeddings is not. Parameters of equal settings share a group, so that the optimizer has few and large ones.

    Raises ValueError when decay_rate is not in (0, 1], BlurbTuneError for a parameter that the layer map does not know.
    """
    if not 0 < decay_rate <= 1:
        raise ValueError(f"0 < decay_rate <= 1 must hold, but got decay_rate={decay_rate}")
    members: dict[tuple[float, float], list[tuple[Place, torch.nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        place = layers.place(name)
        if not parameter.requires_grad:
            continue
        rate = learning_rate * decay_rate ** (layers.blocks + 1 - place.level)
        decay = 0.0 if _is_bias_or_norm(name) else weight_decay
        members.setdefault((rate, decay), []).append((place, parameter))
    return [
        {
            "name": _group_name([place for place, _ in group], decay),
            "params": [parameter for _, parameter in group],
            "lr": rate,
            "weight_decay": decay,
        }
        for (rate, decay), group in members.items()
    ]


def _is_bias_or_norm(parameter: str) -> bool:
    *modules, own = parameter.split(".")
    holder = modules[-1].lower() if modules else ""
    return own.endswith("bias") or holder.endswith("bias") or "norm" in holder


def _group_name(places: list[Place], weight_decay: float) -> str:
    """Such as `block 3`, or `embeddings to head, no weight decay`."""
    lowest, highest = min(places, key=_height), max(places, key=_height)
    extent = str(lowest) if lowest == highest else f"{lowest} to {highest}"
    return extent if weight_decay else f"{extent}, no weight decay"


def _height(place: Place) -> tuple[int, bool]:
    """Orders places from the embeddings to the head, which is above the pooler on the same level."""
    return place.level, place.part is Part.HEAD
