"""Means of weights: model soups (Wortsman et al. 2022, arXiv 2203.05482)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch

Run = TypeVar("Run")
Weights = dict[str, torch.Tensor]


def mean_weights(members: Iterable[Weights]) -> Weights:
    """The mean of each parameter, summed in fp64, in fp32; one member is in memory at a time."""
    sums, count = Weights(), 0
    for weights in members:
        sums, count = _added(sums, weights), count + 1
    return _divided(sums, count)


def greedy_soup(
    ranked: Sequence[Run], load: Callable[[Run], Weights], score: Callable[[Weights], float]
) -> tuple[list[Run], float]:
    """The members of the greedy soup, and its score: from the best run on, each stays whose part in the mean does not lower
    the score (arXiv 2203.05482, recipe 1).

    ranked: the best first, at least one. score: of a model with these weights, on dev.
    """
    members, sums = [ranked[0]], _added({}, load(ranked[0]))
    best = score(_divided(sums, 1))
    for run in ranked[1:]:
        tried = _added(sums, load(run))
        found = score(_divided(tried, len(members) + 1))
        if found >= best:
            members, sums, best = [*members, run], tried, found
    return members, best


def _added(sums: Weights, weights: Weights) -> Weights:
    return {name: tensor.double() + sums[name] if sums else tensor.double() for name, tensor in weights.items()}


def _divided(sums: Weights, count: int) -> Weights:
    return {name: (tensor / count).float() for name, tensor in sums.items()}
