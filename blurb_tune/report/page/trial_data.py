"""What the page knows of each trial and configuration, for those that are opened; small enough for thousands."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from blurb_tune.core.numbers import compact
from blurb_tune.core.trial import Configuration, Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.hyperparameters import telling_settings, title_of
from blurb_tune.report.result_files import error_line

_FEWEST_POINTS = 6
_LONGEST_TEXT = 400
_OUTCOMES = [str(outcome) for outcome in Outcome]


def trial_data(record: SweepRecord, runs_address: str = "", most_points: int = 40_000) -> dict[str, Any]:
    """Strict JSON. A trial is a row: id, place of its configuration, seed, fold, place of its outcome (-1 while it runs),
    score, attempt, place of its worker among the texts, seconds, place of the rule and reason, marks (1 control group, 2
    confirmation), its curve as [epochs, scores, train losses]. None stands for what is unknown.

    most_points: of all curves together; one with more than its part is thinned out, its last point kept.
    """
    names = list(record.configurations)
    places = {name: place for place, name in enumerate(names)}
    most = max(_FEWEST_POINTS, most_points // max(1, len(record.trials)))
    texts: dict[str, int] = {}
    trials = [_trial(record, trial, places, most, texts) for trial in record.trials.values()]
    return {
        "metric": record.header.metric,
        "trivial": _number(record.header.trivial_score),
        "runs": runs_address,
        "outcomes": _OUTCOMES,
        "texts": list(texts),
        "configurations": [
            {
                "id": name,
                "label": record.label(name),
                "values": [[title_of(key), compact(value)] for key, value in _settings(of.configuration)],
                "stopped": f"{of.stopped.rule}: {of.stopped.reason}"[:_LONGEST_TEXT] if of.stopped else None,
                "state": _state(of.is_out, of.stopped is not None, of.state),
            }
            for name, of in record.configurations.items()
        ],
        "trials": trials,
    }


def _settings(configuration: Configuration) -> Iterator[tuple[str, Any]]:
    yield "model", configuration.model
    yield from telling_settings(configuration).items()


def _state(is_out: bool, was_stopped: bool, state: str | None) -> str:
    if is_out:
        return "stopped"
    if was_stopped:
        return "went on after it was to be stopped"
    return "all seeds have run" if state == "COMPLETE" else "at work" if state is None else state.lower()


def _trial(record: SweepRecord, trial: TrialRecord, places: dict[str, int], most: int, texts: dict[str, int]) -> list[Any]:
    score = record.score(trial) if trial.is_final else None
    judged = record.scored_measurement(trial)
    shown = score if score is not None else judged.dev_score if judged else None
    prune = trial.prunes[-1] if trial.prunes else None
    why = f"{prune.rule}: {prune.reason}" if prune else ""
    said = error_line(trial.error or trial.reason) if trial.outcome is Outcome.ERRORED else trial.reason
    told = " · ".join(dict.fromkeys(filter(None, [why, said if said and said not in why else ""])))[:_LONGEST_TEXT]
    return [
        trial.trial_id,
        places[trial.configuration_id],
        trial.seed,
        trial.fold,
        _OUTCOMES.index(trial.outcome) if trial.outcome else -1,
        _number(shown),
        trial.attempt,
        texts.setdefault(trial.worker, len(texts)),
        round(trial.train_seconds, 1),
        texts.setdefault(told, len(texts)),
        int(trial.is_control) + 2 * int(record.is_confirmation(trial)),
        _curve(trial, most),
    ]


def _curve(trial: TrialRecord, most: int) -> list[list[float | None]]:
    measured = trial.measurements
    if len(measured) > most:
        step = (len(measured) - 1) / (most - 1)
        measured = [measured[round(index * step)] for index in range(most)]
    return [
        [_number(m.epoch) for m in measured],
        [_number(m.dev_score) for m in measured],
        [_number(m.train_loss) for m in measured],
    ]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")
