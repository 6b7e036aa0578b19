"""The summary of a sweep as plain data, ready for strict JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np

from blurb_tune.core.trial import Outcome
from blurb_tune.log.events import CombinationTested
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.advice import what_to_try
from blurb_tune.report.claims import Claim, claims_of, confirmation_of, shares_of_variance, vanilla_share
from blurb_tune.report.final_scores import FinalResult, final_results
from blurb_tune.report.stopping_audit import judge_pruning
from blurb_tune.report.trial_groups import Group, by_configuration, by_family
from blurb_tune.stats.bootstrap import bca_interval
from blurb_tune.stats.comparison import Comparison
from blurb_tune.stats.correlation import SeedCorrelation, seed_correlation
from blurb_tune.stats.expected_best import expected_best
from blurb_tune.stats.intervals import t_interval, wilson_interval


def summarize(record: SweepRecord) -> dict[str, Any]:
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
        "best_configuration": {**_configuration(record, configurations[best.name]), **_sureness(record, best.name)}
        if best
        else None,
        "references": {
            model: {"configuration": reference.name, "n": reference.n, "cut_short": record.is_censored(reference.name)}
            for model, reference in record.references().items()
        },
        "seed_correlation": asdict(correlation_of_seeds(record)),
        "pareto_front": [result.name for result in record.front()],
        "claims": [_claim(claim) for claim in claims_of(record)],
        "confirmation": _confirmation(record),
        "vanilla_share": asdict(fair) if (fair := vanilla_share(record)) else None,
        "no_result": record.no_result.reason if record.no_result else None,
        "what_to_try": what_to_try(record),
        "budget_spent": record.budget_spent.reason if record.budget_spent else None,
        "families": [{"family": group.label, **_group(group)} for group in by_family(record)],
        "configurations": [
            {**_configuration(record, group), "state": record.configurations[name].state}
            for name, group in configurations.items()
        ],
        "final_test": [_final(result) for result in final_results(record)],
        "combinations": [combination_facts(of) for of in record.combinations.values()],
        "notes": notes_of(record),
        "pruning": _pruning(record),
        **cost_of(record),
        "versions": header.versions,
        "seeds": header.seeds,
    }
    return strict(summary)  # type: ignore[no-any-return]


def _sureness(record: SweepRecord, name: str) -> dict[str, Any]:
    """Of one configuration: intervals at 95 % of mean (Student's) and standard deviation (BCa), and the expected best of n."""
    scores = list(record.seed_scores(record.trials_of(name)).get(name, {}).values())
    return {
        "mean_interval": list(t_interval(scores)),
        "std_interval": list(bca_interval(scores, "std")),
        "variance_shares": asdict(shares) if (shares := shares_of_variance(record, name)) else None,
        "expected_best_of": {n: expected_best(scores, n) for n in range(1, len(scores) + 1)},
    }


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "strategy": claim.label,
        "configuration": claim.result.name,
        "reference": claim.reference,
        "split": "dev",
        **_comparison(claim.comparison),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return asdict(comparison) | {"is_significant": comparison.is_significant}


def _confirmation(record: SweepRecord) -> dict[str, Any] | None:
    """Winner and vanilla on seeds that no decision has seen."""
    found = confirmation_of(record)
    if found is None:
        return None
    sides = {"winner": found.winner, "reference": found.reference}
    return {
        "split": "dev",
        "seeds": record.header.confirmation_seeds,
        **{
            side: {"configuration": of.name, **asdict(of.summary), "failed": of.failed, "failed_share": of.failed_share}
            for side, of in sides.items()
            if of is not None
        },
        "difference": _comparison(found.comparison) if found.comparison else None,
    }


def _configuration(record: SweepRecord, group: Group) -> dict[str, Any]:
    name = group.result.name
    configuration = record.configurations[name]
    stopped = configuration.stopped
    return {
        "configuration": name,
        "strategy": group.label,
        "family": record.family(name),
        "values": configuration.configuration.values(),
        **_group(group),
        "difference_to_vanilla_of_same_settings": group.difference_to_same,
        "stopped": {
            **{key: getattr(stopped, key) for key in ("rule", "reason", "replicates", "spared")},
            "reopened": configuration.reopened,
        }
        if stopped
        else None,
    }


def _group(group: Group) -> dict[str, Any]:
    result = group.result
    return {
        **asdict(result.summary),
        "objective": result.objective,
        "completed": result.completed,
        "failed": result.failed,
        "failed_share": result.failed_share,
        "failed_share_interval": list(wilson_interval(result.failed, result.ended)),
        "pruned_unstable": result.pruned_unstable,
        "underperforming": result.underperforming,
        "errored": result.errored,
        "difference_to_vanilla": group.difference,
    }


def notes_of(record: SweepRecord) -> list[str]:
    """What one should know of the data and of the runs."""
    halved = halved_batches(record)
    text = "memory did not hold whole batches in {}: their dropout is not paired with that of others of the same seed"
    of_runs = [text.format("1 trial" if halved == 1 else f"{halved} trials")] if halved else []
    of_nodes = [
        f"{'1 trial' if count == 1 else f'{count} trials'} erred on {node}, which was then left out, and ran elsewhere"
        for node, count in record.broken_nodes.items()
    ]
    before = record.header.versions
    changed = ", ".join(f"{name} {version} after {before[name]}" for name, version in record.later_versions.items())
    return [*record.header.notes, *of_runs, *of_nodes, *([f"it was resumed with {changed}"] if changed else [])]


def correlation_of_seeds(record: SweepRecord) -> SeedCorrelation:
    """How alike the scores of one seed are in different configurations."""
    scores = record.seed_scores(record.trials.values())
    seeds = record.header.seeds
    rows = [[of.get(seed, math.nan) for seed in seeds] for of in scores.values()]
    return seed_correlation(np.array(rows, dtype=float).reshape(len(rows), len(seeds)))


def halved_batches(record: SweepRecord) -> int:
    """Trials in which memory held less of a batch than in others of the same batch size, or than at first."""
    sizes: dict[int, list[int]] = {}
    for trial in record.trials.values():
        batch_size = record.configurations[trial.configuration_id].configuration.batch_size
        least = min((m.micro_batch_size for m in trial.measurements if m.micro_batch_size), default=0)
        most = max((m.micro_batch_size for m in trial.measurements), default=0)
        sizes.setdefault(batch_size, []).extend([least, most] if most else [])
    found = 0
    for of in sizes.values():
        found += sum(least < max(of) for least in of[::2])
    return found


def _final(result: FinalResult) -> dict[str, Any]:
    return {
        "split": "test",
        "configuration": result.configuration,
        "strategy": result.label,
        "examples": result.examples,
        **asdict(result.summary),
        "interval_of_one_run": list(result.interval),
        "failed": result.failed,
        "trained_again": result.trained_again,
        "missing": result.missing,
    }


def combination_facts(of: CombinationTested) -> dict[str, Any]:
    """What several runs are worth as one model; size in bytes, seconds for one example."""
    return {name: value for name, value in asdict(of).items() if name != "time"}


def _pruning(record: SweepRecord) -> dict[str, Any]:
    result = judge_pruning(record)
    return {**asdict(result), "epochs_saved": result.epochs_saved, "saved_share": result.saved_share}


def cost_of(record: SweepRecord) -> dict[str, Any]:
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
    beyond = [t.ended - t.started - t.own_seconds for t in warm if t.ended is not None]
    return {
        "trials": len(warm),
        "setup_seconds_median": median(setup) if warm else None,
        "setup_seconds_max": max(setup, default=None),
        "beyond_training_seconds_median": median(beyond) if warm else None,
        "beyond_training_seconds_max": max(beyond, default=None),
    }


def strict(value: Any) -> Any:
    """The same without NaN and infinities, which become None."""
    if isinstance(value, Mapping):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
