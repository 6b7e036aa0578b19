"""Everything that is claimed of a strategy beside vanilla, from the scores of their seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from blurb_tune.stats.intervals import Interval, fisher_interval, t_difference
from blurb_tune.stats.multiple import holm
from blurb_tune.stats.permutation import first_decidable, permutation_p, smallest_p, wilcoxon_p
from blurb_tune.stats.power import seeds_needed
from blurb_tune.stats.superiority import Superiority, superiority
from blurb_tune.stats.variance import brown_forsythe_p

ALPHA = 0.05
# With fewer no difference of pairs can be significant at ALPHA, while one of two samples can.
_FEWEST_PAIRS = 6


@dataclass(frozen=True)
class Comparison:
    """Of a strategy with a reference, over their seeds.

    n, n_reference: scores. difference: of the means; interval: its 95 % interval (Welch's; Student's of the pairs). p: of the
    means, two-sided, by permutation; p_holm: corrected for all strategies that are compared. superiority: P(a seed is above
    one of the reference). p_variance, p_variance_holm: of equal spreads (Brown-Forsythe). seeds_needed: of each, to tell them
    apart with a probability of 0.8 at the differences and spreads measured; None where no number is known. is_decidable: so
    many scores can be significant at all, Holm's correction included; where not, a p-value says nothing. first_decidable: the
    scores of each from which on they can, None where no number is enough. is_paired: they were compared seed by seed;
    p_wilcoxon: of the pairs by their ranks, NaN without. smallest_p: that so many scores can have.
    """

    n: int
    n_reference: int
    difference: float
    interval: Interval
    p: float
    p_holm: float
    superiority: Superiority
    p_variance: float
    p_variance_holm: float
    seeds_needed: int | None
    is_decidable: bool
    first_decidable: int | None
    is_paired: bool
    p_wilcoxon: float
    smallest_p: float

    @property
    def is_significant(self) -> bool:
        """The means differ, at 0.05 with Holm's correction."""
        return self.is_decidable and self.p_holm <= ALPHA


def compare(scores: Mapping[int, float], reference: Mapping[int, float]) -> Comparison:
    """A strategy and its reference, each a score by seed.

    Compared seed by seed only where that is sure to gain power (`is_worth_pairing`), else as two samples.
    """
    common = sorted(scores.keys() & reference.keys())
    is_paired = is_worth_pairing([scores[seed] for seed in common], [reference[seed] for seed in common])
    first = [scores[seed] for seed in common] if is_paired else list(scores.values())
    second = [reference[seed] for seed in common] if is_paired else list(reference.values())
    n, m = len(first), len(second)
    smallest = smallest_p(n, m, paired=is_paired) if n and m else 1.0
    difference = float(np.mean(first) - np.mean(second)) if n and m else math.nan
    p, p_variance = permutation_p(first, second, paired=is_paired), brown_forsythe_p(first, second)
    compared = [np.subtract(first, second)] if is_paired else [first, second]
    spreads = [float(np.std(sample, ddof=1)) if len(sample) > 1 else math.nan for sample in compared]
    return Comparison(
        n=n,
        n_reference=m,
        difference=difference,
        interval=t_difference(first, second, paired=is_paired),
        p=p,
        p_holm=p,
        superiority=superiority(first, second),
        p_variance=p_variance,
        p_variance_holm=p_variance,
        seeds_needed=seeds_needed(difference, *spreads),
        is_decidable=smallest <= ALPHA,
        first_decidable=first_decidable(ALPHA, paired=is_paired),
        is_paired=is_paired,
        p_wilcoxon=wilcoxon_p(first, second) if is_paired else math.nan,
        smallest_p=smallest,
    )


def compare_all(pairs: Mapping[str, tuple[Mapping[int, float], Mapping[int, float]]]) -> dict[str, Comparison]:
    """Each strategy beside its reference, with Holm's correction over all that can be decided; means and spreads apart.

    What so few scores can never decide is not corrected for: that follows from their numbers alone, not from what they are
    (Tarone 1990, Biometrics 46:515).
    """
    found = {name: compare(scores, reference) for name, (scores, reference) in pairs.items()}
    decidable = _decidable({name: comparison.smallest_p for name, comparison in found.items()})
    p_all = holm([c.p for c in found.values()])
    p = holm([c.p if name in decidable else math.nan for name, c in found.items()])
    p_variance = holm([c.p_variance for c in found.values()])
    return {
        name: replace(
            comparison,
            p_holm=p[index] if name in decidable else p_all[index],
            p_variance_holm=p_variance[index],
            is_decidable=name in decidable,
            first_decidable=first_decidable(ALPHA / len(found), paired=comparison.is_paired),
        )
        for index, (name, comparison) in enumerate(found.items())
    }


def _decidable(smallest: Mapping[str, float]) -> set[str]:
    """Those whose p-value can be significant, by the smallest that each can have: as long as one of them cannot even if all
    had theirs, those with the largest are left out."""
    left = dict(smallest)
    while left and max(holm(list(left.values()))) > ALPHA:
        worst = max(left.values())
        left = {name: p for name, p in left.items() if p < worst}
    return set(left)


def is_worth_pairing(scores: Sequence[float], reference: Sequence[float]) -> bool:
    """Whether common seeds, shapes (n,), make two strategies' scores alike beyond chance: at least six, and the 95 % interval
    of their correlation (Fisher's) lies above 0. Else pairing costs power: it leaves half of the degrees of freedom."""
    if len(scores) < _FEWEST_PAIRS or np.ptp(scores) == 0 or np.ptp(reference) == 0:
        return False
    correlation = float(np.clip(np.corrcoef(scores, reference)[0, 1], -1, 1))
    return fisher_interval(correlation, len(scores))[0] > 0
