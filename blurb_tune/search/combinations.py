"""What a space holds: how many configurations, which, and whether the techniques that exclude each other leave any.

`blocks` is the number of encoder blocks (L) by model name, in the spec's order. Light on purpose: `validate` counts with it,
without Optuna. Nothing here lists a space: a grid can have more points than memory has bytes.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from blurb_tune.core.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration, Strategy
from blurb_tune.search.feasible import Feasible
from blurb_tune.spec.dimensions import Range, bounds_of, values_of
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.techniques.registry import AXES, TECHNIQUES, conflicts, is_feasible, is_neutral, nearest_feasible


def feasible(space: SpaceSpec, blocks: int) -> Feasible:
    """What the techniques' axes of a space leave each other in a model with so many blocks."""
    return Feasible({name: getattr(space, name) for name in STRATEGY_NAMES}, blocks)


def axes(space: SpaceSpec, blocks: Mapping[str, int]) -> dict[str, Sequence[Any] | None]:
    """The values of each hyperparameter by name, the model first, None for one that is not countable.

    With an explicit list of strategies the second axis is `strategy`, in place of the techniques' dimensions.
    """
    names = [name for name in HYPERPARAMETER_NAMES if name != "model"]
    found: dict[str, Sequence[Any] | None] = {"model": list(blocks)}
    if space.strategy is not None:
        found["strategy"] = [s.strategy for s in space.strategy]
        names = [name for name in names if name not in STRATEGY_NAMES]
    return found | {name: values_of(getattr(space, name)) for name in names}


def holds(space: SpaceSpec, blocks: Mapping[str, int], configuration: Configuration) -> bool:
    """Whether a configuration lies in the space."""
    limit, values = blocks.get(configuration.model), configuration.values()
    if limit is None or not is_feasible(values, limit):
        return False
    if space.strategy is not None and configuration.strategy not in [s.strategy for s in space.strategy]:
        return False
    names = [name for name in axes(space, {}) if name not in ("model", "strategy") and not is_neutral(name, values)]
    return all(contains(getattr(space, name), values[name]) for name in names)


def contains(dimension: Any, value: Any) -> bool:
    """Whether a dimension has a value, of which a range without a step has every one between its bounds."""
    if isinstance(dimension, Range) and dimension.grid() is None:
        return bool(dimension.low <= value <= dimension.high)
    return value in (values_of(dimension) or [])


@dataclass(frozen=True)
class _Part:
    """Configurations that have some values in common, and combine those of the axes, the last fastest."""

    fixed: Mapping[str, Any]
    axes: dict[str, Sequence[Any]]

    @property
    def size(self) -> int:
        return math.prod(map(len, self.axes.values()))

    def point(self, index: int) -> Configuration:
        values = dict(self.fixed)
        for name, axis in reversed(self.axes.items()):
            index, digit = divmod(index, len(axis))
            values[name] = axis[digit]
        return Configuration(**values)

    def first_with(self, values: Mapping[str, Any]) -> int | None:
        """The smallest index of a configuration with these values."""
        if any(self.fixed[name] != value for name, value in values.items() if name in self.fixed):
            return None
        index = 0
        for name, axis in self.axes.items():
            if name in values and values[name] not in axis:
                return None
            index = index * len(axis) + (axis.index(values[name]) if name in values else 0)
        return index


class Combinations:
    """Every feasible configuration, by its index or one after the other, the last axis fastest; none is stored.

    size: how many there are, which may be more than `len` can say.

    Raises ValueError when an axis is not countable.
    """

    def __init__(self, space: SpaceSpec, blocks: Mapping[str, int]):
        others = {name: values for name, values in axes(space, {}).items() if name not in ("model", "strategy")}
        if infinite := [name for name, values in others.items() if values is None]:
            raise ValueError(f"{', '.join(infinite)} has infinitely many values")
        counted = {name: values or [] for name, values in others.items()}
        self._parts = [part for model, limit in blocks.items() for part in _parts(space, model, limit, counted)]
        self._ends = list(itertools.accumulate(part.size for part in self._parts))
        self.size = self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Configuration:
        if not 0 <= index < self.size:
            raise IndexError(f"there are {self.size} configurations, but got index {index}")
        number = bisect.bisect_right(self._ends, index)
        return self._parts[number].point(index - self._start(number))

    def __iter__(self) -> Iterator[Configuration]:
        return (part.point(index) for part in self._parts for index in range(part.size))

    def references(self) -> list[int]:
        """The index of the first configuration with vanilla fine-tuning of each model that has one, ascending."""
        vanilla, found = asdict(Strategy()), dict[str, int]()
        for number, part in enumerate(self._parts):
            index = part.first_with(vanilla)
            if index is not None:
                found.setdefault(part.fixed["model"], self._start(number) + index)
        return list(found.values())

    def _start(self, number: int) -> int:
        return self._ends[number - 1] if number else 0


