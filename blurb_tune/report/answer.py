"""The answer of a sweep in three sentences for who is no statistician: which recipe is good every time, how sure that is, and
what to keep in mind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from blurb_tune.core.numbers import plural
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.caveats import Caveat, caveats_of, is_ended, tested_pair
from blurb_tune.report.claims import claims_of
from blurb_tune.report.evidence import Evidence, evidence_of
from blurb_tune.report.progress import planned_trials
from blurb_tune.report.wording import more_or_less, number, p_value, percent, recipe, signed, supported_decimals
from blurb_tune.results.groups import GroupResult, why_no_result
from blurb_tune.stats.comparison import ALPHA
from blurb_tune.stats.intervals import wilson_interval
from blurb_tune.stats.permutation import first_decidable


class Verdict(StrEnum):
    """better, worse: than vanilla, by more than chance. undecided: which of the two it is. undecidable: so few seeds cannot
    say. vanilla: it has won itself. alone: there is no vanilla to compare with. none: no result (yet)."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    UNDECIDABLE = "undecidable"
    VANILLA = "vanilla"
    ALONE = "alone"
    NONE = "none"


@dataclass(frozen=True)
class Answer:
    """recipe, sureness, caveat: plain text, a sentence or two each. kind: of the caveat. others: the further caveats."""

    verdict: Verdict
    recipe: str
    sureness: str
    caveat: str
    kind: Caveat
    others: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, str, str]:
        return self.recipe, self.sureness, self.caveat


def answer_of(record: SweepRecord) -> Answer:
    """Raises LookupError while the log is empty."""
    evidence = evidence_of(record)
    verdict = _verdict(record, evidence)
    if evidence is None:
        first, second = _of_nothing(record), _why_nothing(record)
    else:
        first, second = _recipe(record, evidence, verdict), _sureness(record, evidence, verdict)
    (kind, caveat), *others = caveats_of(record, evidence)
    return Answer(verdict, first, second, caveat, kind, tuple(sentence for _, sentence in others))


def _verdict(record: SweepRecord, evidence: Evidence | None) -> Verdict:
    """A sweep that goes on claims nothing yet: whoever looks often enough would find something."""
    if evidence is None:
        return Verdict.NONE
    if record.configurations[evidence.name].configuration.strategy.is_vanilla:
        return Verdict.VANILLA
    if evidence.comparison is None:
        return Verdict.ALONE
    if not evidence.is_decidable:
        return Verdict.UNDECIDABLE
    if not evidence.is_shown or not is_ended(record):
        return Verdict.UNDECIDED
    return Verdict.BETTER if evidence.comparison.difference > 0 else Verdict.WORSE


def _recipe(record: SweepRecord, evidence: Evidence, verdict: Verdict) -> str:
    what, winner, metric = recipe(record, evidence.name), evidence.winner, record.header.metric
    so_far = "" if is_ended(record) else " so far"
    summaries = [winner.summary, *([evidence.reference.summary] if evidence.reference else [])]
    decimals = supported_decimals(summaries)
    seeds = "fresh seeds" if evidence.is_confirmed else "seeds"
    mean = f"{metric} {number(winner.summary.mean, decimals)} on dev"
    over = f"the mean of {winner.n} {seeds}" if winner.n > 1 else f"one {seeds[:-1]}"
    if verdict is Verdict.VANILLA:
        rivals = "" if len(record.configurations) > 1 else ", and nothing else was tried"
        return f"{_capital(what)} did best{so_far}: {mean} ({over}){rivals}; {_failures(winner, None)}."
    if evidence.comparison is None or evidence.reference is None:
        return f"{_capital(what)} did best{so_far}: {mean} ({over}); {_failures(winner, None)}."
    reference, difference = evidence.reference, evidence.comparison.difference
    worse = (
        "did best in the search, and is worse than vanilla fine-tuning on fresh seeds"
        if evidence.is_confirmed
        else "did best by the sweep's objective and failed runs, but its mean is lower than vanilla's"
    )
    head = {
        Verdict.BETTER: "is better than vanilla fine-tuning",
        Verdict.WORSE: worse,
        Verdict.UNDECIDED: f"did best{so_far}, but it is not shown to be better than vanilla fine-tuning",
        Verdict.UNDECIDABLE: f"did best{so_far}, but whether it is better than vanilla fine-tuning cannot be decided yet",
    }[verdict]
    beside = f"against {number(reference.summary.mean, decimals)} of vanilla"
    return (
        f"{_capital(what)} {head}: {mean} ({over}) {beside}, {more_or_less(difference, decimals)}"
        f"{_in_words(evidence.comparison.interval, decimals)}; {_failures(winner, reference)}."
    )


def _in_words(bounds: tuple[float, float], decimals: int) -> str:
    low, high = bounds
    if math.isnan(low):
        return ""
    if low < 0 < high:
        return f" (with 95 % confidence anything from {more_or_less(low, decimals)} to {more_or_less(high, decimals)})"
    sign = "more" if high > 0 else "less"
    near, far = sorted((abs(low), abs(high)))
    return f" (with 95 % confidence between {number(near, decimals)} and {number(far, decimals)} {sign})"


def _failures(winner: GroupResult, reference: GroupResult | None) -> str:
    low, high = wilson_interval(winner.failed, winner.ended)
    if not winner.failed:
        none = "its only run did not fail" if winner.ended == 1 else f"none of its {winner.ended} runs failed"
        said = f"{none} (with 95 % confidence at most {percent(high)} do)"
    else:
        of = plural(winner.ended, "run")
        said = f"{winner.failed} of its {of} failed (with 95 % confidence {percent(low)} to {percent(high)} do)"
    if reference is None:
        return said
    return f"{said}, and {reference.failed or 'none'} of the {reference.ended} of vanilla"


