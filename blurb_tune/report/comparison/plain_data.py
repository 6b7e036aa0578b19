"""A comparison as plain data: one row for each number that is quoted, or everything."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from blurb_tune.core.trial import HYPERPARAMETER_NAMES
from blurb_tune.report.comparison.fresh import Confirmed, Final
from blurb_tune.report.comparison.sweep_comparison import Row, SweepComparison
from blurb_tune.report.final_scores import FinalResult
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.comparison import Comparison
from blurb_tune.stats.intervals import wilson_interval

CLAIM = (
    *("reference", "n_reference", "difference", "low", "high", "p", "p_holm", "significant", "first_decidable"),
    *("superiority", "superiority_low", "superiority_high", "p_variance_holm", "seeds_needed"),
)
QUOTED_COLUMNS = (
    *("kind", "split", "task", "metric", "model", "strategy", "sweeps", "configuration", "role", "planned"),
    *("n", "mean", "std", "min", "max", "objective", "failed", "ended", "failed_low", "failed_high", *CLAIM),
    *(name for name in HYPERPARAMETER_NAMES if name != "model"),
)


def quoted_rows(comparison: SweepComparison) -> list[dict[str, Any]]:
    """A row for each mean: `kind` is search, stopped, confirmation or test; `role` strategy or vanilla."""
    return [
        *(_flat_row(row) for row in (*comparison.rows, *comparison.stopped)),
        *(row for of in comparison.confirmations for row in _of_confirmation(of)),
        *(row for of_test in comparison.finals for row in _of_test(of_test)),
    ]


def as_data(comparison: SweepComparison) -> dict[str, Any]:
    """The comparison as plain data; numbers may be NaN."""
    return {
        "sweeps": [
            {
                "label": sweep.label,
                "folder": str(sweep.folder),
                **{name: getattr(sweep.record.header, name) for name in ("sweep_id", "name", "task", "metric", "score")},
                **{
                    name: getattr(sweep.record.header, name)
                    for name in ("objective", "data_digest", "settings_digest", "notes")
                },
                "models": list(sweep.record.header.models),
                "status": sweep.record.status,
                "seeds": sweep.record.header.seeds,
                "confirmation_seeds": sweep.record.header.confirmation_seeds,
            }
            for sweep in comparison.sweeps
        ],
        "by_family": comparison.by_family,
        "strategies": [_structured_row(row) for row in comparison.rows],
        "stopped": [_structured_row(row) for row in comparison.stopped],
        "confirmations": [row for of in comparison.confirmations for row in _of_confirmation(of)],
        "final_test": [
            {"sweep": of.sweep.label, "split": "test", "model": of.model, **_of_final(result)}
            for of in comparison.finals
            for result in of.results
        ],
        "blurb": [
            {
                **{"model": of.model, "recipe": of.recipe, "split": of.split, "means": dict(of.score.means)},
                **{"scores": dict(of.score.scores), "missing": list(of.score.missing)},
                "blurb_score": of.score.total if of.is_complete else None,
            }
            for of in comparison.benchmark
        ],
        "notes": list(comparison.notes),
    }


def _of_final(result: FinalResult) -> dict[str, Any]:
    values = asdict(result)
    return {"configuration": values.pop("configuration"), "spread": values.pop("summary"), **values}


def _structured_row(row: Row) -> dict[str, Any]:
    """As `_flat`, with the scores by seed and which configuration it is in which sweep."""
    entry = row.entry
    return {
        **_flat_row(row),
        "sweeps": list(entry.sweeps),
        "configuration": entry.ids,
        "stopped": dict(entry.stopped),
        "values": entry.configuration.values(),
        "scores": {str(seed): score for seed, score in sorted(entry.scores.items())},
        "reference": row.reference.ids if row.reference else None,
    }


def _flat_row(row: Row) -> dict[str, Any]:
    entry, setting = row.entry, row.pool.setting
    kind = "stopped" if entry.is_censored else "search"
    return {
        **_place(kind, "dev", setting.task, setting.metric, row.pool.model, row.label, " + ".join(entry.sweeps)),
        "configuration": "/".join(dict.fromkeys(entry.ids.values())),
        "role": "vanilla" if row.is_vanilla else "strategy",
        "planned": entry.planned,
        **_of_result(entry.result),
        **_of_comparison(row.comparison),
        "reference": "/".join(dict.fromkeys(row.reference.ids.values())) if row.reference else None,
        **{name: value for name, value in entry.configuration.values().items() if name != "model"},
    }


def _place(kind: str, split: str, task: str, metric: str, model: str, strategy: str, sweeps: str) -> dict[str, Any]:
    named = {"kind": kind, "split": split, "task": task, "metric": metric}
    return named | {"model": model, "strategy": strategy, "sweeps": sweeps}


def _of_confirmation(of: Confirmed) -> list[dict[str, Any]]:
    record = of.sweep.record
    sides = [(of.winner, of.comparison), *([(of.reference, None)] if of.reference else [])]
    rows = []
    for result, comparison in sides:
        configuration = record.configurations[result.name].configuration
        header = record.header
        rows.append(
            {
                **_place(
                    "confirmation", "dev", header.task, header.metric, configuration.model, record.label(result.name), ""
                ),
                "sweeps": of.sweep.label,
                "configuration": result.name,
                "role": "vanilla" if configuration.strategy.is_vanilla else "strategy",
                "planned": len(header.confirmation_seeds),
                **_of_result(result),
                **_of_comparison(comparison),
                "reference": of.reference.name if comparison and of.reference else None,
            }
        )
    return rows


def _of_result(result: GroupResult) -> dict[str, Any]:
    low, high = wilson_interval(result.failed, result.ended)
    counts = {"objective": result.objective, "failed": result.failed, "ended": result.ended}
    return {**asdict(result.summary), **counts, "failed_low": low, "failed_high": high}


def _of_comparison(comparison: Comparison | None) -> dict[str, Any]:
    if comparison is None:
        return dict.fromkeys(CLAIM)
    names = ("n_reference", "difference", "p", "p_holm", "first_decidable", "p_variance_holm", "seeds_needed")
    return {
        **{name: getattr(comparison, name) for name in names},
        "low": comparison.interval[0],
        "high": comparison.interval[1],
        "significant": comparison.is_significant if comparison.is_decidable else None,
        "superiority": comparison.superiority.probability,
        "superiority_low": comparison.superiority.interval[0],
        "superiority_high": comparison.superiority.interval[1],
    }


def _of_test(of: Final) -> list[dict[str, Any]]:
    record, rows = of.sweep.record, []
    for result in of.results:
        strategy = record.configurations[result.configuration].configuration.strategy
        place = _place("test", "test", record.header.task, record.header.metric, of.model, result.label, of.sweep.label)
        role = "vanilla" if strategy.is_vanilla else "strategy"
        counts = {"failed": result.failed, "ended": result.summary.n}
        rows.append({**place, "configuration": result.configuration, "role": role, **asdict(result.summary), **counts})
    return rows
