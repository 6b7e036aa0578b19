"""The search space as Optuna sees it: parameters to suggest, and the configuration that follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import optuna

from blurb_tune.core.trial import STRATEGY_NAMES, Configuration, Strategy
from blurb_tune.search.combinations import axes, contains, feasible, has_strategy, why_empty
from blurb_tune.search.feasible import Offer, first_of
from blurb_tune.spec.dimensions import Choice, FloatGrid, Range
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.techniques.registry import AXES, SETTING_OF, is_feasible, is_neutral

# Of a step. To Optuna a number lies on a grid when it is off by less than 1e-8, which rounding alone exceeds on a fine one.
_ROUNDING = 1e-9


class SearchSpace:
    """A space for the models in `blocks`, which gives the number of encoder blocks (L) by model name.

    Only feasible strategies are drawn: what is on offer of a technique's axis depends on the model and on the axes drawn
    before, as with `freeze_depth + reinit_count <= L`. From trial to trial Optuna lets the bounds of a number change, but not
    the categories of a choice. So a range ends earlier; a choice is drawn by rank from the neutral value, which stands for the
    same value whatever else is on offer; a model that cannot have every strategy of a list has the others under a parameter
    name of its own. TPE models such parameters one by one, from all trials that have them, and the rest jointly.

    Raises ValueError when a model has no feasible configuration.
    """

    def __init__(self, spec: SpaceSpec, blocks: Mapping[str, int]):
        for model, limit in blocks.items():
            if not has_strategy(spec, limit):
                raise ValueError(why_empty(spec, model, limit))
        self._blocks = dict(blocks)
        self._feasible = {model: feasible(spec, limit) for model, limit in blocks.items()}
        self._strategies = {s.strategy.label: s.strategy for s in spec.strategy or []}
        self._dimensions = {name: getattr(spec, name) for name in axes(spec, blocks) if name not in ("model", "strategy")}
        self._ranked = {name for name in STRATEGY_NAMES if name in self._dimensions and self._is_ranked(name)}

    @property
    def parameter_names(self) -> list[str]:
        """All that `suggest` may ask a trial for, in the order in which it does."""
        names = ["model"] if len(self._blocks) > 1 else []
        if self._strategies:
            names += dict.fromkeys(map(self._strategy_name, self._blocks))
        searched = [name for name, dimension in self._dimensions.items() if isinstance(dimension, Choice | Range)]
        return names + [_rank(name) if name in self._ranked else name for name in searched]

    def suggest(self, trial: optuna.trial.Trial) -> Configuration:
        """Draw a configuration."""
        models = list(self._blocks)
        model = trial.suggest_categorical("model", models) if len(models) > 1 else models[0]
        values: dict[str, Any] = {"model": model}
        if self._strategies:
            offered = self._strategies_of(model)
            values |= asdict(offered[trial.suggest_categorical(self._strategy_name(model), list(offered))])
        for name, dimension in self._dimensions.items():
            if is_neutral(name, values):
                values[name] = AXES[name].neutral
            elif name in STRATEGY_NAMES:
                values[name] = self._suggest_feasible(trial, name, self._feasible[model].offer(name, values))
            else:
                values[name] = _suggest(trial, name, dimension)
        return Configuration(**values)

    def parameters_of(self, configuration: Configuration) -> dict[str, Any]:
        """What `suggest` would have to draw to arrive at `configuration`, which must lie in the space."""
        searched = (name for name, dimension in self._dimensions.items() if isinstance(dimension, Choice | Range))
        others = {name: getattr(configuration, name) for name in searched if name not in STRATEGY_NAMES}
        return self._parameters_of(configuration.model, configuration.strategy) | others

    def vanilla_parameters(self, model: str) -> dict[str, Any] | None:
        """Parameters of vanilla fine-tuning of a model, the other axes left to the sampler; None where the space lacks it."""
        vanilla = Strategy()
        if self._strategies:
            is_there = vanilla.label in self._strategies
        else:
            mains = (name for name in STRATEGY_NAMES if name not in SETTING_OF)
            is_there = all(contains(self._dimensions[name], getattr(vanilla, name)) for name in mains)
        return self._parameters_of(model, vanilla) if is_there else None

    def _parameters_of(self, model: str, strategy: Strategy) -> dict[str, Any]:
        parameters: dict[str, Any] = {"model": model} if len(self._blocks) > 1 else {}
        if self._strategies:
            return parameters | {self._strategy_name(model): strategy.label}
        for name in STRATEGY_NAMES:
            dimension, value = self._dimensions[name], getattr(strategy, name)
            if is_neutral(name, asdict(strategy)):
                continue
            if name in self._ranked:
                parameters[_rank(name)] = sorted(dimension.choice, key=AXES[name].distance).index(value)
            elif isinstance(dimension, Choice | Range):
                parameters[name] = value
        return parameters

    def _strategies_of(self, model: str) -> dict[str, Strategy]:
        """The strategies of the list that fit the model, by label."""
        return {label: s for label, s in self._strategies.items() if is_feasible(asdict(s), self._blocks[model])}

    def _strategy_name(self, model: str) -> str:
        has_all = len(self._strategies_of(model)) == len(self._strategies)
        return "strategy" if has_all else f"strategy_within_{self._blocks[model]}"

    def _is_ranked(self, name: str) -> bool:
        """Whether it depends on what was drawn before which values of a choice are on offer."""
        if name in SETTING_OF or not isinstance(self._dimensions[name], Choice):
            return False
        return len(set[float]().union(*(of.sizes(name) for of in self._feasible.values()))) > 1

    def _suggest_feasible(self, trial: optuna.trial.Trial, name: str, offer: Offer) -> Any:
        if name in self._ranked:
            values = sorted(offer, key=AXES[name].distance) if not isinstance(offer, Range) else []
            return values[trial.suggest_int(_rank(name), 0, len(values) - 1)]
        dimension = self._dimensions[name]
        if not isinstance(dimension, Choice | Range) or (isinstance(dimension, Range) and isinstance(offer, list)):
            return first_of(offer)
        if isinstance(offer, list):
            return trial.suggest_categorical(name, offer)
        return _suggest_number(trial, name, offer, log=isinstance(dimension, Range) and dimension.log)


def _suggest(trial: optuna.trial.Trial, name: str, dimension: Any) -> Any:
    match dimension:
        case Choice():
            return trial.suggest_categorical(name, dimension.choice)
        case Range():
            grid = dimension.grid()
            return _suggest_number(trial, name, dimension if grid is None else grid, log=dimension.log)
        case _:
            return dimension


def _suggest_number(trial: optuna.trial.Trial, name: str, offer: Offer, *, log: bool) -> Any:
    match offer:
        case Range(low=low, high=high):
            return trial.suggest_float(name, low, high, log=log)
        case FloatGrid():
            return _suggest_step(trial, name, offer)
        case range():
            return trial.suggest_int(name, offer[0], offer[-1], step=offer.step, log=log)
    raise TypeError(f"no numbers: {offer}")


def _suggest_step(trial: optuna.trial.Trial, name: str, grid: FloatGrid) -> float:
    """A number of the grid. Optuna rounds by a formula of its own, and of a fine grid it draws any number."""
    is_fine = math.ulp(grid[-1]) > _ROUNDING * grid.step
    return grid.nearest(trial.suggest_float(name, grid[0], grid[-1], step=None if is_fine else grid.step))


def _rank(name: str) -> str:
    return f"{name}_rank"
