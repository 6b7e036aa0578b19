from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blurb_tune.stats import race
from blurb_tune.stats.race import first_possible_stop, losers, nominal_alpha

ALPHA = 0.1


def exact_threshold(scores: np.ndarray, planned: int, first: int, alpha: float) -> float:
    """Of two configurations, by going through all relabelings: the distance from which on the second one is rejected."""
    n = scores.shape[1]
    relabeled = []
    for chosen in itertools.combinations(range(2 * first), first):
        pool = scores[:, :first].ravel()
        low = np.isin(np.arange(2 * first), chosen)
        for swaps in itertools.product((False, True), repeat=n - first):
            sums = []
            upper, lower = pool[~low].sum(), pool[low].sum()
            sums.append((upper - lower) / first)
            for k, swap in enumerate(swaps, start=first):
                a, b = scores[:, k] if not swap else scores[::-1, k]
                upper, lower = upper + a, lower + b
                sums.append((upper - lower) / (k + 1))
            relabeled.append(sums)
    table = np.maximum(np.array(relabeled), 0)
    alive, spent, threshold = np.ones(len(table), bool), 0.0, math.inf
    for k in range(first, n + 1):
        allowed = alpha * k / planned - spent
        values = np.sort(np.unique(table[alive, k - first].round(12)))[::-1]
        threshold = math.inf
        for value in values:
            if value > 0 and (alive & (table[:, k - first] >= value - 1e-9)).mean() <= allowed + 1e-12:
                threshold = float(value)
            else:
                break
        rejected = alive & (table[:, k - first] >= threshold - 1e-9)
        spent += rejected.mean()
        alive &= ~rejected
    return threshold


@pytest.mark.parametrize("draw", range(40))
def test_of_two_it_is_the_group_sequential_permutation_test_with_all_relabelings(draw: int) -> None:
    """The drawn relabelings decide as all of them do, except where the distance is next to the threshold."""
    generator = np.random.default_rng(draw)
    scores = generator.normal(0.5, 0.05, (2, 6))
    scores[1] -= 0.03 * (draw % 4)
    n = 3 + draw % 4
    if scores[0, :n].mean() < scores[1, :n].mean():
        scores = scores[::-1]
    distance = scores[0, :n].mean() - scores[1, :n].mean()
    threshold = exact_threshold(scores[:, :n], planned=8, first=3, alpha=0.4)
    found = losers(scores[:, :n], planned=8, first=3, alpha=0.4)
    if not 0.93 < distance / threshold < 1.07:
        assert (found == [1]) is bool(distance >= threshold)


@pytest.mark.parametrize("kind", ["normal", "skewed", "failing"])
def test_equal_configurations_are_stopped_no_more_often_than_alpha(kind: str) -> None:
    """By 300 races of five equal configurations; the benchmark of decisions has 2,000 for each of 18 settings."""
    generator = np.random.default_rng(7)
    m, planned, stopped, rounds = 5, 6, 0, 300
    for _ in range(rounds):
        match kind:
            case "normal":
                scores = generator.normal(0.8, 0.03, (m, planned))
            case "skewed":
                scores = 0.9 - generator.gamma(1.0, 0.03, (m, planned))
            case _:
                scores = np.where(generator.random((m, planned)) < 0.3, 0.0, generator.normal(0.8, 0.03, (m, planned)))
        live = list(range(m))
        for n in range(3, planned):
            for row in sorted(losers(scores[live, :n], planned=planned, first=3, alpha=ALPHA), reverse=True):
                del live[row]
        stopped += m - len(live)
    share = stopped / m / rounds
    assert share <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / m / rounds)


def test_who_is_far_behind_leaves_at_the_first_look_and_the_leader_never() -> None:
    generator = np.random.default_rng(1)
    scores = generator.normal(0.8, 0.01, (6, 3))
    scores[4] -= 0.5
    scores[2] -= 0.3
    assert losers(scores, planned=10, first=3, alpha=ALPHA)[:2] == [4, 2]


SCORES = hnp.arrays(
    float, st.tuples(st.integers(2, 6), st.integers(3, 7)), elements=st.floats(-1, 1).map(lambda x: round(x, 3))
)


@given(SCORES)
@settings(max_examples=60, deadline=None)
def test_the_leader_and_its_equals_stay(scores: np.ndarray) -> None:
    found = losers(scores, planned=8, first=3, alpha=0.3)
    means = scores.mean(axis=1)
    assert len(set(found)) == len(found)
    assert all(means[row] < means.max() for row in found)
    assert sorted(found, key=lambda row: means[row]) == found, "the worst first"


@given(SCORES)
@settings(max_examples=30, deadline=None)
def test_neither_the_zero_nor_the_unit_of_the_scores_matters(scores: np.ndarray) -> None:
    exact = np.round(scores * 512) / 512
    assert losers(4 * exact + 2, planned=8, first=3, alpha=0.3) == losers(exact, planned=8, first=3, alpha=0.3)


def test_before_the_first_look_nobody_leaves() -> None:
    scores = np.array([[1.0, 1.0], [0.0, 0.0]])
    assert losers(scores, planned=5, first=3, alpha=0.5) == []


@pytest.mark.parametrize(("m", "planned"), [(2, 5), (2, 10), (5, 5), (9, 10), (20, 6)])
def test_the_first_possible_stop_is_where_the_clearest_case_is_stopped(m: int, planned: int) -> None:
    scores = np.tile(np.linspace(0, 1e-3, planned), (m, 1)) + 1e-4 * np.arange(m)[:, None]
    scores[0] -= 1.0
    first = next((n for n in range(3, planned + 1) if losers(scores[:, :n], planned=planned, first=3, alpha=ALPHA)), None)
    assert first == first_possible_stop(planned=planned, first=3, alpha=ALPHA, m=m)


def test_two_are_tested_at_alpha_and_many_at_less() -> None:
    levels = [nominal_alpha(ALPHA, m) for m in (2, 5, 10, 20)]
    assert levels[0] == ALPHA
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize(("first", "planned"), [(0, 5), (3, 2)])
def test_nonsense_is_refused(first: int, planned: int) -> None:
    with pytest.raises(ValueError, match="must hold"):
        losers(np.zeros((2, 3)), planned=planned, first=first, alpha=ALPHA)


def test_a_look_at_many_configurations_takes_a_few_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that are rejected leave together, not one by one, and no other row is taken for worse than one that stays."""
    tests = []
    threshold = race._threshold

    def counted(scores: np.ndarray, *arguments: Any) -> float:
        tests.append(len(scores))
        return threshold(scores, *arguments)

    monkeypatch.setattr(race, "_threshold", counted)
    generator = np.random.default_rng(3)
    scores = generator.normal(generator.normal(0.6, 0.1, (200, 1)), 0.05, (200, 3))
    gone = losers(scores, planned=5, first=3, alpha=ALPHA)
    assert len(gone) > 100
    assert len(tests) < 12
    means = scores.mean(axis=1)
    assert max(means[gone]) < min(np.delete(means, gone))
