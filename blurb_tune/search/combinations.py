"""What a space holds: how many configurations, which, and whether `freeze_depth + reinit_count <= L` leaves any.

Light on purpose: `validate` counts with it, without Optuna.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from blurb_tune.spec.dimensions import values_of
from blurb_tune.spec.schema import SpaceSpec
from blurb_tune.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration, Strategy


def is_feasible(strategy: Strategy, blocks: int) -> bool:
    """A freshly drawn block is never frozen: freeze_depth + reinit_count <= L, the number of blocks."""
    return strategy.freeze_depth + strategy.reinit_count <= blocks


def axes(space: SpaceSpec) -> dict[str, list[Any] | None]:
    """The values of each hyperparameter by name, None for one that is not countable.

    With an explicit list of strategies the first axis is `strategy`, in place of its three dimensions.
    """
    names = HYPERPARAMETER_NAMES
    found: dict[str, list[Any] | None] = {}
    if space.strategy is not None:
        found["strategy"] = [s.strategy for s in space.strategy]
        names = tuple(name for name in names if name not in STRATEGY_NAMES)
    return found | {name: values_of(getattr(space, name)) for name in names}


def combinations(space: SpaceSpec, blocks: int) -> Iterator[Configuration]:
    """Every feasible configuration, the last axis fastest. Raises ValueError when an axis is not countable."""
    found = axes(space)
    endless = [name for name, values in found.items() if values is None]
    if endless:
        raise ValueError(f"{', '.join(endless)} cannot be counted out")
    for point in itertools.product(*(values or [] for values in found.values())):
        configuration = _configuration(dict(zip(found, point, strict=True)))
        if is_feasible(configuration.strategy, blocks):
            yield configuration


def _configuration(values: dict[str, Any]) -> Configuration:
    strategy = values.pop("strategy", None)
    if strategy is not None:
        values |= {name: getattr(strategy, name) for name in STRATEGY_NAMES}
    return Configuration(**values)


def count(space: SpaceSpec, blocks: int) -> int | None:
    """The number of feasible configurations, None when there is no end of them."""
    found = axes(space)
    if any(values is None for values in found.values()):
        return None
    size: int = 1
    for name, values in found.items():
        if name not in STRATEGY_NAMES:
            size *= len(values or [])
    if space.strategy is not None:
        return size
    pairs = itertools.product(found["freeze_depth"] or [], found["reinit_count"] or [])
    feasible = [pair for pair in pairs if sum(pair) <= blocks]
    return size * len(found["decay_rate"] or []) * len(feasible)


def planned_configurations(space: SpaceSpec, blocks: int, sampler: str, asked: int | None) -> int:
    """How many configurations a sweep tries: what was asked for, 20 by default, all of a grid; never more than there are."""
    available = count(space, blocks)
    wanted = asked if asked is not None else available if sampler == "grid" else 20
    if wanted is None:
        raise ValueError("a grid needs axes that can be counted out")
    return wanted if available is None else min(wanted, available)
