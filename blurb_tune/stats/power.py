"""How many seeds it takes to tell two strategies apart."""

from __future__ import annotations

import math

import scipy  # its parts are loaded when they are used, which a start does not wait for

_MOST = 100_000


def power_of(n: int, difference: float, std: float, std_reference: float | None = None, alpha: float = 0.05) -> float:
    """The probability that n seeds of each tell two normal samples apart whose means differ so much: Welch's two-sided t-test,
    by the noncentral t distribution (Cohen 1988, section 2.5, with Satterthwaite's degrees of freedom). Without
    `std_reference` `std` is that of the differences of n pairs."""
    other = 0.0 if std_reference is None else std_reference
    variance = (std**2 + other**2) / n
    freedom = (n - 1) * (std**2 + other**2) ** 2 / (std**4 + other**4)
    critical, shift = float(scipy.stats.t.ppf(1 - alpha / 2, freedom)), abs(difference) / math.sqrt(variance)
    upper, lower = float(scipy.stats.nct.sf(critical, freedom, shift)), float(scipy.stats.nct.cdf(-critical, freedom, shift))
    # Far out in its tails the distribution is not a number.
    return (float(shift > critical) if math.isnan(upper) else upper) + (0.0 if math.isnan(lower) else lower)


def seeds_needed(
    difference: float, std: float, std_reference: float | None = None, *, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """The seeds of each that tell two strategies apart with probability `power`, if their means and standard deviations are as
    measured; of pairs where there is no `std_reference`. None where that is unknown, or takes more than 100,000. Two at
    least, for a spread needs two."""
    spread = math.hypot(std, 0.0 if std_reference is None else std_reference)
    if math.isnan(difference) or math.isnan(spread) or difference == 0:
        return None
    if spread == 0:
        return 2
    low, high = 1, 2
    while power_of(high, difference, std, std_reference, alpha) < power:
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(middle, difference, std, std_reference, alpha) < power:
            low = middle
        else:
            high = middle
    return high
