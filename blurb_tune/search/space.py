"""The search space as Optuna sees it: parameters to suggest, and the configuration that follows from them."""

from __future__ import annotations

from typing import Any

import optuna

from blurb_tune.search.combinations import axes
from blurb_tune.spec.dimensions import Choice, Range, bounds_of, values_of
from blurb_tune.spec.schema import SpaceSpec
from blurb_tune.trial import STRATEGY_NAMES, Configuration, Strategy

RANK = "reinit_count_rank"


class SearchSpace:
    """A space for a model with `blocks` encoder blocks.

    `freeze_depth + reinit_count <= blocks` holds by construction: where the two axes could break it, the values of
    `reinit_count` on offer depend on the `freeze_depth` just drawn.
    """

    def __init__(self, spec: SpaceSpec, blocks: int):
        self._spec = spec
        self._blocks = blocks
        self._strategies = {s.strategy.label: s.strategy for s in spec.strategy or []}
        self._dimensions = {name: getattr(spec, name) for name in axes(spec) if name != "strategy"}
        if not self._strategies:
            room = blocks - bounds_of(spec.reinit_count)[0]
            self._dimensions["freeze_depth"] = _at_most(spec.freeze_depth, room)
            if not isinstance(self._dimensions["freeze_depth"], Choice | Range):
                room = blocks - self._dimensions["freeze_depth"]
                self._dimensions["reinit_count"] = _at_most(spec.reinit_count, room)

    def suggest(self, trial: optuna.trial.Trial) -> Configuration:
        """Draw a configuration."""
        values: dict[str, Any] = {}
        if self._strategies:
            strategy = self._strategies[trial.suggest_categorical("strategy", list(self._strategies))]
            values = {name: getattr(strategy, name) for name in STRATEGY_NAMES}
        for name, dimension in self._dimensions.items():
            if name == "reinit_count":
                values[name] = self._suggest_reinit_count(trial, values["freeze_depth"])
            else:
                values[name] = _suggest(trial, name, dimension)
        return Configuration(**values)

    def parameters_of(self, configuration: Configuration) -> dict[str, Any]:
        """What `suggest` would have to draw to arrive at `configuration`, which must lie in the space."""
        parameters: dict[str, Any] = {}
        if self._strategies:
            parameters["strategy"] = configuration.strategy.label
        for name, dimension in self._dimensions.items():
            value = getattr(configuration, name)
            if name == "reinit_count" and self._is_ranked:
                parameters[RANK] = sorted(values_of(dimension) or []).index(value)
            elif isinstance(dimension, Choice | Range):
                parameters[name] = value
        return parameters

    def vanilla_parameters(self) -> dict[str, Any] | None:
        """Parameters of vanilla fine-tuning, the other axes left to the sampler; None where the space does not hold it."""
        vanilla = Strategy()
        if self._strategies:
            return {"strategy": vanilla.label} if vanilla.label in self._strategies else None
        if not all(_holds(self._dimensions[name], getattr(vanilla, name)) for name in STRATEGY_NAMES):
            return None
        parameters = self.parameters_of(Configuration())
        return {name: value for name, value in parameters.items() if name in STRATEGY_NAMES or name == RANK}

    @property
    def _is_ranked(self) -> bool:
        """Choices are drawn by rank, because Optuna's categories cannot change from trial to trial."""
        freeze, reinit = self._dimensions["freeze_depth"], self._dimensions["reinit_count"]
        if not isinstance(reinit, Choice) or not isinstance(freeze, Choice | Range):
            return False
        return bool(bounds_of(freeze)[1] + bounds_of(reinit)[1] > self._blocks)

    def _suggest_reinit_count(self, trial: optuna.trial.Trial, freeze_depth: int) -> int:
        room = self._blocks - freeze_depth
        dimension = self._dimensions["reinit_count"]
        if self._is_ranked:
            offered = sorted(value for value in dimension.choice if value <= room)
            return int(offered[trial.suggest_int(RANK, 0, len(offered) - 1)])
        if isinstance(dimension, Range):
            return int(_suggest(trial, "reinit_count", _at_most(dimension, room, keep_range=True)))
        return int(_suggest(trial, "reinit_count", dimension))


def _suggest(trial: optuna.trial.Trial, name: str, dimension: Any) -> Any:
    match dimension:
        case Choice():
            return trial.suggest_categorical(name, dimension.choice)
        case Range(low=int(low), step=step, log=log) if name in INTEGER_NAMES:
            return trial.suggest_int(name, low, _last(dimension), step=step or 1, log=log)
        case Range(low=low, step=step, log=log):
            return trial.suggest_float(name, low, _last(dimension), step=step, log=log)
        case _:
            return dimension


INTEGER_NAMES = frozenset({"freeze_depth", "reinit_count", "batch_size", "epochs"})


def _holds(dimension: Any, value: float) -> bool:
    if isinstance(dimension, Range) and dimension.grid() is None:
        return bool(dimension.low <= value <= dimension.high)
    return value in (values_of(dimension) or [])


def _last(dimension: Range[Any]) -> Any:
    """The largest value on the grid of a range, which need not be its bound."""
    grid = dimension.grid()
    return grid[-1] if grid else dimension.high


def _at_most(dimension: Any, limit: int, *, keep_range: bool = False) -> Any:
    """The part of an integer dimension that is not above `limit`; a single value that is left becomes fixed."""
    left = [value for value in values_of(dimension) or [] if value <= limit]
    if not left:
        raise ValueError(f"no value of {dimension} is at most {limit}")
    if isinstance(dimension, Range) and (keep_range or len(left) > 1):
        return dimension.model_copy(update={"high": left[-1]})
    return left[0] if len(left) == 1 else Choice(choice=left)
