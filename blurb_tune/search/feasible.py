"""Which values of the techniques' axes a model can have together.

What is infeasible is monotone (`Technique.conflict`): a value nearer to the neutral one never takes room from another axis. So
whether a value leaves anything to the axes behind it is seen from their values that are nearest to neutral, and the values on
offer are always the nearest ones.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from blurb_tune.spec.dimensions import Choice, Range
from blurb_tune.techniques.protocol import Axis
from blurb_tune.techniques.registry import AXES, NEUTRAL, SETTING_OF, is_feasible, is_neutral

# A `Range` is one whose numbers cannot be counted.
Offer = Sequence[Any] | Range[Any]
_MAIN = [name for name in AXES if name not in SETTING_OF]


class Feasible:
    """The strategies of a space that a model with so many blocks can have; dimensions: of all techniques' axes, by name.

    least: of each axis the value that is nearest to the neutral one.
    """

    def __init__(self, dimensions: Mapping[str, Any], blocks: int):
        self._dimensions, self._blocks = dimensions, blocks
        self.least = dict(NEUTRAL) | {name: _nearest(_all_of(dimensions[name]), AXES[name]) for name in _MAIN}
        self._searched = [name for name in _MAIN if isinstance(dimensions[name], Choice | Range)]

    @property
    def is_empty(self) -> bool:
        return not is_feasible(self.least, self._blocks)

    def offer(self, name: str, before: Mapping[str, Any]) -> Offer:
        """The values that an axis can have beside those of axes `before` it, ascending or as listed.

        A setting of a technique that is not at work has its default.
        """
        if is_neutral(name, {**self.least, **before}):
            return [AXES[name].neutral]

        def fits(value: Any) -> bool:
            return is_feasible({**self.least, **before, name: value}, self._blocks)

        offer = _all_of(self._dimensions[name])
        return offer if name in SETTING_OF else _restrict(offer, AXES[name], fits)

    def sizes(self, name: str) -> set[float]:
        """How many values of a searched axis are on offer, and how many beside what an axis before it takes at most."""
        before = self._searched[: self._searched.index(name)]
        farthest = [{other: _farthest(self.offer(other, {}), AXES[other])} for other in before]
        return {size_of(self.offer(name, values)) for values in ({}, *farthest)}

    def parts(self) -> Iterator[dict[str, Offer]]:
        """All feasible strategies, as products of values by axis; the axes' values in their order, the first axis slowest."""
        if not self.is_empty:
            yield from self._parts(list(AXES), {}, {})

    def _parts(self, names: Sequence[str], before: dict[str, Any], offers: dict[str, Offer]) -> Iterator[dict[str, Offer]]:
        """names: of the axes that are left; before: of each axis before a value that stands for those in `offers`."""
        if not names:
            yield offers
            return
        name, rest = names[0], names[1:]
        for run in self._runs(name, before, rest):
            yield from self._parts(rest, before | {name: first_of(run)}, offers | {name: run})

    def _runs(self, name: str, before: Mapping[str, Any], rest: Sequence[str]) -> Iterator[Offer]:
        """An axis' offer, in stretches of neighbors that leave the axes behind the same."""
        offer = self.offer(name, before)
        if isinstance(offer, Range):
            yield offer
            return

        def left_by(value: Any) -> list[tuple[float, Any]]:
            offers = [self.offer(other, {**before, name: value}) for other in rest]
            return [(size_of(of), first_of(of)) for of in offers]

        axis = AXES[name]
        if left_by(_nearest(offer, axis)) == left_by(_farthest(offer, axis)):
            yield offer
            return
        start = 0
        while start < len(offer):
            first = left_by(offer[start])
            has_changed = partial(lambda first, index: left_by(offer[index]) != first, first)
            if isinstance(offer, list):
                end = next(filter(has_changed, range(start, len(offer))), len(offer))
            else:  # sorted, so that what has changed once does not change back
                end = bisect.bisect_left(range(len(offer)), True, lo=start, key=has_changed)
            yield offer[start:end]
            start = end


def size_of(offer: Offer) -> float:
    """How many values are on offer; infinitely many of a range that cannot be counted."""
    return float("inf") if isinstance(offer, Range) else len(offer)


def _all_of(dimension: Any) -> Offer:
    match dimension:
        case Choice():
            return dimension.choice
        case Range():
            grid = dimension.grid()
            return dimension if grid is None else grid
        case _:
            return [dimension]


def first_of(offer: Offer) -> Any:
    """The first value on offer; None where there is none."""
    return offer.low if isinstance(offer, Range) else offer[0] if len(offer) else None


def _extreme(offer: Offer, key: Callable[[Any], float]) -> Any:
    """The value with the smallest key, which is at one end of numbers in order."""
    if isinstance(offer, Range):
        return min((offer.low, offer.high), key=key)
    return min(offer if isinstance(offer, list) else (offer[0], offer[-1]), key=key)


def _nearest(offer: Offer, axis: Axis) -> Any:
    return _extreme(offer, axis.distance)


def _farthest(offer: Offer, axis: Axis) -> Any:
    return _extreme(offer, lambda value: -axis.distance(value))


def _restrict(offer: Offer, axis: Axis, fits: Callable[[Any], bool]) -> Offer:
    """The values that fit; if one does, so do those that are nearer to neutral."""
    if fits(_farthest(offer, axis)):
        return offer
    if isinstance(offer, Range):
        near = _nearest(offer, axis)
        return [near] if fits(near) else []
    if isinstance(offer, list):
        return [value for value in offer if fits(value)]
    if axis.distance(offer[0]) <= axis.distance(offer[-1]):
        return offer[: bisect.bisect_left(range(len(offer)), True, key=lambda index: not fits(offer[index]))]
    return offer[bisect.bisect_left(range(len(offer)), True, key=lambda index: fits(offer[index])) :]
