"""Several runs as one model: decided on dev, then tested beside the best single run, and written down in the sweep's log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from blurb_tune.core.combination import Method
from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.seeds import derive
from blurb_tune.execution.storage_session import storage_session
from blurb_tune.log.event_log import EventLog
from blurb_tune.log.events import CombinationTested
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.release.loading import mean_outputs
from blurb_tune.release.members import members_of
from blurb_tune.release.run_models import RunModels
from blurb_tune.release.soup import Weights, greedy_soup, mean_weights
from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.tasks.scoring.intervals import difference_interval, score_interval


@dataclass(frozen=True)
class _Decided:
    """method: how members become a model. dev_score: of that model."""

    method: Method
    members: Sequence[TrialRecord]
    dev_score: float


def combined(
    models: RunModels, paths: SweepPaths, single: TrialRecord, method: Method, say: Callable[[str], None]
) -> CombinationTested:
    """What a method makes of the sweep's runs, and what that is worth.

    It stands in the log from the first time on, with all other methods that the runs allow: all are decided on dev, and then
    the test split is read once for all of them. single: the winner's best run on dev.

    Raises BlurbTuneError where the runs do not allow the method, or their weights are gone or are not theirs.
    """
    known = models.record.combinations
    if method not in known:
        members_of(method, models.record, single, models.has_weights)
        combiner = _Combiner(models, single, say)
        decided = [found for of in Method if (found := combiner.decide(of)) is not None]
        events = combiner.tested(decided)
        _write_down(models, paths, [event for event in events if event.method not in known])
        known = {event.method: event for event in events} | known
    return known[method]


class _Combiner:
    """Outputs of runs are computed once, on dev and on test."""

    def __init__(self, models: RunModels, single: TrialRecord, say: Callable[[str], None]):
        self._models, self._single, self._say = models, single, say
        self._on_dev: dict[str, np.ndarray] = {}
        self._timed: dict[str, tuple[np.ndarray, float]] = {}

    def decide(self, method: Method) -> _Decided | None:
        """On dev; None where the runs do not allow it."""
        models, dev = self._models, self._models.dev
        try:
            members = members_of(method, models.record, self._single, models.has_weights)
        except BlurbTuneError:
            return None
        outputs = [self._dev_outputs(run) for run in members]
        self._say(f"{method}: {len(members)} runs on dev")
        if method is Method.GREEDY_SOUP:
            members, score = greedy_soup(members, models.weights, self._dev_score)
            return _Decided(method, members, score)
        if method is Method.UNIFORM_SOUP:
            return _Decided(method, members, self._dev_score(mean_weights(map(models.weights, members))))
        return _Decided(method, members, models.score(mean_outputs(outputs), dev))

    def tested(self, decided: Sequence[_Decided]) -> list[CombinationTested]:
        """All of them on the test split, which is read now, beside the first, the best single run."""
        models = self._models
        test = models.test()
        data = models.dev if test is None else test
        found = [(of, *self._outputs(of, data)) for of in decided]
        reference = found[0][1]
        return [self._event(of, test, outputs, reference, seconds / len(data)) for of, outputs, seconds in found]

    def _event(
        self, of: _Decided, test: Encoded | None, outputs: np.ndarray, reference: np.ndarray, seconds: float
    ) -> CombinationTested:
        models = self._models
        size = sum(parameter.numel() * parameter.element_size() for parameter in models.model.parameters())
        return CombinationTested(
            method=str(of.method),
            members=[run.trial_id for run in of.members],
            dev_score=of.dev_score,
            size=size * (len(of.members) if of.method is Method.ENSEMBLE else 1),
            seconds=seconds,
            **({} if test is None else self._on_test(test, outputs, reference)),
        )

    def _on_test(self, test: Encoded, outputs: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
        task, metric = self._models.plan.task, self._models.plan.metric
        score, of_reference = (self._models.score(each, test) for each in (outputs, reference))
        seed = derive(0, "test interval")  # the same resamples for all
        return {
            "examples": len(test),
            "score": score,
            "interval": list(score_interval(task, metric, outputs, test.labels, test.words, seed=seed)),
            "difference": score - of_reference,
            "difference_interval": list(
                difference_interval(task, metric, outputs, reference, test.labels, test.words, seed=seed)
            ),
        }

    def _dev_outputs(self, run: TrialRecord) -> np.ndarray:
        """Of one run, which must score as the sweep has measured."""
        if run.trial_id not in self._on_dev:
            self._say(f"{run.trial_id} on dev")
            self._models.put(self._models.weights(run))
            outputs = self._models.outputs(self._models.dev)
            self._models.check(run.trial_id, outputs, self._models.measured(run))
            self._on_dev[run.trial_id] = outputs
        return self._on_dev[run.trial_id]

    def _dev_score(self, weights: Weights) -> float:
        self._models.put(weights)
        return self._models.score(self._models.outputs(self._models.dev), self._models.dev)

    def _outputs(self, of: _Decided, data: Encoded) -> tuple[np.ndarray, float]:
        """With the seconds that they take."""
        if of.method.is_soup:
            self._say(f"{of.method} on the test split")
            self._models.put(mean_weights(map(self._models.weights, of.members)))
            return self._time(data)
        found = [self._outputs_of_run(run, data) for run in of.members]
        return mean_outputs([outputs for outputs, _ in found]), math.fsum(seconds for _, seconds in found)

    def _outputs_of_run(self, run: TrialRecord, data: Encoded) -> tuple[np.ndarray, float]:
        if run.trial_id not in self._timed:
            self._say(f"{run.trial_id} on the test split")
            self._models.put(self._models.weights(run))
            self._timed[run.trial_id] = self._time(data)
        return self._timed[run.trial_id]

    def _time(self, data: Encoded) -> tuple[np.ndarray, float]:
        started = time.perf_counter()
        return self._models.outputs(data), time.perf_counter() - started


def _write_down(models: RunModels, paths: SweepPaths, events: Sequence[CombinationTested]) -> None:
    """Append the events to the log, here and where the sweep is stored."""
    with ExitStack() as stack:
        keeping = stack.enter_context(storage_session(models.plan.spec.storage, paths))
        log = stack.enter_context(EventLog(paths.events, paths.lock, is_lost=lambda: keeping is not None and keeping.is_lost))
        if keeping is not None:
            log.observe(keeping.on_event)
        for event in events:
            log.append(event)
        if keeping is not None and (faults := keeping.close()):
            raise BlurbTuneError("\n".join(faults))