def _sureness(record: SweepRecord, evidence: Evidence, verdict: Verdict) -> str:
    return " ".join(filter(None, [_decision(record, evidence, verdict), _test(record), _stops(record)]))


def _decision(record: SweepRecord, evidence: Evidence, verdict: Verdict) -> str:
    if evidence.comparison is None:
        if verdict is Verdict.VANILLA:
            return _next_to_vanilla(record, evidence)
        return "How much that is worth cannot be said: vanilla has no result here to compare with."
    comparison, p = evidence.comparison, evidence.p
    fresh = "fresh seeds, which no choice had seen" if evidence.is_confirmed else "seeds of the search"
    each = (
        f"{comparison.n} {fresh}"
        if comparison.n == comparison.n_reference
        else f"{comparison.n} and {comparison.n_reference} {fresh}"
    )
    by_chance = f"chance alone makes so large a difference in {percent(p)} of such sweeps (p = {p_value(p)}"
    picked = (
        f", corrected for the {evidence.picked_from} configurations it was picked from)" if evidence.picked_from > 1 else ")"
    )
    if not evidence.is_decidable:
        few = "are too few to" if evidence.first_decidable else f"of one of {evidence.picked_from:,} configurations cannot"
        return f"{_capital(each)} {few} decide anything.{_seeds_to_settle(evidence)}"
    said = f"By {each}, {by_chance}{picked}"
    if verdict in (Verdict.BETTER, Verdict.WORSE):
        return f"{said}: that is sure enough to act on." if evidence.is_confirmed else f"{said}, which settles it."
    if p <= ALPHA:  # but vanilla was cut short, or the sweep goes on
        return f"{said}, which does not settle it yet."
    return f"{said}, which is too often to rule chance out.{_seeds_to_settle(evidence)}"


def _next_to_vanilla(record: SweepRecord, evidence: Evidence) -> str:
    """How far behind the best other recipe is, by the seeds of the search."""
    rivals = [claim for claim in claims_of(record) if claim.reference == evidence.name]
    if not rivals:
        return "No other recipe has a result to compare it with."
    closest = max(rivals, key=lambda claim: claim.comparison.difference)
    decimals = supported_decimals([closest.result.summary, evidence.winner.summary])
    behind = more_or_less(closest.comparison.difference, decimals)
    return (
        f"The closest other recipe, {recipe(record, closest.result.name)}, has {behind}"
        f"{_in_words(closest.comparison.interval, decimals)}; that none came out ahead does not show that none is better."
    )


def _seeds_to_settle(evidence: Evidence) -> str:
    """How many more seeds would settle it."""
    needed = evidence.fresh_seeds_needed
    if needed is None or evidence.comparison is None or evidence.comparison.difference <= 0:
        first = first_decidable(ALPHA)
        return f" Fresh seeds of these two alone (`confirm`) can decide from {first} of each on."
    return f" About {plural(needed, 'fresh seed')} of each (`confirm`) would settle it, if they differ as they seem to."


def _test(record: SweepRecord) -> str:
    pair = tested_pair(record)
    if pair is None:
        return ""
    winner, reference = pair
    decimals = supported_decimals([winner.summary, reference.summary])
    ahead = winner.summary.mean - reference.summary.mean
    numbers = f"{number(winner.summary.mean, decimals)} against {number(reference.summary.mean, decimals)}"
    return f"On the test split, read once, it is {numbers} ({signed(ahead, decimals)})."


def _stops(record: SweepRecord) -> str:
    out = [c for c in record.configurations.values() if c.is_out and record.is_censored(c.configuration_id)]
    if not out:
        return ""
    of = plural(len(record.configurations), "configuration")
    return f"{len(out)} of {of} were stopped early as beaten, and are not compared."


def _of_nothing(record: SweepRecord) -> str:
    if record.no_result is not None:
        return f"No recipe is good here: {record.no_result.reason}."
    reason = why_no_result(record.best_configuration()) if record.best_configuration() else None
    if reason is not None:
        return f"No recipe is good {'here' if is_ended(record) else 'so far'}: {reason}."
    outcomes = record.outcome_counts()
    errored, ended = outcomes[Outcome.ERRORED], sum(outcomes.values())
    if ended and errored == ended:
        return f"There is no answer: all of the {plural(ended, 'run')} that ended errored, and an errored run is no result."
    return "There is no answer yet: no configuration has a result."


def _why_nothing(record: SweepRecord) -> str:
    outcomes = {Outcome(name): count for name, count in record.outcome_counts().items()}
    failed = sum(count for outcome, count in outcomes.items() if outcome.is_failed)
    ended, planned = sum(outcomes.values()), planned_trials(record)
    of = f"{ended:,} of {planned:,} runs" if planned else plural(ended, "run")
    is_over = record.no_result is not None or (is_ended(record) and failed)
    if is_over:
        trivial = f"{record.header.metric} {number(record.header.trivial_score, 3)}"
        return f"{failed} of {plural(ended, 'run')} ended no better than a constant prediction ({trivial})."
    errored = f" and {outcomes[Outcome.ERRORED]} errored" if outcomes[Outcome.ERRORED] else ""
    return f"{of} have ended, of which {failed} failed{errored}."


def _capital(text: str) -> str:
    """The first letter of a sentence; names of models keep theirs."""
    return text[:1].upper() + text[1:] if text[:1].islower() and ":" not in text else text
