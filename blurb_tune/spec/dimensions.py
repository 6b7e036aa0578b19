"""One dimension of a search space: a fixed value, a choice, or a range."""

from __future__ import annotations

import math
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from typing_extensions import TypeAliasType

T = TypeVar("T")


class SpecModel(BaseModel):
    """Base of all sections: unknown keys are errors, types are strict, values cannot be changed later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Choice(SpecModel, Generic[T]):
    """One of several values, `{choice: [a, b]}` or just `[a, b]`."""

    choice: list[T] = Field(min_length=1, description="the values to choose from")

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        return {"choice": data} if isinstance(data, list) else data

    @model_validator(mode="after")
    def _no_duplicates(self) -> Choice[T]:
        repeated = [value for index, value in enumerate(self.choice) if value in self.choice[:index]]
        if repeated:
            raise ValueError(f"the values of a choice must differ, but {repeated[0]!r} stands twice")
        return self


class Range(SpecModel, Generic[T]):
    """All numbers from `low` to `high`, both included, `{low: a, high: b}`."""

    low: T = Field(description="the smallest value")
    high: T = Field(description="the largest value")
    step: T | None = Field(None, gt=0, description="distance of neighbours; null: 1 for integers, none for floats")
    log: bool = Field(False, description="sample uniformly in the logarithm; not together with step")

    @model_validator(mode="after")
    def _consistent(self) -> Range[T]:
        low, high = cast(tuple[float, float], (self.low, self.high))
        if not low < high:
            raise ValueError(f"`low < high` must hold, but got (low={low}, high={high})")
        if self.log and low <= 0:
            raise ValueError(f"a log range must have `low > 0`, but got (low={low})")
        if self.log and self.step is not None:
            raise ValueError("a range has `log` or `step`, not both")
        return self

    def grid(self) -> list[Any] | None:
        """The values in ascending order, or None when they are not countable (a float range without step)."""
        low, high, step = cast(tuple[Any, Any, Any], (self.low, self.high, self.step))
        if isinstance(low, int) and isinstance(high, int):
            return list(range(low, high + 1, step or 1))
        if step is None:
            return None
        return [round(low + index * step, 12) for index in range(math.floor((high - low) / step + 1e-9) + 1)]


def _shape(data: Any) -> str:
    if isinstance(data, Choice):
        return "choice"
    if isinstance(data, Range):
        return "range"
    if isinstance(data, list) or (isinstance(data, dict) and "choice" in data):
        return "choice"
    if isinstance(data, dict):
        return "range"
    return "value"


Dimension = TypeAliasType(
    "Dimension",
    Annotated[
        Annotated[T, Tag("value")] | Annotated[Choice[T], Tag("choice")] | Annotated[Range[T], Tag("range")],
        Discriminator(_shape),
    ],
    type_params=(T,),
)
Options = TypeAliasType(
    "Options",
    Annotated[Annotated[T, Tag("value")] | Annotated[Choice[T], Tag("choice")], Discriminator(_shape)],
    type_params=(T,),
)
DIMENSION_TAGS = frozenset({"value", "choice", "range"})


def values_of(dimension: Any) -> list[Any] | None:
    """All values a dimension can take, ascending or as listed; None when they are not countable."""
    match dimension:
        case Choice():
            return list(dimension.choice)
        case Range():
            return dimension.grid()
        case _:
            return [dimension]


def bounds_of(dimension: Any) -> tuple[Any, Any]:
    """The smallest and the largest value of a numeric dimension."""
    match dimension:
        case Choice():
            return min(dimension.choice), max(dimension.choice)
        case Range():
            return dimension.low, dimension.high
        case _:
            return dimension, dimension
