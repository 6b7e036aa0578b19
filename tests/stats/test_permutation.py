from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from blurb_tune.stats.permutation import first_decidable, permutation_p, smallest_p, wilcoxon_p

scores = st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=1, max_size=6)
score = st.floats(0, 1).map(lambda value: round(value, 4))


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


@given(st.lists(st.tuples(score, score), min_size=2, max_size=8))
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


many = st.lists(st.integers(0, 50).map(lambda k: k / 50), min_size=8, max_size=12)


@settings(max_examples=40)
@given(many, many, st.booleans(), st.randoms(use_true_random=False))
def test_drawn_relabelings_know_no_order_and_no_side(
    first: list[float], second: list[float], studentized: bool, generator: random.Random
) -> None:
    p = permutation_p(first, second, studentized=studentized, alternative="greater")
    shuffled = [generator.sample(of, len(of)) for of in (first, second)]
    assert permutation_p(*shuffled, studentized=studentized, alternative="greater") == p
    if sorted(first) != sorted(second):
        assert permutation_p(second, first, studentized=studentized, alternative="less") == p
    assert permutation_p(second, first, studentized=studentized) == permutation_p(first, second, studentized=studentized)
    assert 0 < p <= 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=13, max_size=16))
def test_drawn_pairs_know_no_order_and_no_side(pairs: list[tuple[int, int]]) -> None:
    first, second = [a / 50 for a, _ in pairs], [b / 50 for _, b in pairs]
    p = permutation_p(first, second, paired=True, alternative="greater")
    assert permutation_p(first[::-1], second[::-1], paired=True, alternative="greater") == p
    differences = sorted(a - b for a, b in zip(first, second, strict=True))
    if differences != sorted(-d for d in differences):
        assert permutation_p(second, first, paired=True, alternative="less") == p
    assert permutation_p(second, first, paired=True) == permutation_p(first, second, paired=True)
    assert 0 < p <= 1


@given(many, many, st.booleans())
def test_p_does_not_depend_on_the_unit(first: list[float], second: list[float], studentized: bool) -> None:
    p = permutation_p(first, second, studentized=studentized)
    in_percent = [[100 * score + 7 for score in of] for of in (first, second)]
    assert permutation_p(*in_percent, studentized=studentized) == pytest.approx(p)


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6), st.sampled_from([0.0, 0.1, 0.3, 1.0]))
def test_a_larger_difference_has_no_larger_p(second: list[float], shift: float) -> None:
    base = [0.3, 0.5, 0.4, 0.9, 0.7, 0.6]
    p = [permutation_p([score + by for score in base], second, alternative="greater") for by in (shift, shift + 0.2)]
    assert p[1] <= p[0]


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 20), min_size=2, max_size=4),
    st.lists(st.integers(0, 20), min_size=5, max_size=6),
)
def test_studentized_is_the_permutation_of_scipys_welch_t(first: list[int], second: list[int]) -> None:
    """All relabelings, one by one, by scipy; those in which nothing varies are infinitely far apart, or 0 where equal."""
    pool, n = np.array([*first, *second]), len(first)
    chosen = np.array(list(itertools.combinations(range(len(pool)), n)))
    rest = np.array([np.setdiff1d(range(len(pool)), of) for of in chosen])
    a, b = pool[chosen], pool[rest]
    difference = a.mean(axis=1) - b.mean(axis=1)
    error = np.sqrt(a.var(axis=1, ddof=1) / n + b.var(axis=1, ddof=1) / (len(pool) - n))
    found = np.where(difference == 0, 0.0, np.copysign(math.inf, difference))
    np.divide(difference, error, out=found, where=error > 0)
    both = (np.ptp(a, axis=1) > 0) & (np.ptp(b, axis=1) > 0)
    if both.any():
        assert ttest_ind(a[both], b[both], axis=1, equal_var=False).statistic == pytest.approx(found[both])
    greater = np.mean(found >= found[0] - 1e-9)
    assert permutation_p(first, second, studentized=True, alternative="greater") == pytest.approx(greater)


@given(st.lists(st.integers(0, 20), min_size=5, max_size=5), st.lists(st.integers(0, 20), min_size=5, max_size=5))
def test_of_as_many_scores_studentized_is_the_same(first: list[int], second: list[int]) -> None:
    assert permutation_p(first, second, studentized=True) == permutation_p(first, second)


def test_studentized_errs_less_where_sizes_and_spreads_differ() -> None:
    """Ten scores that spread four times as much as fifty others: 0.29 and 0.12 in benchmarks/intervals.py."""
    generator = np.random.default_rng(5)
    rounds, wrong = 150, np.zeros(2)
    for _ in range(rounds):
        first, second = generator.normal(0, 4, 10).tolist(), generator.normal(0, 1, 50).tolist()
        wrong += [permutation_p(first, second, studentized=of) <= 0.05 for of in (False, True)]
    assert wrong[0] / rounds > 0.22
    assert wrong[1] / rounds < 0.18


@given(st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_the_smallest_p_is_that_of_samples_that_lie_apart(n: int, m: int, paired: bool) -> None:
    m = n if paired else m
    p = permutation_p([1.0] * n, [0.0] * m, paired=paired)
    assert p >= smallest_p(n, m, paired=paired)
    if (2**n if paired else math.comb(n + m, n)) <= 4096:
        assert p == pytest.approx(smallest_p(n, m, paired=paired))


def test_what_no_number_of_scores_can_decide() -> None:
    assert first_decidable(0.05 / 2) == 5
    assert first_decidable(0.05 / 15) == 6
    assert first_decidable(2e-4) == 8
    assert first_decidable(1e-4) is None
    assert first_decidable(1e-4, alternative="greater") == 8


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@given(st.lists(st.integers(-40, 40).filter(bool), min_size=1, max_size=12, unique_by=abs))
def test_wilcoxon_counts_all_signs_where_no_ranks_are_tied(alternative: str, differences: list[int]) -> None:
    ranks = {value: rank for rank, value in enumerate(sorted(map(abs, differences)), start=1)}
    observed = sum(ranks[abs(d)] for d in differences if d > 0)
    signs = itertools.product((0, 1), repeat=len(ranks))
    sums = [sum(r for r, is_up in zip(ranks.values(), of, strict=True) if is_up) for of in signs]
    greater, less = np.mean([s >= observed for s in sums]), np.mean([s <= observed for s in sums])
    expected = {"greater": greater, "less": less, "two-sided": min(1.0, 2 * min(greater, less))}[alternative]
    p = wilcoxon_p(differences, [0] * len(differences), alternative=alternative)  # type: ignore[arg-type]
    assert p == pytest.approx(expected)
