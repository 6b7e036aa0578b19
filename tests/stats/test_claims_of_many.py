"""Whether several strategies at once can be told from vanilla at all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.stats.comparison import _FEWEST_PAIRS, ALPHA, compare, compare_all
from blurb_tune.stats.multiple import holm
from blurb_tune.stats.permutation import first_decidable, smallest_p

LOW = dict(enumerate([0.10, 0.20, 0.30, 0.15, 0.25, 0.12, 0.22, 0.28, 0.18, 0.27]))


def first(scores: dict[int, float], n: int) -> dict[int, float]:
    return dict(itertools.islice(scores.items(), n))


def far(n: int) -> dict[int, float]:
    """n scores above all of `LOW`, of other seeds."""
    return {100 + seed: 0.8 + score for seed, score in first(LOW, n).items()}


def test_what_holm_never_lets_through_is_not_called_decidable() -> None:
    """Four seeds of each can have p = 2/70: enough for one strategy, for two not even where all scores lie apart."""
    alone = compare_all({"a": (far(4), first(LOW, 4))})["a"]
    assert alone.is_significant
    assert alone.first_decidable == 4
    for found in compare_all({name: (far(4), first(LOW, 4)) for name in "ab"}).values():
        assert not found.is_decidable
        assert not found.is_significant
        assert found.p_holm == pytest.approx(4 / 70)
        assert found.first_decidable == 5
    for found in compare_all({name: (far(5), first(LOW, 5)) for name in "ab"}).values():
        assert found.is_significant


def test_what_cannot_be_decided_costs_the_others_nothing() -> None:
    found = compare_all({"few": (far(3), first(LOW, 4)), "two": (far(2), first(LOW, 4)), "many": (far(10), LOW)})
    assert [found[name].is_decidable for name in ("few", "two", "many")] == [False, False, True]
    assert found["many"].p_holm == found["many"].p


@given(st.lists(st.integers(2, 9), min_size=1, max_size=8))
def test_decidable_is_what_is_significant_where_all_lie_apart(numbers: list[int]) -> None:
    pairs = {str(index): (far(n), first(LOW, n)) for index, n in enumerate(numbers)}
    found = compare_all(pairs)
    kept = [name for name, comparison in found.items() if comparison.is_decidable]
    corrected = holm([smallest_p(numbers[int(name)], numbers[int(name)]) for name in kept])
    assert all(p <= ALPHA for p in corrected)
    for index, n in enumerate(numbers):
        comparison = found[str(index)]
        if n <= 7:  # of more, relabelings are drawn, and some repeat the identity
            assert comparison.is_significant == comparison.is_decidable
        assert comparison.is_decidable or comparison.p_holm > ALPHA
        if comparison.first_decidable is not None and n >= comparison.first_decidable == max(numbers):
            assert comparison.is_decidable


def test_pairs_begin_where_they_can_be_significant() -> None:
    assert first_decidable(ALPHA, paired=True) == _FEWEST_PAIRS


def test_pairing_by_what_the_correlation_shows_errs_no_more_than_it_says() -> None:
    """Whether to pair is decided on the same scores; equal strategies, whose seeds share half of their luck."""
    generator = np.random.default_rng(9)
    rounds, errors, paired = 400, 0, 0
    for _ in range(rounds):
        luck = generator.normal(size=8)
        sides = [dict(enumerate((luck + generator.normal(size=8)).tolist())) for _ in range(2)]
        found = compare(*sides)
        errors, paired = errors + (found.p <= ALPHA), paired + found.is_paired
    assert 0.1 * rounds < paired < 0.6 * rounds
    assert errors / rounds <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / rounds)


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=8))
def test_holm_never_lowers_and_keeps_the_order(p: list[float]) -> None:
    corrected = holm(p)
    assert all(before <= after <= 1 for before, after in zip(p, corrected, strict=True))
    in_order = sorted(range(len(p)), key=lambda index: p[index])
    assert all(corrected[a] <= corrected[b] for a, b in itertools.pairwise(in_order))
    assert all(more >= alone for more, alone in zip(holm([*p, 0.5]), corrected, strict=False))
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
