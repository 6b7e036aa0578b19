"""The final numbers of a sweep: the winner and vanilla on the test split."""

from __future__ import annotations

import math
from dataclasses import dataclass

from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.stats.stability import ScoreSummary, summarize_scores


@dataclass(frozen=True)
class FinalResult:
    """One configuration on the test split.

    summary: over its runs; NaN where the test labels leave the metric undefined, as a single class does the ROC. interval: the
    95 % interval of one run's score from the size of the test set, the mean of the runs' bounds; NaN where it is undefined.
    failed: runs that count as failed on dev, which are among n. trained_again: runs among n whose weights were gone, and which
    were run once more. missing: runs whose model could not be tested.
    """

    configuration: str
    label: str
    examples: int
    summary: ScoreSummary
    interval: tuple[float, float]
    failed: int
    trained_again: int
    missing: int


def final_results(record: SweepRecord) -> list[FinalResult]:
    """The winner, then its reference; empty while nothing has been tested."""
    return [_result(record, name) for name in _names(record)] if record.tests else []


def untested_trials(record: SweepRecord) -> list[TrialRecord]:
    """Those of both whose models have no score on the test split, be it that their test failed."""
    return [trial for name in _names(record) for trial in _counted_trials(record, name) if not _is_tested(record, trial)]


def _names(record: SweepRecord) -> list[str]:
    """The winner and its reference."""
    selection = record.selection
    return [name for name in (selection.configuration, selection.reference) if name] if selection else []


def _counted_trials(record: SweepRecord, name: str) -> list[TrialRecord]:
    return [trial for trial in record.quoted_trials(name) if record.score(trial) is not None]


def _is_tested(record: SweepRecord, trial: TrialRecord) -> bool:
    return trial.trial_id in record.tests and bool(record.tests[trial.trial_id].metrics)


def _result(record: SweepRecord, name: str) -> FinalResult:
    counted = _counted_trials(record, name)
    tests = [record.tests[trial.trial_id] for trial in counted if trial.trial_id in record.tests]
    found = [(trial, record.tests[trial.trial_id]) for trial in counted if _is_tested(record, trial)]
    metric = record.header.metric
    # The correlation of constant predictions counts 0, as the trivial predictor's does.
    scores = [0.0 if math.isnan(test.metrics[metric]) else test.metrics[metric] for _, test in found]
    undefined = ScoreSummary(len(scores), math.nan, math.nan, math.nan, math.nan)
    intervals = [test.interval for _, test in found if test.interval and not math.isnan(test.interval[0])]
    low, high = (sum(bounds) / len(bounds) for bounds in zip(*intervals, strict=True)) if intervals else (math.nan, math.nan)
    return FinalResult(
        configuration=name,
        label=record.label(name),
        examples=max((test.examples for test in tests), default=0),
        summary=undefined if _labels_have_no_score(record) else summarize_scores(scores),
        interval=(low, high),
        failed=sum(trial.outcome is not None and trial.outcome.is_failed for trial, _ in found),
        trained_again=sum(test.trained_again for _, test in found),
        missing=len(counted) - len(found),
    )


def _labels_have_no_score(record: SweepRecord) -> bool:
    """Whether it is the test labels that leave the metric undefined, and not the predictions.

    No tested run has a score then, not even one that has on dev, whose predictions vary. Of runs whose predictions are all
    constant none has a correlation on dev either.
    """
    tested = [(record.trials[name], test.metrics[record.header.metric]) for name, test in record.tests.items() if test.metrics]
    on_dev = (trial.best if record.header.score == "best" else trial.last for trial, _ in tested)
    has_varied = any(measured is not None and not math.isnan(measured.dev_score) for measured in on_dev)
    return has_varied and all(math.isnan(score) for _, score in tested)
