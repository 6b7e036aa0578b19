"""The results of a sweep as plain frozen objects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from blurb_tune.core.trial import Measurement, Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.stats.intervals import wilson_interval


@dataclass(frozen=True)
class TrialResult:
    """One run: a configuration with a seed, and a fold in a cross-validation.

    id: `<configuration>-s<seed>`. configuration: its id. fold: None without cross-validation. outcome: how it ended, None
    while it runs. score: on dev, with which it enters the mean of its configuration; NaN where it enters none. reason: why it
    ended so. error: the traceback of one that errored. epochs, steps: how far it came, in passes over the training set and in
    optimizer steps. train_seconds: training and evaluation, without starting up. attempt: from 1, of the latest; measurements
    are its own, one per evaluation, oldest first. is_control: it was to be stopped, and went on to measure how often stops
    are wrong. is_confirmation: of a fresh seed, which no decision has seen.
    """

    id: str
    configuration: str
    seed: int
    fold: int | None
    outcome: Outcome | None
    score: float
    reason: str
    error: str
    epochs: float
    steps: int
    train_seconds: float
    attempt: int
    is_control: bool
    is_confirmation: bool
    measurements: tuple[Measurement, ...]

    @property
    def is_failed(self) -> bool:
        """It ended no better than a constant prediction, diverged, or was stopped as unstable."""
        return self.outcome is not None and self.outcome.is_failed


@dataclass(frozen=True)
class ConfigurationResult:
    """One point of the search space, over the seeds of the search on dev.

    id: such as `c003`. model: as the spec names it. strategy: in words. values: every hyperparameter by name. scores: by seed,
    failed ones included. n, mean, std, min, max: of these. objective: by which configurations are ranked. failed, ended: runs;
    failed_interval: of their share, Wilson's at 95 %. errored: runs without a result. is_stopped: it was stopped before its
    last seed, so that its numbers compare with nothing.
    """

    id: str
    model: str
    strategy: str
    values: Mapping[str, Any]
    scores: Mapping[int, float]
    n: int
    mean: float
    std: float
    min: float
    max: float
    objective: float
    failed: int
    ended: int
    failed_interval: tuple[float, float]
    errored: int
    is_stopped: bool


def configuration_result(record: SweepRecord, name: str) -> ConfigurationResult:
    of, result = record.configurations[name].configuration, record.result_of(name)
    return ConfigurationResult(
        id=name,
        model=of.model,
        strategy=of.strategy.label,
        values=of.values(),
        scores=record.seed_scores(record.trials_of(name)).get(name, {}),
        **asdict(result.summary),
        objective=result.objective,
        failed=result.failed,
        ended=result.ended,
        failed_interval=wilson_interval(result.failed, result.ended),
        errored=result.errored,
        is_stopped=record.is_censored(name),
    )


def trial_result(record: SweepRecord, trial: TrialRecord) -> TrialResult:
    score = record.score(trial) if trial.is_final else None
    return TrialResult(
        id=trial.trial_id,
        configuration=trial.configuration_id,
        seed=trial.seed,
        fold=trial.fold,
        outcome=trial.outcome if trial.is_final else None,
        score=math.nan if score is None else score,
        reason=trial.reason,
        error=trial.error,
        epochs=trial.epochs,
        steps=trial.steps,
        train_seconds=trial.train_seconds,
        attempt=trial.attempt,
        is_control=trial.is_control,
        is_confirmation=record.is_confirmation(trial),
        measurements=tuple(trial.measurements),
    )
