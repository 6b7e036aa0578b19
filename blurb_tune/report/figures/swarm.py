"""Dots beside each other where they would lie on each other."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence


def swarm(xs: Sequence[float], size: float, most: float) -> list[float]:
    """The offset in y of each dot, in the order of `xs`: the nearest to 0 at which it is `size` away from all before it, in
    at most `most` in either direction; where all are taken, one of these after the other."""
    step = size / 2
    levels = [0.0]
    while levels[-1] + step <= most or (levels[-1] < 0 and -levels[-1] + step <= most):
        last = levels[-1]
        levels.append(-last if last > 0 else -last + step)
    if levels[-1] > 0:
        levels.append(-levels[-1])
    placed: list[tuple[float, float]] = []
    offsets = [0.0] * len(xs)
    overfull = 0
    for index in sorted(range(len(xs)), key=lambda i: (xs[i], i)):
        x = xs[index]
        near = placed[bisect_left(placed, (x - size, -most - 1)) :]
        for level in levels:
            if all((x - other) ** 2 + (level - y) ** 2 >= size * size * 0.98 for other, y in near):
                break
        else:
            level = levels[overfull % len(levels)]
            overfull += 1
        offsets[index] = level
        insort(placed, (x, level))
    return offsets
