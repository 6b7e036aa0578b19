"""What a space holds: how many configurations, which, and whether `freeze_depth + reinit_count <= L` leaves any.

`blocks` is the number of encoder blocks (L) by model name, in the spec's order. Light on purpose: `validate` counts with it,
without Optuna.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from blurb_tune.core.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration, Strategy
from blurb_tune.spec.dimensions import bounds_of, values_of
from blurb_tune.spec.schema import SpaceSpec


def is_feasible(strategy: Strategy, blocks: int) -> bool:
    """A freshly drawn block is never frozen: freeze_depth + reinit_count <= L, the number of blocks."""
    return strategy.freeze_depth + strategy.reinit_count <= blocks


def axes(space: SpaceSpec, blocks: Mapping[str, int]) -> dict[str, list[Any] | None]:
    """The values of each hyperparameter by name, the model first, None for one that is not countable.

    With an explicit list of strategies the second axis is `strategy`, in place of its three dimensions.
    """
    names = [name for name in HYPERPARAMETER_NAMES if name != "model"]
    found: dict[str, list[Any] | None] = {"model": list(blocks)}
    if space.strategy is not None:
        found["strategy"] = [s.strategy for s in space.strategy]
        names = [name for name in names if name not in STRATEGY_NAMES]
    return found | {name: values_of(getattr(space, name)) for name in names}


def combinations(space: SpaceSpec, blocks: Mapping[str, int]) -> Iterator[Configuration]:
    """Every feasible configuration, the last axis fastest. Raises ValueError when an axis is not countable."""
    found = axes(space, blocks)
    endless = [name for name, values in found.items() if values is None]
    if endless:
        raise ValueError(f"{', '.join(endless)} cannot be counted out")
    for point in itertools.product(*(values or [] for values in found.values())):
        configuration = _configuration(dict(zip(found, point, strict=True)))
        if is_feasible(configuration.strategy, blocks[configuration.model]):
            yield configuration


def _configuration(values: dict[str, Any]) -> Configuration:
    strategy = values.pop("strategy", None)
    if strategy is not None:
        values |= {name: getattr(strategy, name) for name in STRATEGY_NAMES}
    return Configuration(**values)


def count(space: SpaceSpec, blocks: Mapping[str, int]) -> int | None:
    """The number of feasible configurations, None when there is no end of them."""
    found = axes(space, blocks)
    if any(values is None for values in found.values()):
        return None
    size = 1
    for name, values in found.items():
        if name not in ("model", "strategy", "freeze_depth", "reinit_count"):
            size *= len(values or [])
    return size * sum(len(feasible_strategies(space, limit)) for limit in blocks.values())


def pairs_left_out(space: SpaceSpec, blocks: Mapping[str, int]) -> int:
    """How many pairs of a model and a strategy from an explicit list do not fit: `freeze_depth + reinit_count > L`."""
    strategies = space.strategy or []
    return sum(not is_feasible(item.strategy, limit) for limit in blocks.values() for item in strategies)


def too_deep(space: SpaceSpec, blocks: Mapping[str, int]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The strategies of the list, or the depths, that fit no model: their places in the space, and what is wrong."""
    deepest = max(blocks.values())
    has = ", ".join(f"{model} has {limit} blocks" for model, limit in blocks.items())
    for index, item in enumerate(space.strategy or []):
        if not is_feasible(item.strategy, deepest):
            yield ("strategy", index), f"`freeze_depth + reinit_count <= {deepest}` must hold ({has})"
    for name in ("freeze_depth", "reinit_count"):
        _, high = bounds_of(getattr(space, name))
        if high > deepest:
            yield (name,), f"{high} is beyond {'the model' if len(blocks) == 1 else 'every model'}'s blocks; {has}"


def feasible_strategies(space: SpaceSpec, blocks: int) -> list[Strategy]:
    """The strategies of the list, or those that the two depths make up, that fit a model with this many blocks."""
    if space.strategy is not None:
        strategies = [item.strategy for item in space.strategy]
    else:
        pairs = itertools.product(values_of(space.freeze_depth) or [], values_of(space.reinit_count) or [])
        strategies = [Strategy(freeze_depth=freeze, reinit_count=reinit) for freeze, reinit in pairs]
    return [strategy for strategy in strategies if is_feasible(strategy, blocks)]


def planned_configurations(space: SpaceSpec, blocks: Mapping[str, int], sampler: str, asked: int | None) -> int:
    """How many configurations a sweep tries: what was asked for, 20 by default, all of a grid; never more than there are."""
    available = count(space, blocks)
    wanted = asked if asked is not None else available if sampler == "grid" else 20
    if wanted is None:
        raise ValueError("a grid needs axes that can be counted out")
    return wanted if available is None else min(wanted, available)
