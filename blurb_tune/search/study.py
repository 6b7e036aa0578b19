"""The study of configurations: one Optuna study whose trials are configurations, each judged by all its seeds."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.trial import TrialState

from blurb_tune.core.seeds import derive
from blurb_tune.core.trial import Configuration
from blurb_tune.search.combinations import Combinations, count_kinds, count_of_each, planned_configurations
from blurb_tune.search.samplers import SAMPLERS, Request
from blurb_tune.search.sampling import nth_not_skipped, sample
from blurb_tune.search.space import SearchSpace
from blurb_tune.spec.schema import SweepSpec

CONFIGURATION = "configuration"  # user attribute of a trial whose parameters have all been drawn
_TRIES = 30
Direction = Literal["minimize", "maximize"]
_DIRECTIONS: Mapping[str, Sequence[Direction]] = {"pareto": ["maximize", "minimize"]}  # mean and standard deviation


@dataclass(frozen=True)
class Suggestion:
    """A configuration to try. `parameters` is what the sampler drew, from which the configuration can be made again."""

    configuration_id: str
    parameters: dict[str, Any]
    configuration: Configuration


class ConfigurationStudy:
    """Asks Optuna for configurations and tells it how they did; higher is better.

    Every suggestion is a function of the spec, its number and the results so far: the sampler is rebuilt for each with a
    seed of its own, so a study that is replayed from the log goes on as if it had never stopped. No configuration is
    suggested twice.

    The study is in memory alone: no database has to answer before a trial can start.

    blocks: the number of encoder blocks by model name, in the spec's order.
    """

    def __init__(self, spec: SweepSpec, blocks: Mapping[str, int]):
        self._search = spec.search
        self._space = SearchSpace(spec.space, blocks)
        self._spec_space, self._blocks = spec.space, blocks
        self._max_failed_share = spec.max_failed_share
        self.planned = planned_configurations(spec.space, blocks, spec.search.sampler, spec.search.configurations)
        self._study = optuna.create_study(directions=_DIRECTIONS.get(spec.objective, ["maximize"]))
        kinds = sum(count_kinds(spec.space, limit) for limit in blocks.values())
        self._turn, self._most_vanilla, self._vanilla = max(1, kinds), count_of_each(spec.space), Counter[str]()
        self._trials: dict[str, optuna.trial.Trial] = {}
        self._seen: set[Configuration] = set()
        self._told: set[str] = set()
        self.is_exhausted = False
        self._grid = self._grid_order() if spec.search.sampler == "grid" else iter(())

    @property
    def study(self) -> optuna.Study:
        return self._study

    def knows(self, configuration_id: str) -> bool:
        return configuration_id in self._trials

    def ask(self) -> Suggestion | None:
        """The next configuration, or None when all have been suggested."""
        number = len(self._trials)
        if number >= self.planned:
            self.is_exhausted = True
            return None
        for attempt in range(_TRIES):
            self._enqueue(number, attempt)
            trial = self._new_trial(number, attempt)
            configuration = self._space.suggest(trial)
            if configuration not in self._seen:
                return self._accept(trial, configuration)
            self._study.tell(trial, state=TrialState.FAIL)
        return self._first_unseen()

    def replay(self, parameters: dict[str, Any]) -> Suggestion:
        """Take up a suggestion from the log."""
        self._study.enqueue_trial(parameters)
        trial = self._new_trial(len(self._trials), 0)
        return self._accept(trial, self._space.suggest(trial))

    def learn(self, configuration: Configuration, values: Sequence[float], failed_share: float) -> None:
        """Take in the result of an earlier sweep's configuration, which must lie in the space. It may be suggested again."""
        self._study.enqueue_trial(self._space.parameters_of(configuration))
        self._study.sampler = optuna.samplers.RandomSampler(seed=0)  # of which nothing is asked
        trial = self._study.ask()
        self._space.suggest(trial)
        trial.set_user_attr(CONFIGURATION, "from an earlier sweep")
        trial.set_constraint("failed_share", failed_share - self._max_failed_share)
        self._study.tell(trial, list(values))

    def tell(self, configuration_id: str, values: Sequence[float], failed_share: float) -> None:
        """End a configuration with its objective, or both of two, which rank it by what it reached, stopped before its last
        seed or not; FAIL where no seed gave a result. One that is told a second time, since it was reopened, keeps its first
        value.

        The share of failed runs is a constraint, because a trial told FAIL teaches the sampler nothing.
        """
        trial = self._trials[configuration_id]
        if configuration_id in self._told:
            return
        self._told.add(configuration_id)
        if not math.isnan(failed_share):
            trial.set_constraint("failed_share", failed_share - self._max_failed_share)
        if all(map(math.isfinite, values)):
            self._study.tell(trial, list(values))
        else:
            self._study.tell(trial, state=TrialState.FAIL)

    def _new_trial(self, number: int, attempt: int) -> optuna.trial.Trial:
        self._study.sampler = self._sampler(number, attempt)
        trial = self._study.ask()
        if SAMPLERS[self._search.sampler].has_generations:
            _ = trial.relative_params  # samples it now, even if all of its parameters are given
        return trial

    def _accept(self, trial: optuna.trial.Trial, configuration: Configuration) -> Suggestion:
        configuration_id = f"c{len(self._trials):03d}"
        self._trials[configuration_id] = trial
        self._seen.add(configuration)
        self._vanilla[configuration.model] += configuration.strategy.is_vanilla
        trial.set_user_attr(CONFIGURATION, configuration_id)
        return Suggestion(configuration_id, dict(trial.params), configuration)

    def _enqueue(self, number: int, attempt: int) -> None:
        if self._search.sampler == "grid":
            configuration = next(c for c in self._grid if c not in self._seen)
            self._study.enqueue_trial(self._space.parameters_of(configuration))
        elif attempt == 0 and self._search.vanilla_first and (model := self._lacks_vanilla(number)) is not None:
            vanilla = self._space.vanilla_parameters(model)
            if vanilla:
                self._study.enqueue_trial(vanilla)

    def _lacks_vanilla(self, number: int) -> str | None:
        """The model whose vanilla fine-tuning is due: it begins, and comes again in each turn of all strategies, so that the
        best of it is picked from as many configurations as that of the average strategy."""
        for index, model in enumerate(self._blocks):
            if number >= index and self._vanilla[model] < min(self._most_vanilla, 1 + (number - index) // self._turn):
                return model
        return None

    def _grid_order(self) -> Iterator[Configuration]:
        """All combinations as listed, vanilla of each model first; where fewer are asked for, a drawn sample of the others."""
        points = Combinations(self._spec_space, self._blocks)
        first = points.references() if self._search.vanilla_first else []
        size = points.size - len(first)
        if self.planned < points.size:
            number = max(0, self.planned - len(first))
            rest = sample(random.Random(derive(self._search.seed, "grid")), size, number)
        else:
            rest = iter(range(size))
        return (points[index] for index in itertools.chain(first, (nth_not_skipped(first, index) for index in rest)))

    def _first_unseen(self) -> Suggestion | None:
        """A nearly used-up space: the sampler keeps coming back, so what is left is taken in order."""
        try:
            configuration = next((c for c in Combinations(self._spec_space, self._blocks) if c not in self._seen), None)
        except ValueError:  # the values of a float range cannot be taken in order
            configuration = None
        if configuration is None:
            self.is_exhausted = True
            return None
        return self.replay(self._space.parameters_of(configuration))

    def _sampler(self, number: int, attempt: int) -> optuna.samplers.BaseSampler:
        # The reference of each further model is no random draw, and comes on top.
        startup = self._search.startup_configurations or min(10, max(3, self.planned // 4)) + len(self._blocks) - 1
        names = self._space.parameter_names
        request = Request(self._search.seed, number, attempt, self.planned, startup, names)
        return SAMPLERS[self._search.sampler].make(request)
