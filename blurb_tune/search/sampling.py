"""Indices drawn without replacement, one at a time, however many there are."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence


def sample(generator: random.Random, size: int, number: int) -> Iterator[int]:
    """`number` of the indices below `size`, no index twice: those of `generator.sample(range(size), number)`.

    `random.sample` needs a size that `len` can say, and lists all that is asked for; what is drawn here was drawn by it in
    earlier versions, and a sweep that is taken up again must go on with the same. Raises ValueError for more than there are.
    """
    if not 0 <= number <= size:
        raise ValueError(f"`0 <= number <= size` must hold, but got (number={number}, size={size})")
    is_small = size <= 21 + (4 ** math.ceil(math.log(number * 3, 4)) if number > 5 else 0)
    return _without_drawn(generator, size, number) if is_small else _until_new(generator, size, number)


def _without_drawn(generator: random.Random, size: int, number: int) -> Iterator[int]:
    """Fisher and Yates' shuffle, of which only the places are kept that have changed."""
    moved: dict[int, int] = {}
    for left in range(size, size - number, -1):
        place = generator.randrange(left)
        yield moved.get(place, place)
        moved[place] = moved.pop(left - 1, left - 1)


def _until_new(generator: random.Random, size: int, number: int) -> Iterator[int]:
    drawn: set[int] = set()
    while len(drawn) < number:
        index = generator.randrange(size)
        if index not in drawn:
            drawn.add(index)
            yield index


def nth_not_skipped(skipped: Sequence[int], index: int) -> int:
    """Which index is the one numbered `index` when those in `skipped`, ascending, are not counted."""
    for other in skipped:
        if index >= other:
            index += 1
    return index
