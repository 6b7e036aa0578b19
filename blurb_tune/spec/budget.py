"""The budget section: what a search may cost, and how durations are written."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from blurb_tune.spec.dimensions import SpecModel

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([dhms])\s*")
_LONGEST = 10 * 366 * 86_400


def _seconds(value: Any) -> Any:
    """Seconds, from a number of them or from parts such as `1d 12h`, `90m`."""
    seconds = value
    if isinstance(value, str):
        text = value.strip().lower()
        if not _PART.sub("", text) and text:
            seconds = math.fsum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST:
        raise ValueError(f"expected a duration such as `8h`, `90m` or `1d 12h`, or seconds, more than 0, but got {value!r}")
    return float(seconds)


def format_duration(seconds: float) -> str:
    """The two largest units that count, such as `1 d 12 h`."""
    left, parts = round(seconds), []
    for unit, size in _UNITS.items():
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit if unit != 'm' else 'min'}")
    return " ".join(parts[:2]) or "0 s"


Duration = Annotated[float, BeforeValidator(_seconds)]


class BudgetSpec(SpecModel):
    """What ends a search before all of its plan has run: whichever comes first. Runs at work end by themselves; the best of
    what there is wins, and confirmation and the final test come on top."""

    trials: Annotated[int, Field(ge=1)] | None = Field(None, description="trials that may begin")
    wall_time: Duration | None = Field(None, description="time since the start, of all drivers together, such as `8h`")
    training_time: Duration | None = Field(None, description="training and evaluation of all trials together, such as `2d`")
    settled: bool = Field(False, description="stop when all configurations but one have lost, even if that one lacks seeds")


def budget_fault(name: str, value: Any) -> str:
    """What is wrong with one setting of a budget; empty where nothing is."""
    try:
        BudgetSpec.model_validate({name: value})
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return ""
