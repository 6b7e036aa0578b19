"""Which numbers the trials of a sweep, its seeds, and groups of them count with."""

from __future__ import annotations

import math
from collections.abc import Iterable

from blurb_tune.core.trial import Measurement, Outcome
from blurb_tune.log.events import SweepStarted
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.objectives import aggregate
from blurb_tune.stats.stability import summarize_scores


def score(header: SweepStarted, trial: TrialRecord) -> float | None:
    """The number with which a trial enters mean and spread; None for one that is no result.

    That of its `scored_measurement`. A run that diverged, or whose score is undefined, counts with the trivial predictor's
    score. Errored, underperforming (censored) and unfinished runs are no result.
    """
    if trial.outcome is Outcome.DIVERGED:
        return header.trivial_score
    if trial.outcome not in (Outcome.COMPLETED, Outcome.COLLAPSED, Outcome.PRUNED_UNSTABLE):
        return None
    judged = scored_measurement(header, trial)
    if judged is None or math.isnan(judged.dev_score):
        return header.trivial_score
    return judged.dev_score


def scored_measurement(header: SweepStarted, trial: TrialRecord) -> Measurement | None:
    """The measurement by which a trial is scored and its outcome was found: the last, or the best where the spec says so.

    A run that was stopped, or whose loss was not finite, has failed at its last one, however well it had done before.
    """
    is_best = header.score == "best" and trial.outcome not in (Outcome.PRUNED_UNSTABLE, Outcome.DIVERGED)
    return trial.best if is_best else trial.last


def seed_scores(header: SweepStarted, trials: Iterable[TrialRecord]) -> dict[str, dict[int, float]]:
    """By configuration and seed, the score of a seed: the mean over its folds, left out where one of them has none."""
    runs: dict[tuple[str, int], list[float]] = {}
    for trial in trials:
        if trial.is_final and (of_trial := score(header, trial)) is not None:
            runs.setdefault((trial.configuration_id, trial.seed), []).append(of_trial)
    folds = max(1, header.folds)
    scores: dict[str, dict[int, float]] = {}
    for (configuration_id, seed), of in runs.items():
        if len(of) == folds:
            scores.setdefault(configuration_id, {})[seed] = math.fsum(of) / folds
    return scores


def group(header: SweepStarted, name: str, trials: Iterable[TrialRecord]) -> GroupResult:
    """The seeds' scores of `trials`, of one configuration or several, taken together."""
    ended = [t for t in trials if t.is_final]
    samples = [list(scores.values()) for scores in seed_scores(header, ended).values()]
    outcomes = [t.outcome for t in ended]
    return GroupResult(
        name=name,
        summary=summarize_scores(*samples),
        objective=aggregate(header.objective, *samples),
        n=sum(map(len, samples)),
        completed=outcomes.count(Outcome.COMPLETED),
        failed=sum(o is not None and o.is_failed for o in outcomes),
        pruned_unstable=outcomes.count(Outcome.PRUNED_UNSTABLE),
        underperforming=outcomes.count(Outcome.PRUNED_UNDERPERFORMING),
        errored=outcomes.count(Outcome.ERRORED),
        max_failed_share=header.max_failed_share,
    )
