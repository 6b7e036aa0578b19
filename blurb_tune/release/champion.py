"""Whether a model has earned the alias `champion`: others will serve by that name, and will not read the report first."""

from __future__ import annotations

import math

from blurb_tune.log.record import SweepRecord
from blurb_tune.report.answer import Verdict, answer_of
from blurb_tune.report.caveats import tested_pair
from blurb_tune.report.evidence import evidence_of

_NOT_BETTER = {
    Verdict.NONE: "no recipe has a result",
    Verdict.ALONE: "there is no vanilla fine-tuning to compare it with",
    Verdict.VANILLA: "vanilla fine-tuning itself has won, and nothing shows that it is better than the rest",
    Verdict.WORSE: "it is worse than vanilla fine-tuning on {seeds}",
    Verdict.UNDECIDED: "it is not shown to be better than vanilla fine-tuning",
    Verdict.UNDECIDABLE: "its seeds are too few to show that it is better than vanilla fine-tuning",
}


def why_no_champion(record: SweepRecord, trial: str) -> str:
    """Why the model of this trial is no champion; empty where it is one.

    It is, where its recipe is better than vanilla by more than chance, and runs that had no part in the choice support that:
    fresh seeds, or the test split, where the mean of the winner is ahead. The run itself must not have failed.
    """
    evidence, run = evidence_of(record), record.trials.get(trial)
    if evidence is not None and (run is None or run.configuration_id != evidence.name):
        return "it is not one of the winner's runs"
    verdict = answer_of(record).verdict
    if evidence is None or run is None or verdict is not Verdict.BETTER:
        is_confirmed = evidence is not None and evidence.is_confirmed
        return _NOT_BETTER[verdict].format(seeds="fresh seeds" if is_confirmed else "the seeds of the search")
    if run.outcome is not None and run.outcome.is_failed:
        return f"this run counts as failed ({run.outcome})"
    pair = tested_pair(record)
    ahead = pair[0].summary.mean - pair[1].summary.mean if pair else math.nan
    if ahead <= 0:
        return "the test split does not support it: there vanilla fine-tuning is no worse"
    if not evidence.is_confirmed and pair is None:
        return "neither fresh seeds (`confirm`) nor the test split support it"
    return ""
