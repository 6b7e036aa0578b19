"""The files of a sweep's folder that a spreadsheet or a script reads: trials.csv, configurations.csv, summary.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blurb_tune.core.csv_text import csv_text
from blurb_tune.core.errors import UnwrittenError
from blurb_tune.core.paths import SweepPaths, write_atomically
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.summary import summarize
from blurb_tune.report.trial_groups import Group, by_configuration

# In trials.csv `epochs` are those that were run, so the hyperparameter of that name is called otherwise there.
_PLANNED = {"epochs": "planned_epochs"}
TRIAL_COLUMNS = (
    *("trial_id", "configuration", "seed", "outcome", "prune_reason", "metric", "dev_score"),
    *("best_epoch", "epochs", "steps", "train_seconds"),
    *(_PLANNED.get(name, name) for name in HYPERPARAMETER_NAMES),
    *("best_dev_score", "fold", "attempt", "control", "confirmation", "setup_seconds", "error", "stopped_early"),
)
CONFIGURATION_COLUMNS = (
    *("configuration", "strategy", "n", "completed", "failed", "pruned", "mean", "std", "min", "max", "objective"),
    *("underperforming", "errored", "state", "stopped_by", "stop_reason", "vs_vanilla", "vs_vanilla_of_same_settings"),
    *HYPERPARAMETER_NAMES,
)


def write_all(record: SweepRecord, paths: SweepPaths) -> None:
    """Write the three files, each atomically.

    Raises LookupError, and writes nothing, while the log is empty; UnwrittenError when some of them cannot be written.
    """
    texts = {
        paths.summary: summary_json(record),
        paths.trials: trials_csv(record),
        paths.configurations: configurations_csv(record),
    }
    faults = []
    for path, text in texts.items():
        try:
            write_atomically(path, text)
        except OSError as error:
            faults.append(f"{path}: cannot be written ({error.strerror})")
    if faults:
        raise UnwrittenError(faults)


def trials_csv(record: SweepRecord) -> str:
    """`trial_rows` as CSV; undefined and unknown cells are empty."""
    return _csv(TRIAL_COLUMNS, trial_rows(record))


def configurations_csv(record: SweepRecord) -> str:
    """`configuration_rows` as CSV."""
    return _csv(CONFIGURATION_COLUMNS, configuration_rows(record))


def trial_rows(record: SweepRecord) -> Iterator[dict[str, Any]]:
    """By column, of each trial that has ended or begun, in the order of their start."""
    return (_trial_row(record, trial) for trial in record.trials.values())


def configuration_rows(record: SweepRecord) -> Iterator[dict[str, Any]]:
    """By column, of each configuration in the order of suggestion. `pruned` counts every trial that was stopped early."""
    return (_configuration_row(record, group) for group in by_configuration(record))


def summary_json(record: SweepRecord) -> str:
    """`summarize` as strict JSON."""
    return json.dumps(summarize(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def error_line(error: str) -> str:
    """The line of a traceback that names the exception; the first line of a text without frames."""
    lines = [line for line in error.splitlines() if line.strip()]
    frames = [index for index, line in enumerate(lines) if line.startswith("  ")]
    behind = lines[frames[-1] + 1 :] if frames else lines
    return next(iter(behind or lines[-1:]), "").strip()


def _trial_row(record: SweepRecord, trial: TrialRecord) -> dict[str, Any]:
    best = trial.best
    judged = record.scored_measurement(trial)
    values = record.configurations[trial.configuration_id].configuration.values()
    return {
        "trial_id": trial.trial_id,
        "configuration": trial.configuration_id,
        "seed": trial.seed,
        "outcome": None if trial.outcome is None else str(trial.outcome),
        "prune_reason": trial.reason if trial.outcome is not None and trial.outcome.is_pruned else "",
        "metric": record.header.metric,
        "dev_score": judged.dev_score if judged else math.nan,
        "best_epoch": best.epoch if best else math.nan,
        "epochs": trial.epochs,
        "steps": trial.steps,
        "train_seconds": trial.train_seconds,
        **{_PLANNED.get(name, name): value for name, value in values.items()},
        "best_dev_score": best.dev_score if best else math.nan,
        "fold": trial.fold,
        "attempt": trial.attempt,
        "control": trial.is_control,
        "confirmation": record.is_confirmation(trial),
        "setup_seconds": trial.setup_seconds if trial.outcome else math.nan,
        "error": error_line(trial.error or trial.reason) if trial.outcome is Outcome.ERRORED else "",
        "stopped_early": trial.stopped_early,
    }


def _configuration_row(record: SweepRecord, group: Group) -> dict[str, Any]:
    result = group.result
    suggested = record.configurations[result.name]
    stopped = suggested.stopped
    return {
        "configuration": result.name,
        "strategy": record.label(result.name),
        "n": result.n,
        "completed": result.completed,
        "failed": result.failed,
        "pruned": result.pruned_unstable + result.underperforming,
        "mean": result.summary.mean,
        "std": result.summary.std,
        "min": result.summary.min,
        "max": result.summary.max,
        "objective": result.objective,
        "underperforming": result.underperforming,
        "errored": result.errored,
        "state": suggested.state,
        "stopped_by": stopped.rule if stopped else None,
        "stop_reason": stopped.reason if stopped else None,
        "vs_vanilla": group.difference,
        "vs_vanilla_of_same_settings": group.difference_to_same,
        **suggested.configuration.values(),
    }


def _csv(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> str:
    return csv_text([columns, *([_cell(row[column]) for column in columns] for row in rows)])


def _cell(value: Any) -> str:
    """A cell's text: empty for None and NaN, `true` and `false` as in the spec, floats with all their digits."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, float) else str(value)
