"""One dimension of a search space: a fixed value, a choice, or a range."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Annotated, Any, Generic, TypeVar, cast, overload

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from typing_extensions import TypeAliasType

T = TypeVar("T")

MAX_CHOICES = 10_000
# Beyond it not every whole number is a float, which samplers and JSON make of it.
MAX_NUMBER = 2**53


class SpecModel(BaseModel):
    """Base of all sections: unknown keys are errors, types are strict, values cannot be changed later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Choice(SpecModel, Generic[T]):
    """One of several values, `{choice: [a, b]}` or just `[a, b]`."""

    choice: list[T] = Field(min_length=1, max_length=MAX_CHOICES, description="the values to choose from")

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        return {"choice": data} if isinstance(data, list) else data

    @model_validator(mode="after")
    def _no_duplicates(self) -> Choice[T]:
        for value in duplicates(self.choice):
            raise ValueError(f"the values of a choice must differ, but {value!r} stands twice")
        return self


def duplicates(values: Iterable[T]) -> Iterator[T]:
    """The values, hashable, that have stood before."""
    seen: set[T] = set()
    for value in values:
        if value in seen:
            yield value
        seen.add(value)


class FloatGrid(Sequence[float]):
    """The numbers low, low + step, ... up to high, with 12 decimals, or more where these are finer; none is stored."""

    def __init__(self, low: float, high: float, step: float):
        self._low, self.step = low, step
        finest = min(step, low or step)
        self._decimals = 12 if finest >= 1e-11 else 10 - math.floor(math.log10(finest))
        # As the decimals are written, not as they are stored: in floats a bound that lies on the grid can be missed.
        exact = (Fraction(repr(high)) - Fraction(repr(low))) / Fraction(repr(step))
        self._first, self._size = 0, math.floor(exact + Fraction(1, 10**9)) + 1

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[float]: ...
    def __getitem__(self, index: int | slice) -> float | Sequence[float]:
        if isinstance(index, slice):
            return self._slice(*index.indices(self._size))
        if not -self._size <= index < self._size:
            raise IndexError(f"the grid has {self._size} values, but got index {index}")
        return round(self._low + (self._first + index % self._size) * self.step, self._decimals)

    def _slice(self, start: int, stop: int, step: int) -> Sequence[float]:
        """A grid of neighbors, a list of others."""
        if step != 1:
            return [self[number] for number in range(start, stop, step)]
        part = copy.copy(self)
        part._first, part._size = self._first + start, max(0, stop - start)
        return part

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.nearest(value) == value

    def index(self, value: Any, start: int = 0, stop: int = sys.maxsize) -> int:
        """The index of a value. Raises ValueError when it is not on the grid, or not from `start` to before `stop`."""
        found = self._nearest(value)
        if self[found] != value or not start <= found < stop:
            raise ValueError(f"{value!r} is not on the grid")
        return found

    def nearest(self, value: float) -> float:
        """The value of the grid that lies nearest to a number."""
        return self[self._nearest(value)]

    def _nearest(self, value: float) -> int:
        last = self._size - 1
        guess = round(min(max((value - self._low) / self.step - self._first, 0), last))
        # What was rounded on the way can put the guess one beside.
        near = {min(max(guess + offset, 0), last) for offset in (-1, 0, 1)}
        return min(near, key=lambda index: abs(self[index] - value))


class Range(SpecModel, Generic[T]):
    """All numbers from `low` to `high`, both included, `{low: a, high: b}`."""

    low: T = Field(description="the smallest value")
    high: T = Field(description="the largest value")
    step: T | None = Field(None, gt=0, description="distance of neighbors; null: 1 for integers, none for floats")
    log: bool = Field(False, description="sample uniformly in the logarithm; not together with step")

    @model_validator(mode="before")
    @classmethod
    def _has_bounds(cls, data: Any) -> Any:
        """One error for a range as another tool writes it, and not one for each of its keys."""
        if isinstance(data, dict) and not data.keys() & {"low", "high"}:
            shapes = "a value, a choice `[a, b]`, or a range `{low: a, high: b}`, with `step` or `log: true`"
            raise ValueError(f"expected {shapes}, but got {data!r}")
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Range[T]:
        low, high, step = cast(tuple[float, float, float | None], (self.low, self.high, self.step))
        if low is None or high is None:
            raise ValueError("`low` and `high` must be numbers; write a choice to have null among the values")
        if not low < high:
            raise ValueError(f"`low < high` must hold, but got (low={low}, high={high})")
        if self.log and low <= 0:
            raise ValueError(f"a log range must have `low > 0`, but got (low={low})")
        if self.log and self.step is not None:
            raise ValueError("a range has `log` or `step`, not both")
        if isinstance(step, float) and step < 8 * math.ulp(high):
            raise ValueError(f"a `step` of {step} is too small to tell the numbers next to {high} from each other")
        return self

    @property
    def unreached_bound(self) -> str:
        """What is to be said where no step ends at `high`; empty where one does."""
        values, high = self.grid(), cast(float, self.high)
        if values is None or high - values[-1] <= 1e-9 * (cast(float | None, self.step) or 1):
            return ""
        return f"steps of {self.step} from {self.low} end at {values[-1]}, and {high} is never tried"

    def grid(self) -> Sequence[Any] | None:
        """The values in ascending order, computed on demand; None when they are not countable (a float range without step)."""
        low, high, step = cast(tuple[Any, Any, Any], (self.low, self.high, self.step))
        if isinstance(low, int) and isinstance(high, int):
            return range(low, high + 1, step or 1)
        return None if step is None else FloatGrid(low, high, step)


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


def values_of(dimension: Any) -> Sequence[Any] | None:
    """All values a dimension can take, ascending or as listed; None when they are not countable."""
    match dimension:
        case Choice():
            return dimension.choice
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
