"""Seeds in a spec: a count, a list, or how many of two kinds are crossed."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from blurb_tune.spec.dimensions import duplicates

MAX_SEEDS = 10_000
MAX_CROSSED = 100
_MOST_SHOWN = 10


def _seed_list(value: Any) -> Any:
    if isinstance(value, dict):
        shape = f"`{{init: 5, order: 5}}`, each from 2 to {MAX_CROSSED}"
        raise ValueError(f"expected how many seeds, a list of them, or {shape}, but got {value!r}")
    if isinstance(value, str | bool | float | None):
        raise ValueError(f"expected how many seeds, or a list of them, but got {value!r}")
    if isinstance(value, int):
        if not 1 <= value <= MAX_SEEDS:
            limit = "at least one seed" if value < 1 else f"at most {MAX_SEEDS:,} seeds"
            raise ValueError(f"expected {limit}, but got {value}")
        return list(range(value))
    return value


def _distinct(seeds: list[int]) -> list[int]:
    if twice := sorted(set(duplicates(seeds))):
        more = ["..."] if len(twice) > _MOST_SHOWN else []
        raise ValueError(f"seeds must differ, but {', '.join([*map(str, twice[:_MOST_SHOWN]), *more])} stands more than once")
    return seeds


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**63)]],
    Field(min_length=1, max_length=MAX_SEEDS),
    AfterValidator(_distinct),
    BeforeValidator(_seed_list),
]

CrossedCount = Annotated[int, Field(ge=2, le=MAX_CROSSED)]
