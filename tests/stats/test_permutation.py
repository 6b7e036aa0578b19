from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.stats.permutation import first_decidable, permutation_p, smallest_p, wilcoxon_p

scores = st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=1, max_size=6)


def by_hand(first: list[float], second: list[float], alternative: str) -> float:
    """All relabelings, one by one."""
    pool, n = [*first, *second], len(first)
    observed = np.mean(first) - np.mean(second)
    differences = []
    for chosen in itertools.combinations(range(len(pool)), n):
        rest = [pool[i] for i in range(len(pool)) if i not in chosen]
        differences.append(np.mean([pool[i] for i in chosen]) - np.mean(rest))
    greater = float(np.mean([d >= observed - 1e-12 for d in differences]))
    less = float(np.mean([d <= observed + 1e-12 for d in differences]))
    return {"greater": greater, "less": less, "two-sided": min(1.0, 2 * min(greater, less))}[alternative]


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@given(first=scores, second=scores)
def test_all_relabelings_are_counted(alternative: str, first: list[float], second: list[float]) -> None:
    expected = by_hand(first, second, alternative)
    assert permutation_p(first, second, alternative=alternative) == pytest.approx(expected)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8))
def test_pairs_are_exchanged_within(pairs: list[tuple[float, float]]) -> None:
    differences = [a - b for a, b in pairs]
    observed = math.fsum(differences)
    signs = itertools.product((1, -1), repeat=len(pairs))
    sums = [math.fsum(s * d for s, d in zip(of, differences, strict=True)) for of in signs]
    greater = np.mean([s >= observed - 1e-9 for s in sums])
    less = np.mean([s <= observed + 1e-9 for s in sums])
    p = permutation_p([a for a, _ in pairs], [b for _, b in pairs], paired=True)
    assert p == pytest.approx(min(1.0, 2 * min(greater, less)), abs=1e-9)


def test_of_very_many_relabelings_some_are_drawn_and_the_identity_is_one() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.normal(1, 0.1, 30).tolist(), generator.normal(0, 0.1, 30).tolist()
    assert permutation_p(first, second) == pytest.approx(2 / 10_000)
    assert permutation_p(first, second) == permutation_p(first, second)


def test_under_the_null_p_is_at_most_alpha_as_often_as_it_says() -> None:
    generator = np.random.default_rng(2)
    rounds = 1500
    for n, m in ((5, 5), (4, 8)):
        p = [
            permutation_p(generator.exponential(size=n).tolist(), generator.exponential(size=m).tolist())
            for _ in range(rounds)
        ]
        assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds)


def test_what_can_be_decided() -> None:
    assert first_decidable(0.05) == 4
    assert first_decidable(0.05, alternative="greater") == 3
    assert first_decidable(0.05, paired=True) == 6
    assert smallest_p(3, 3) == 0.1
    assert permutation_p([4, 5, 6], [1, 2, 3]) == pytest.approx(0.1)
    assert permutation_p([4], [1]) == 1.0
    assert math.isnan(permutation_p([], [1]))
    with pytest.raises(ValueError, match="as many scores on both sides"):
        permutation_p([1, 2], [1], paired=True)


def test_wilcoxon_is_the_published_one() -> None:
    """Darwin's maize (Fisher 1935): 15 pairs, T = 24, two-sided p = 0.0413."""
    crossed = [23.5, 12, 21, 22, 19.125, 21.5, 22.125, 20.375, 18.25, 21.625, 23.25, 21, 22.125, 23, 12]
    selfed = [17.375, 20.375, 20, 20, 18.375, 18.625, 18.625, 15.25, 16.5, 18, 16.25, 18, 12.75, 15.5, 18]
    assert wilcoxon_p(crossed, selfed) == pytest.approx(0.0413, abs=0.0005)
    assert wilcoxon_p([1, 2], [1, 2]) == 1.0
