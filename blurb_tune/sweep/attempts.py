"""What an attempt at a trial is started with, by the record of its sweep."""

from __future__ import annotations

from dataclasses import replace

from blurb_tune.core.trial import TrialConfig, trial_name
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord


def first_attempt(record: SweepRecord, configuration_id: str, seed: int, fold: int | None) -> TrialConfig:
    configuration = record.configurations[configuration_id].configuration
    return TrialConfig(trial_name(configuration_id, seed, fold), configuration_id, configuration, seed, 1, fold)


def latest_attempt(record: SweepRecord, trial: TrialRecord) -> TrialConfig:
    """What a trial was started with."""
    first = first_attempt(record, trial.configuration_id, trial.seed, trial.fold)
    return replace(first, attempt=trial.attempt, halvings=trial.halvings)


def next_attempt(record: SweepRecord, trial: TrialRecord) -> TrialConfig:
    first = first_attempt(record, trial.configuration_id, trial.seed, trial.fold)
    return replace(first, attempt=trial.attempt + 1, halvings=trial.next_halvings)
