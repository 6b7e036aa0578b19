"""What sweeps measured once all was decided: confirmation seeds on dev, and the test split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blurb_tune.report.claims import confirmation_of
from blurb_tune.report.comparison.compared_sweeps import Sweep
from blurb_tune.report.final_scores import FinalResult, final_results
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.comparison import Comparison, compare_all


@dataclass(frozen=True)
class Confirmed:
    """Winner and vanilla of one sweep over its confirmation seeds, on dev. comparison: with Holm's correction over the sweeps
    that are compared; None without a result of vanilla."""

    sweep: Sweep
    label: str
    winner: GroupResult
    reference: GroupResult | None
    comparison: Comparison | None


@dataclass(frozen=True)
class Final:
    """Winner and vanilla of one sweep on its test split, read once, after the winner had been chosen on dev."""

    sweep: Sweep
    results: tuple[FinalResult, ...]

    @property
    def model(self) -> str:
        """Of the winner and so of its reference."""
        return self.sweep.record.configurations[self.results[0].configuration].configuration.model


def confirmations_of(sweeps: Sequence[Sweep]) -> tuple[Confirmed, ...]:
    """Of the sweeps that have any, in their order."""
    found = [(sweep, of) for sweep in sweeps if (of := confirmation_of(sweep.record)) is not None]
    pairs = {}
    for sweep, of in found:
        if of.reference is not None and of.comparison is not None:
            record = sweep.record
            sides = [record.seed_scores(record.confirmations_of(g.name)).get(g.name, {}) for g in (of.winner, of.reference)]
            pairs[sweep.label] = sides[0], sides[1]
    comparisons = compare_all(pairs)
    return tuple(
        Confirmed(sweep, sweep.record.label(of.winner.name), of.winner, of.reference, comparisons.get(sweep.label))
        for sweep, of in found
    )


def final(sweeps: Sequence[Sweep]) -> tuple[Final, ...]:
    """Of the sweeps that have read their test split, in their order."""
    found = ((sweep, tuple(final_results(sweep.record))) for sweep in sweeps)
    return tuple(Final(sweep, results) for sweep, results in found if results)
