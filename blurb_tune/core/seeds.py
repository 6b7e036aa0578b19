"""Independent generators derived from one seed by name.

A trial's seed drives its head and re-initialization, its data order and its dropout. Each gets a seed of its own, so that
changing one (more re-initialized blocks, say) leaves the others as they were and trials stay paired by seed.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Sequence

_FIRST_CONFIRMATION_SEED = 1_000_000


def confirmation_seeds(count: int, taken: Collection[int]) -> list[int]:
    """So many seeds that are not `taken`, out of the way of those that a sweep may be extended by."""
    return list(itertools.islice((s for s in itertools.count(_FIRST_CONFIRMATION_SEED) if s not in taken), count))


def more_seeds(seeds: Sequence[int], count: int, taken: Collection[int] = ()) -> list[int]:
    """These seeds and the smallest others that are not `taken`, up to `count` in all; the same ones where they are as many."""
    others = (s for s in itertools.count() if s not in set(seeds) and s not in taken)
    return [*seeds, *itertools.islice(others, max(0, count - len(seeds)))]


def streams(seed: int, crossed: Sequence[int] | None) -> tuple[int, int]:
    """The seeds of a trial's initialization, and of its data order and dropout.

    crossed: how many of each are crossed; the first a * b seeds stand for their pairs, the order fastest. All others, such as
    those of a confirmation, are both.
    """
    if crossed is None or seed >= crossed[0] * crossed[1]:
        return seed, seed
    return divmod(seed, crossed[1])


def derive(seed: int, *names: str | int) -> int:
    """A seed in [0, 2**63) for the purpose that `names` spell out; the same on every machine and Python version.

    All of `seed` counts, and all of it is in every bit: torch's generator on the CPU reads the lowest 32 bits alone, to which
    5 and 5 + 2**32 are the same seed.
    """
    text = "/".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def derive_share(seed: int, *names: str | int) -> float:
    """A uniform number in [0, 1) for the purpose that `names` spell out."""
    return derive(seed, *names) / 2**63
