"""What a comparison comes to, in three sentences for who is no statistician."""

from __future__ import annotations

from collections.abc import Iterator

from blurb_tune.core.numbers import plural
from blurb_tune.report.answer import Answer, Verdict
from blurb_tune.report.caveats import Caveat
from blurb_tune.report.comparison.sweep_comparison import Row, SweepComparison
from blurb_tune.report.comparison.text import verdict
from blurb_tune.report.wording import join_with_and, signed, supported_decimals
from blurb_tune.stats.comparison import ALPHA

_MOST_NAMED = 6


def answer_of(comparison: SweepComparison) -> Answer:
    """Where a strategy is better than vanilla, how sure that is, and what to keep in mind."""
    (kind, caveat), *others = _caveats(comparison)
    return Answer(
        verdict=_verdict(comparison),
        recipe=_recipe(comparison),
        sureness=_sureness(comparison),
        caveat=caveat,
        kind=kind,
        others=tuple(dict.fromkeys([*(text for _, text in others), *comparison.notes])),
    )


def _verdict(comparison: SweepComparison) -> Verdict:
    found = {verdict(row) for row in comparison.claims}
    if not comparison.claims:
        return Verdict.ALONE if any(row.entry.result.n for row in comparison.rows) else Verdict.NONE
    if "better" in found:
        return Verdict.BETTER
    if "worse" in found:
        return Verdict.WORSE
    is_decidable = any(row.comparison and row.comparison.is_decidable for row in comparison.claims)
    return Verdict.UNDECIDED if is_decidable else Verdict.UNDECIDABLE


def _recipe(comparison: SweepComparison) -> str:
    if not comparison.claims:
        return "There is nothing to compare: no task has a result of both vanilla and another strategy."
    places = list(dict.fromkeys(_place(row) for row in comparison.claims))
    what = "combination of task and model" if len(comparison.models) > 1 else "task"
    best: dict[tuple[str, str], Row] = {}
    for row in comparison.claims:
        if verdict(row) == "better" and _gain(row) > (_gain(best[_place(row)]) if _place(row) in best else 0.0):
            best[_place(row)] = row
    if not best:
        return f"No strategy is better than vanilla, by more than chance, on any of {plural(len(places), what)}."
    named = [f"{row.label} on {_where(comparison, row)} ({_difference(row)})" for row in best.values()]
    places_in_words = "combinations of task and model" if len(comparison.models) > 1 else "tasks"
    where = f"On {len(best)} of {len(places)} {places_in_words}" if len(places) > 1 else f"On the one {what}"
    return f"{where} a strategy is better than vanilla by more than chance, the most so {join_with_and(named, _MOST_NAMED)}."


def _sureness(comparison: SweepComparison) -> str:
    claims = comparison.claims
    if not claims:
        return "Without vanilla, which is the reference, no difference is claimed."
    better, worse = (sum(verdict(row) == word for row in claims) for word in ("better", "worse"))
    undecided = [row for row in claims if row.comparison and not row.comparison.is_decidable]
    said = (
        f"Of {plural(len(claims), 'claim')} on the dev split, corrected together at {ALPHA:g}, {better + worse} hold: "
        f"{better} that a strategy is better, {worse} that it is worse"
    )
    said += f"; {len(undecided)} cannot be decided with so few seeds." if undecided else "."
    fresh = [of for of in comparison.confirmations if of.comparison is not None]
    if fresh:
        held = sum(verdict(of) == "better" for of in fresh)
        refuted = [f"{of.winner.name} {of.label} of {of.sweep.label}" for of in fresh if verdict(of) == "worse"]
        found = f"confirms {held or 'none'} of them"
        found += f" and refutes {join_with_and(refuted, _MOST_NAMED)}" if refuted else ""
        said += f" {plural(len(fresh), 'sweep')} ran winner and vanilla on fresh seeds, which {found}."
    return said


def _caveats(comparison: SweepComparison) -> Iterator[tuple[Caveat, str]]:
    open_ones = [sweep.label for sweep in comparison.sweeps if not sweep.is_finished]
    if open_ones:
        yield (
            Caveat.UNFINISHED,
            f"{join_with_and(open_ones)} {'has' if len(open_ones) == 1 else 'have'} not ended: the numbers are those so far.",
        )
    cut = [row for row in comparison.claims if row.reference is not None and row.reference.is_censored]
    if cut:
        where = join_with_and(list(dict.fromkeys(_where(comparison, row) for row in cut)))
        yield (
            Caveat.VANILLA_CUT_SHORT,
            f"Vanilla itself was stopped early on {where}: it has few seeds to compare with, chosen by the stop.",
        )
    if comparison.first_decidable is not None:
        yield (
            Caveat.TOO_FEW_SEEDS,
            f"So many claims at once cannot all be decided before n = {comparison.first_decidable} seeds of each.",
        )
    if len(comparison.confirmations) < len(comparison.sweeps):
        lacking = len(comparison.sweeps) - len(comparison.confirmations)
        yield (
            Caveat.NOT_CONFIRMED,
            "The best configuration of each strategy was picked by the scores that it is compared by, so differences are "
            f"rather too large; {plural(lacking, 'sweep')} of {len(comparison.sweeps)} ran no fresh seeds (`confirm`).",
        )
    yield Caveat.SCOPE, "A strategy that helps one model on one task need not help another: compare within a column."


def _place(row: Row) -> tuple[str, str]:
    return row.pool.setting.label, row.pool.model


def _where(comparison: SweepComparison, row: Row) -> str:
    task = row.pool.setting.task
    return f"{task} with {row.pool.model}" if len(comparison.models) > 1 else task


def _gain(row: Row) -> float:
    return row.comparison.difference if row.comparison else 0.0


def _difference(row: Row) -> str:
    summaries = [row.entry.result.summary, *([row.reference.result.summary] if row.reference else [])]
    return f"{signed(_gain(row), supported_decimals(summaries))} {row.pool.setting.metric}"
