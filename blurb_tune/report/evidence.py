"""What a sweep knows of its winner beside vanilla: by which runs, how far ahead, and whether that is more than chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from blurb_tune.log.record import SweepRecord
from blurb_tune.report.claims import claims_of, confirmation_of
from blurb_tune.results.groups import GroupResult, why_no_result
from blurb_tune.stats.comparison import ALPHA, Comparison
from blurb_tune.stats.permutation import first_decidable


@dataclass(frozen=True)
class Evidence:
    """The winner and the vanilla configuration that it is compared with.

    name: the winner's. winner, reference: by the confirmation runs where both have some (`is_confirmed`), else by those of the
    search. comparison: of the two; None without vanilla, and where vanilla itself has won. picked_from: the configurations
    that the winner was picked from by these very scores, 1 where they are of fresh seeds. is_cut_short: vanilla was stopped
    before its last seed, and stands here with what it had.
    """

    name: str
    winner: GroupResult
    reference: GroupResult | None
    comparison: Comparison | None
    is_confirmed: bool
    picked_from: int
    is_cut_short: bool

    @property
    def p(self) -> float:
        """Of the difference, two-sided, corrected for all configurations that the winner was picked from (Bonferroni)."""
        return math.nan if self.comparison is None else min(1.0, self.picked_from * self.comparison.p)

    @property
    def is_decidable(self) -> bool:
        """So many scores can be significant at all, with this correction."""
        return self.comparison is not None and self.picked_from * self.comparison.smallest_p <= ALPHA

    @property
    def first_decidable(self) -> int | None:
        """The scores of each side from which on that is so."""
        if self.comparison is None:
            return None
        return first_decidable(ALPHA / self.picked_from, paired=self.comparison.is_paired)

    @property
    def is_shown(self) -> bool:
        """The means differ by more than chance: at 0.05, with a vanilla that had all its seeds."""
        return self.is_decidable and self.p <= ALPHA and not self.is_cut_short

    @property
    def fresh_seeds_needed(self) -> int | None:
        """Confirmation seeds of each that would tell the two apart in 8 of 10 cases, if they differ as they seem to."""
        if self.comparison is None or self.comparison.seeds_needed is None:
            return None
        return max(self.comparison.seeds_needed, first_decidable(ALPHA) or 0)


def evidence_of(record: SweepRecord) -> Evidence | None:
    """None while no configuration has a result, and where most runs of the best one failed: no better than chance."""
    best = record.best_configuration()
    if best is None or record.no_result is not None or why_no_result(best) is not None:
        return None
    name = record.selection.configuration if record.selection else best.name
    configuration = record.configurations[name].configuration
    confirmation = confirmation_of(record)
    if confirmation is not None and (confirmation.comparison is not None or configuration.strategy.is_vanilla):
        return Evidence(name, confirmation.winner, confirmation.reference, confirmation.comparison, True, 1, False)
    reference = record.references().get(configuration.model)
    if reference is None or configuration.strategy.is_vanilla:
        return Evidence(name, record.result_of(name), None, None, False, 1, False)
    claim = next((claim for claim in claims_of(record) if claim.result.name == name), None)
    rivals = [c for c, of in record.configurations.items() if not of.configuration.strategy.is_vanilla and record.trials_of(c)]
    return Evidence(
        name,
        record.result_of(name),
        reference,
        claim.comparison if claim else None,
        is_confirmed=False,
        picked_from=max(1, len(rivals)),
        is_cut_short=record.is_censored(reference.name),
    )
