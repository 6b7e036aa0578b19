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
    `learning_rate * decay_rate ** (L + 1)` (Zhang et al. 2021, arXiv 2006.05987). Biases and norms have no weight
    decay. Parameters of equal settings share a group, so that the optimiser has few and large ones.

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
        # In every family, biases, the weights of norms and nothing else have one dimension.
        decay = weight_decay if parameter.ndim > 1 else 0.0
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


def _group_name(places: list[Place], weight_decay: float) -> str:
    """Such as `block 3`, or `embeddings to head, no weight decay`."""
    lowest, highest = min(places, key=_height), max(places, key=_height)
    extent = str(lowest) if lowest == highest else f"{lowest} to {highest}"
    return extent if weight_decay else f"{extent}, no weight decay"


def _height(place: Place) -> tuple[int, bool]:
    """Orders places from the embeddings to the head, which is above the pooler on the same level."""
    return place.level, place.part is Part.HEAD