def _parts(space: SpaceSpec, model: str, blocks: int, others: dict[str, Sequence[Any]]) -> Iterator[_Part]:
    """The configurations of a model; `others` are the values of all axes but model and strategy."""
    if space.strategy is not None:
        for item in space.strategy:
            if is_feasible(asdict(item.strategy), blocks):
                yield _Part({"model": model, **asdict(item.strategy)}, others)
        return
    for offers in feasible(space, blocks).parts():
        yield _Part({"model": model}, others | {name: offer for name, offer in offers.items() if not isinstance(offer, Range)})


def count(space: SpaceSpec, blocks: Mapping[str, int]) -> int | None:
    """The number of feasible configurations, None when there is no end of them."""
    return None if any(values is None for values in axes(space, blocks).values()) else Combinations(space, blocks).size


def has_strategy(space: SpaceSpec, blocks: int) -> bool:
    """Whether a model with this many blocks can have any strategy of the space."""
    return _fitting(space, blocks) > 0 if space.strategy is not None else not feasible(space, blocks).is_empty


def _fitting(space: SpaceSpec, blocks: int) -> int:
    """How many strategies of the list a model with this many blocks can have."""
    return sum(is_feasible(asdict(item.strategy), blocks) for item in space.strategy or ())


def pairs_left_out(space: SpaceSpec, blocks: Mapping[str, int]) -> int:
    """How many pairs of a model and a strategy from an explicit list do not fit."""
    return sum(len(space.strategy) - _fitting(space, limit) for limit in blocks.values()) if space.strategy else 0


def infeasible(space: SpaceSpec, blocks: Mapping[str, int]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The strategies of the list, or the values, that no model can have: their places in the space, what is wrong, and the
    nearest that one can have."""
    deepest = max(blocks.values())
    has = ", ".join(f"{model} has {limit} blocks" for model, limit in blocks.items())
    for index, item in enumerate(space.strategy or []):
        values = asdict(item.strategy)
        if faults := list(conflicts(values, deepest)):
            why = f" ({has})" if is_feasible(values, math.inf) else ""
            yield ("strategy", index), f"{', '.join(faults)}{why}; {_nearest(values, deepest)}"
    for name, axis in AXES.items() if space.strategy is None else ():
        if axis.up_to_blocks and (high := bounds_of(getattr(space, name))[1]) > deepest:
            yield (name,), f"{high} is beyond {'the model' if len(blocks) == 1 else 'every model'}'s blocks; {has}"


def why_empty(space: SpaceSpec, model: str, blocks: int) -> str:
    """What is wrong with a space that has no strategy for a model, and the nearest that the model can have."""
    least = feasible(space, blocks).least if space.strategy is None else asdict(space.strategy[0].strategy)
    rules = ", ".join(conflicts(least, blocks))
    return f"no configuration is feasible: {rules} ({model} has {blocks} blocks); {_nearest(least, blocks)}"


def _nearest(values: Mapping[str, Any], blocks: int) -> str:
    found = nearest_feasible(values, blocks)
    said = ", ".join(f"{name}: {value}" for name, value in found.items() if value != AXES[name].neutral)
    return f"the nearest that fits is {{{said}}}" if said else "the nearest that fits is vanilla"


def count_kinds(space: SpaceSpec, blocks: int) -> int:
    """Among how many strategies a model's configurations are shared: those of the list, or the ways to have each of the
    techniques at work or not, where these are dimensions of their own."""
    if space.strategy is not None:
        return _fitting(space, blocks)
    kinds: list[frozenset[str]] = [frozenset()]
    for technique in TECHNIQUES:
        axis = technique.axes[0]
        ends = bounds_of(getattr(space, axis.name))
        without = kinds if min(map(axis.distance, ends)) == 0 else []
        has_others = max(map(axis.distance, ends)) > 0
        kinds = [*without, *(kind | {technique.name} for kind in kinds if has_others and not kind & {*technique.excludes})]
    return len(kinds)


def count_of_each(space: SpaceSpec) -> float:
    """How many configurations a model has of one strategy; infinite when there is no end of them."""
    others = (values for name, values in axes(space, {}).items() if name not in ("model", "strategy", *STRATEGY_NAMES))
    return math.prod(math.inf if values is None else len(values) for values in others)


def planned_configurations(space: SpaceSpec, blocks: Mapping[str, int], sampler: str, asked: int | None) -> int:
    """How many configurations a sweep tries: what was asked for, 20 by default, all of a grid; never more than there are."""
    available = count(space, blocks)
    wanted = asked if asked is not None else available if sampler == "grid" else 20
    if wanted is None:
        raise ValueError("a grid needs axes with finitely many values")
    return wanted if available is None else min(wanted, available)
