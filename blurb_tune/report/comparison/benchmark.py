"""The BLURB score of a model under one recipe, from the sweeps of the benchmark's data sets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blurb_tune.report.comparison.fresh import Final
from blurb_tune.report.comparison.pools import Entry, Pool
from blurb_tune.tasks.blurb.definitions import BLURB
from blurb_tune.tasks.blurb.score import BlurbScore, blurb_score

_METRICS = {task.name: task.metric for task in BLURB}


@dataclass(frozen=True)
class BenchmarkScore:
    """Of one model. recipe: a strategy, the same for all data sets; or `winner`, which is chosen for each on dev. split: that
    the scores are of."""

    model: str
    recipe: str
    split: str
    score: BlurbScore

    @property
    def is_complete(self) -> bool:
        return not self.score.missing


def benchmark_scores(rows: Sequence[tuple[Pool, str, Entry]], finals: Sequence[Final]) -> tuple[BenchmarkScore, ...]:
    """For each model that has scores of BLURB's data sets under the benchmark's metrics.

    rows: by pool and strategy the best configuration. On dev every strategy has a score; on test the winners and, under the
    recipe `vanilla`, their references. Where several pools have a score of one data set, the one counts that is best on dev.
    """
    found: dict[tuple[str, str, str], dict[str, tuple[float, float]]] = {}

    def add(model: str, recipe: str, split: str, task: str, score: float, by: float) -> None:
        scores = found.setdefault((model, recipe, split), {})
        if not math.isnan(score) and by > scores.get(task, (0.0, -math.inf))[1]:
            scores[task] = 100 * score, by

    for pool, label, entry in rows:
        setting = pool.setting
        if _METRICS.get(setting.task) == setting.metric:
            on_dev = entry.result
            add(pool.model, label, "dev", setting.task, on_dev.summary.mean, on_dev.objective)
    for final in finals:
        header = final.sweep.record.header
        if _METRICS.get(header.task) != header.metric:
            continue
        for number, result in enumerate(final.results):
            record = final.sweep.record
            strategy = record.configurations[result.configuration].configuration.strategy
            recipes = [*(["winner"] if number == 0 else []), *(["vanilla"] if strategy.is_vanilla else [])]
            for recipe in recipes:
                by = record.result_of(result.configuration).objective
                add(final.model, recipe, "test", header.task, result.summary.mean, by)
    return tuple(
        BenchmarkScore(*key, blurb_score({task: score for task, (score, _) in scores.items()}))
        for key, scores in sorted(found.items(), key=lambda item: item[0][2] != "test")
        if scores
    )


def incomplete(scores: Sequence[BenchmarkScore]) -> Iterator[str]:
    """Why a model that has several of the benchmark's data sets has no BLURB score."""
    for model in dict.fromkeys(of.model for of in scores):
        of_model = [of for of in scores if of.model == model]
        known = [task for task in _METRICS if any(task in of.score.scores for of in of_model)]
        if len(known) > 1 and not any(of.is_complete for of in of_model):
            yield f"{model}: no BLURB score, with {len(known)} of {len(_METRICS)} data sets ({', '.join(known)})."
