"""What one has to keep in mind of a sweep's answer: the reasons for doubt in order of their weight."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum

from blurb_tune.core.numbers import plural
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.advice import what_to_try
from blurb_tune.report.claims import vanilla_share
from blurb_tune.report.evidence import Evidence
from blurb_tune.report.final_scores import FinalResult, final_results
from blurb_tune.report.progress import planned_trials
from blurb_tune.report.summary import notes_of
from blurb_tune.report.wording import signed, supported_decimals

_LONGEST_NOTE = 400


class Caveat(StrEnum):
    """Why an answer may mislead."""

    NOTHING_LEARNED = "nothing_learned"
    MOST_FAILED = "most_failed"
    UNFINISHED = "unfinished"
    TOO_FEW_SEEDS = "too_few_seeds"
    TEST_DISAGREES = "test_disagrees"
    FEW_TEST_ITEMS = "few_test_items"
    VANILLA_CUT_SHORT = "vanilla_cut_short"
    VANILLA_UNTUNED = "vanilla_untuned"
    NOT_CONFIRMED = "not_confirmed"
    DATA = "data"
    SCOPE = "scope"


def caveats_of(record: SweepRecord, evidence: Evidence | None) -> list[tuple[Caveat, str]]:
    """All that apply, each a sentence, the heaviest first; never empty. Raises LookupError while the log is empty."""
    found = ((caveat, sentence_of(record, evidence)) for caveat, sentence_of in _BY_WEIGHT)
    return [(caveat, sentence) for caveat, sentence in found if sentence]


def is_ended(record: SweepRecord) -> bool:
    """The sweep has run all that it is going to run."""
    return record.status == "finished"


def tested_pair(record: SweepRecord) -> tuple[FinalResult, FinalResult] | None:
    """The winner and vanilla on the test split, where both have scores there."""
    results = [result for result in final_results(record) if not math.isnan(result.summary.mean)]
    return (results[0], results[1]) if len(results) == 2 else None


def is_separated(winner: FinalResult, reference: FinalResult) -> bool:
    """Whether the test set is large enough to tell the two mean scores apart, by its items alone.

    The lower bound of the difference from the two 95 % intervals of one run (Zou 2007, Psychol. Methods 12:399, for
    independent samples). Both are of the same items, so that in truth it may separate somewhat more.
    """
    ahead = winner.summary.mean - reference.summary.mean
    low, high = winner.interval[0], reference.interval[1]
    return ahead - math.hypot(winner.summary.mean - low, high - reference.summary.mean) > 0


def _nothing_learned(record: SweepRecord, evidence: Evidence | None) -> str:
    outcomes = record.outcome_counts()
    ended = sum(outcomes.values())
    is_through = is_ended(record) or record.no_result is not None
    if not ended or (evidence is not None and 2 * evidence.winner.failed <= evidence.winner.ended):
        return ""
    if ended == outcomes[Outcome.ERRORED]:
        return (
            "Every run errored, so nothing is known of any recipe: the log of a run says why it errored." if is_through else ""
        )
    if not is_through:
        return ""
    return " ".join(["Nothing was learned, so this says nothing of which recipe is better.", *what_to_try(record)[:1]])


def _most_failed(record: SweepRecord, evidence: Evidence | None) -> str:
    outcomes = {Outcome(name): count for name, count in record.outcome_counts().items()}
    failed = sum(count for outcome, count in outcomes.items() if outcome.is_failed)
    ended = sum(count for outcome, count in outcomes.items() if outcome is not Outcome.ERRORED)
    if evidence is None or 2 * failed <= ended:
        return ""
    return (
        f"Most runs of this sweep failed ({failed} of {ended}): what is compared here is mostly whether a run learns at all, "
        "not how well. More epochs or other learning rates may change the order."
    )


def _unfinished(record: SweepRecord, evidence: Evidence | None) -> str:
    ended, planned = sum(record.outcome_counts().values()), planned_trials(record)
    of = f"{ended:,} of {planned:,} runs" if planned else plural(ended, "run")
    if record.budget_spent is not None:
        return (
            f"The budget ended the search before its plan was through ({record.budget_spent.reason}): after {of}, what had "
            "not run may be better."
        )
    if is_ended(record):
        return ""
    if record.status == "running":
        return f"The sweep is not finished: {of} have ended, and the rest may change the order."
    how = "was interrupted" if record.status == "interrupted" else "stopped on an error"
    return f"The sweep {how} after {of}: the rest may change the order, and the same command goes on with it."


def _too_few_seeds(record: SweepRecord, evidence: Evidence | None) -> str:
    if evidence is None or evidence.comparison is None or evidence.is_decidable:
        return ""
    has, first = min(evidence.comparison.n, evidence.comparison.n_reference), evidence.first_decidable
    if first is None:
        return (
            f"The winner was picked from {evidence.picked_from:,} configurations, among which one is ahead by chance: its own "
            "seeds cannot decide, fresh ones (`confirm`) can."
        )
    after = f"before n = {first} seeds of each"
    if evidence.is_cut_short:
        return f"Vanilla itself was stopped after {plural(has, 'seed')}, which are too few: cannot decide {after}."
    if has == 1:
        return f"A single seed says nothing of how the next one will do: cannot decide {after}."
    return f"Cannot decide {after}, and there are {has}: until then the order may be chance, however far apart the scores are."


def _test_disagrees(record: SweepRecord, evidence: Evidence | None) -> str:
    pair = tested_pair(record)
    if pair is None or evidence is None or evidence.comparison is None:
        return ""
    (winner, reference), gain = pair, evidence.comparison.difference
    ahead = winner.summary.mean - reference.summary.mean
    if gain <= 0 or ahead > 0:
        return ""
    decimals = supported_decimals([winner.summary, reference.summary])
    return (
        f"The test split does not confirm the gain on dev: there the winner is {_behind(ahead, decimals)} vanilla"
        f"{_few_items(winner, reference)}."
    )


def _few_test_items(record: SweepRecord, evidence: Evidence | None) -> str:
    pair = tested_pair(record)
    if pair is None or math.isnan(pair[0].interval[0] + pair[1].interval[0]):
        return ""
    winner, reference = pair
    if is_separated(winner, reference) or is_separated(reference, winner):
        return ""
    decimals = supported_decimals([winner.summary, reference.summary])
    ahead = signed(winner.summary.mean - reference.summary.mean, decimals)
    return (
        f"The {winner.examples:,} test items cannot separate these two: their difference there, {ahead}, is within what the "
        "choice of so few items makes by chance, however many seeds are run."
    )


def _vanilla_cut_short(record: SweepRecord, evidence: Evidence | None) -> str:
    if evidence is None or not evidence.is_cut_short or not evidence.is_decidable or evidence.reference is None:
        return ""
    return (
        f"Vanilla itself was stopped after {plural(evidence.reference.n, 'seed')}, so the comparison rests on few of its "
        "runs: fresh seeds of the two (`confirm`) would be fair."
    )


def _vanilla_untuned(record: SweepRecord, evidence: Evidence | None) -> str:
    share = vanilla_share(record)
    if share is None or share.is_fair or evidence is None or evidence.comparison is None:
        return ""
    others = sum(not of.configuration.strategy.is_vanilla for of in record.configurations.values())
    one = "one untuned configuration" if share.vanilla == 1 else plural(share.vanilla, "configuration")
    return (
        f"Vanilla was {one} against {others} of the other strategies: tuned as they were, it may come closer "
        "(`search.vanilla_first`)."
    )


def _not_confirmed(record: SweepRecord, evidence: Evidence | None) -> str:
    if evidence is None or evidence.is_confirmed or len(record.configurations) < 2:
        return ""
    return (
        "The winner was picked by the same seeds that it is judged by, so its mean is rather too high: fresh seeds "
        "(`confirm`) would tell."
    )


def _data(record: SweepRecord, evidence: Evidence | None) -> str:
    notes = notes_of(record)
    if not notes:
        return ""
    more = f" ({plural(len(notes) - 1, 'more note')} below)" if len(notes) > 1 else ""
    return f"Of the data: {notes[0][:_LONGEST_NOTE].rstrip('.')}{more}."


def _scope(record: SweepRecord, evidence: Evidence | None) -> str:
    models = "these models" if record.has_models else "this model"
    return f"This holds for this task, {models} and the settings that were searched; others may need another recipe."


def _behind(ahead: float, decimals: int) -> str:
    return f"{signed(-ahead, decimals).lstrip('+')} behind" if round(-ahead, decimals) else "no better than"


def _few_items(winner: FinalResult, reference: FinalResult) -> str:
    """Whether the other way round is beyond what so few items make by chance, too."""
    if math.isnan(winner.interval[0] + reference.interval[0]) or is_separated(reference, winner):
        return ""
    return f"; but {winner.examples:,} test items cannot separate the two"


_BY_WEIGHT: Sequence[tuple[Caveat, Callable[[SweepRecord, Evidence | None], str]]] = (
    (Caveat.NOTHING_LEARNED, _nothing_learned),
    (Caveat.MOST_FAILED, _most_failed),
    (Caveat.UNFINISHED, _unfinished),
    (Caveat.TOO_FEW_SEEDS, _too_few_seeds),
    (Caveat.TEST_DISAGREES, _test_disagrees),
    (Caveat.FEW_TEST_ITEMS, _few_test_items),
    (Caveat.VANILLA_CUT_SHORT, _vanilla_cut_short),
    (Caveat.VANILLA_UNTUNED, _vanilla_untuned),
    (Caveat.NOT_CONFIRMED, _not_confirmed),
    (Caveat.DATA, _data),
    (Caveat.SCOPE, _scope),
)
