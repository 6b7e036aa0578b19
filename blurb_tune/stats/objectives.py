"""What makes one number of a configuration's seeds: a table with an entry each, and how they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurb_tune.core.errors import did_you_mean

Parts = Sequence[NDArray[np.float64]]


@dataclass(frozen=True)
class Setting:
    """default, and low < value <= high."""

    default: float
    low: float
    high: float


@dataclass(frozen=True)
class Objective:
    """meaning: for the page of settings. function: of the scores of one configuration, or of those of each of several, shape
    (n,) each, and the settings; higher is better."""

    meaning: str
    function: Callable[..., float]
    settings: Mapping[str, Setting] = field(default_factory=dict)


def pooled_std(parts: Parts) -> float:
    """sqrt(sum (n_i - 1) s_i^2 / sum (n_i - 1)) of samples of shape (n_i,); NaN where none has two scores."""
    freedom = sum(part.size - 1 for part in parts)
    if not freedom:
        return math.nan
    return math.sqrt(float(sum(((part - part.mean()) ** 2).sum() for part in parts)) / freedom)


def _mean_minus_std(parts: Parts, weight: float) -> float:
    std = pooled_std(parts)
    return float(np.concatenate(parts).mean()) - (0.0 if math.isnan(std) else weight * std)


def _cvar(parts: Parts, share: float) -> float:
    """Conditional value at risk (Rockafellar & Uryasev 2002, J. Bank. Finance 26:1443, proposition 8): the mean of the lowest
    scores that make up this share, the last of them in part."""
    scores = np.sort(np.concatenate(parts))
    room = share * scores.size
    whole = math.floor(room + 1e-9)
    if not whole:
        return float(scores[0])
    rest = room - whole
    total = float(scores[:whole].sum()) + (rest * float(scores[whole]) if rest > 1e-9 else 0.0)
    return total / (whole + rest)


OBJECTIVES: Mapping[str, Objective] = {
    "mean_minus_std": Objective(
        "the mean minus `weight` standard deviations", _mean_minus_std, {"weight": Setting(1.0, 0.0, 100.0)}
    ),
    "mean": Objective("the mean", lambda parts: float(np.concatenate(parts).mean())),
    "median": Objective("the median", lambda parts: float(np.median(np.concatenate(parts)))),
    "worst": Objective("the lowest score", lambda parts: float(np.concatenate(parts).min())),
    "quantile": Objective(
        "the score that a share `q` of the seeds is below",
        lambda parts, q: float(np.quantile(np.concatenate(parts), q)),
        {"q": Setting(0.25, 0.0, 1.0)},
    ),
    "cvar": Objective("the mean of the worst `share` of the seeds", _cvar, {"share": Setting(0.25, 0.0, 1.0)}),
    "pareto": Objective(
        "two at once, the mean up and the standard deviation down; of those that no other beats in both the one with the "
        "highest difference of the two wins",
        lambda parts: _mean_minus_std(parts, 1.0),
    ),
}  # fmt: skip
_WRITTEN = re.compile(r"(\w+)(?:\((\w+)=([^()=]+)\))?")


def format_objective(name: str, settings: Mapping[str, Any]) -> str:
    """How an objective is written in one word, such as `quantile(q=0.1)`, settings at their default left out.

    Raises ValueError for an unknown name or setting, or one out of its bounds.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"unknown objective {name!r}{did_you_mean(name, OBJECTIVES)}")
    known = OBJECTIVES[name].settings
    said = []
    for key, value in settings.items():
        if key not in known:
            hint = did_you_mean(key, known) if known else ", which has no settings"
            raise ValueError(f"unknown setting {key!r} of the objective {name!r}{hint}")
        bounds = known[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not bounds.low < value <= bounds.high:
            raise ValueError(f"{key} must be above {bounds.low:g} and at most {bounds.high:g}, but got {value!r}")
        said += [f"{key}={float(value)!r}"] if value != bounds.default else []
    return f"{name}({', '.join(said)})" if said else name


def parse(text: str) -> tuple[str, dict[str, float]]:
    """The inverse of `format_objective`, with every setting. Raises ValueError for what `format_objective` does not write."""
    found = _WRITTEN.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ValueError(f"expected an objective, such as `mean_minus_std` or `quantile(q=0.1)`, but got {text!r}")
    name, key, value = found.groups()
    given: dict[str, float] = {}
    if key is not None:
        try:
            given[key] = float(value)
        except ValueError:
            raise ValueError(f"{key} must be a number, but got {value!r}") from None
    format_objective(name, given)
    return name, {key: setting.default for key, setting in OBJECTIVES[name].settings.items()} | given


def aggregate(objective: str, *samples: Sequence[float]) -> float:
    """One number for a configuration from its seeds' scores, shape (n,), or for several from those of each.

    Higher is better; NaN when there are no scores. objective: as `format_objective` writes it. Raises ValueError for an
    unknown one.
    """
    function, settings = _find(objective)
    parts = [np.asarray(scores, dtype=float) for scores in samples if len(scores)]
    return function(parts, **settings) if parts else math.nan


@lru_cache(maxsize=64)
def _find(objective: str) -> tuple[Callable[..., float], dict[str, float]]:
    name, settings = parse(objective)
    return OBJECTIVES[name].function, settings
