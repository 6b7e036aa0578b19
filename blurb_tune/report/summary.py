"""The summary of a sweep as plain data, ready for strict JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.final_scores import FinalResult, final_results
from blurb_tune.report.groups import Group, by_configuration, by_family
from blurb_tune.report.pruning import judge_pruning
from blurb_tune.stats.stability import wilson_interval


def summarise(record: SweepRecord) -> dict[str, Any]:
    """What the sweep found, and what it cost. Holds neither NaN nor infinities: an undefined number is None.

    Raises LookupError while the log is empty.
    """
    header = record.header
    configurations = {group.result.name: group for group in by_configuration(record)}
    best = record.best_configuration()
    summary = {
        "sweep_id": header.sweep_id,
        "name": header.name,
        "status": record.status,
        "task": header.task,
        "model": ", ".join(header.models),
        "metric": header.metric,
        "split": "dev",
        "objective": header.objective,
        "max_failed_share": header.max_failed_share,
        "score": header.score,
        "trivial_score": header.trivial_score,
        "outcomes": record.outcome_counts(),
        "unfinished": sum(not trial.is_final for trial in record.trials.values()),
        "best_configuration": _configuration(record, configurations[best.name]) if best else None,
        "families": [{"family": group.label, **_group(group)} for group in by_family(record)],
        "configurations": [
            {**_configuration(record, group), "state": record.configurations[name].state}
            for name, group in configurations.items()
        ],
        "final_test": [_final(result) for result in final_results(record)],
        "notes": header.notes,
        "pruning": _pruning(record),
        **_cost(record),
        "versions": header.versions,
        "seeds": header.seeds,
    }
    return _strict(summary)  # type: ignore[no-any-return]


def _configuration(record: SweepRecord, group: Group) -> dict[str, Any]:
    name = group.result.name
    return {
        "configuration": name,
        "strategy": group.label,
        "family": record.family(name),
        "values": record.configurations[name].configuration.values(),
        **_group(group),
    }


def _group(group: Group) -> dict[str, Any]:
    result = group.result
    return {
        **asdict(result.spread),
        "objective": result.objective,
        "completed": result.completed,
        "failed": result.failed,
        "failed_share": result.failed_share,
        "failed_share_interval": list(wilson_interval(result.failed, result.n)),
        "pruned_unstable": result.pruned_unstable,
        "dominated": result.dominated,
        "errored": result.errored,
        "difference_to_vanilla": group.difference,
    }


def _final(result: FinalResult) -> dict[str, Any]:
    return {
        "split": "test",
        "configuration": result.configuration,
        "strategy": result.label,
        "examples": result.examples,
        **asdict(result.spread),
        "interval_of_one_run": list(result.interval),
        "failed": result.failed,
        "trained_again": result.trained_again,
        "missing": result.missing,
    }


def _pruning(record: SweepRecord) -> dict[str, Any]:
    result = judge_pruning(record)
    return {**asdict(result), "saved_share": result.saved_share}


def _cost(record: SweepRecord) -> dict[str, Any]:
    """Seconds and their use. Wall time is known once the driver has written its end, not while the sweep runs."""
    known = record.status != "running"
    overhead = record.wall_seconds * record.slots / record.train_seconds if known and record.train_seconds else math.nan
    return {
        "wall_seconds": record.wall_seconds if known else math.nan,
        "train_seconds": record.train_seconds,
        "slots": record.slots,
        "overhead": overhead,
        "warm_start": _warm_start(record),
    }


def _warm_start(record: SweepRecord) -> dict[str, Any]:
    """What a trial costs beyond its training on a slot that is at work already.

    Left out is the first trial of each worker process, which pays for the process's own start. `setup` is the time from a
    trial's start to its first step, `beyond_training` all of its time but training and evaluation.
    """
    seen: set[str] = set()
    warm = []
    for trial in sorted(record.trials.values(), key=lambda trial: trial.started):
        if trial.worker in seen and trial.ended is not None and trial.outcome is not Outcome.ERRORED:
            warm.append(trial)
        seen.add(trial.worker)
    setup = [t.setup_seconds for t in warm]
    beyond = [t.ended - t.started - t.train_seconds for t in warm if t.ended is not None]
    return {
        "trials": len(warm),
        "setup_seconds_median": median(setup) if warm else None,
        "setup_seconds_max": max(setup, default=None),
        "beyond_training_seconds_median": median(beyond) if warm else None,
        "beyond_training_seconds_max": max(beyond, default=None),
    }


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
