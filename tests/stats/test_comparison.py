"""What is claimed of a strategy beside vanilla, by each method against a reference, and on real runs."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import brunnermunzel, levene, ttest_ind
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower

from blurb_tune.replay.curve_files import read_curves
from blurb_tune.stats.bootstrap import bca_difference, bca_interval
from blurb_tune.stats.comparison import compare, compare_all, is_worth_pairing
from blurb_tune.stats.expected_best import expected_best
from blurb_tune.stats.intervals import t_difference, t_interval
from blurb_tune.stats.multiple import holm
from blurb_tune.stats.power import power_of, seeds_needed
from blurb_tune.stats.superiority import superiority
from blurb_tune.stats.variance import brown_forsythe_p
from tests.conftest import require

samples = st.lists(st.floats(0, 1).map(lambda x: round(x, 3)), min_size=2, max_size=12)
CURVES = Path(__file__).parents[3] / "shared" / "curves" / "bert-large-glue"


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=9))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    with patch("gc.collect"):  # which statsmodels calls each time, for a second where much is imported
        expected = multipletests(p, method="holm")[1].tolist()
    assert holm(p) == pytest.approx(expected)
    with_nan = holm([math.nan, *p])
    assert math.isnan(with_nan[0])
    assert with_nan[1:] == holm(p)


@given(samples, samples)
def test_spreads_are_compared_as_by_scipy(first: list[float], second: list[float]) -> None:
    p = brown_forsythe_p(first, second)
    if not math.isnan(p):
        assert p == pytest.approx(float(levene(first, second, center="median").pvalue))
    assert math.isnan(brown_forsythe_p(first, [0.5]))
    assert math.isnan(brown_forsythe_p([0.5, 0.5, 0.5], [0.1, 0.1]))


@given(samples, samples)
def test_superiority_is_the_share_of_pairs_and_symmetric(first: list[float], second: list[float]) -> None:
    found, other = superiority(first, second), superiority(second, first)
    wins = np.mean([(a > b) + (a == b) / 2 for a in first for b in second])
    assert found.probability == pytest.approx(wins)
    assert found.interval[0] <= found.probability + 1e-9
    assert found.probability <= found.interval[1] + 1e-9
    assert (1 - found.interval[1], 1 - found.interval[0]) == pytest.approx(other.interval, abs=1e-6)


def test_superiority_has_the_variance_of_brunner_and_munzel() -> None:
    """Their statistic is (p - 1/2) over the standard error; scipy's t has the same degrees of freedom."""
    first, second = [1.0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1], [3.0, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4]
    found = superiority(first, second)
    assert found.probability == pytest.approx(1 - 0.788961, abs=1e-6)  # Brunner & Munzel 2000, the pain scores
    statistic = abs(float(brunnermunzel(first, second).statistic))
    error = abs(found.probability - 0.5) / statistic
    low, high = (math.log(bound / (1 - bound)) for bound in found.interval)
    from scipy.stats import t

    half = float(t.ppf(0.975, 17.683)) * error / (found.probability * (1 - found.probability))
    assert (high - low) / 2 == pytest.approx(half, rel=1e-4)


def test_separate_samples_leave_room_by_their_size() -> None:
    assert superiority([5, 6, 7], [1, 2, 3]).interval == pytest.approx((0.025 ** (1 / 3), 1.0))
    assert superiority([1] * 20, [2] * 20).interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    assert superiority([1], [2, 3]).interval == (0.0, 1.0)
    assert math.isnan(superiority([], [2]).probability)


@given(samples)
def test_the_expected_best_grows_from_the_mean_to_the_highest(scores: list[float]) -> None:
    found = [expected_best(scores, n) for n in range(1, len(scores) + 1)]
    assert found[0] == pytest.approx(np.mean(scores))
    assert all(later >= earlier - 1e-12 for earlier, later in itertools.pairwise(found))
    assert found[-1] <= max(scores) + 1e-12
    assert found == pytest.approx([expected_best(sorted(scores), n) for n in range(1, len(scores) + 1)])


def test_the_expected_best_of_two_is_the_mean_of_all_pairs_drawn_with_replacement() -> None:
    scores = [0.2, 0.7, 0.5]
    assert expected_best(scores, 2) == pytest.approx(np.mean([max(a, b) for a in scores for b in scores]))
    for n in (0, 4):
        with pytest.raises(ValueError, match="1 <= n <= number of scores"):
            expected_best(scores, n)


@pytest.mark.parametrize("effect", [0.3, 0.5, 0.8, 1.2, 3.0])
def test_seeds_needed_are_those_of_statsmodels(effect: float) -> None:
    wanted = TTestIndPower().solve_power(effect, power=0.8, alpha=0.05)
    assert seeds_needed(effect, 1.0, 1.0) == max(2, math.ceil(wanted))
    assert power_of(20, effect, 1.0, 1.0) == pytest.approx(TTestIndPower().power(effect, 20, 0.05), abs=1e-6)


def test_pairs_needed_are_those_of_statsmodels() -> None:
    wanted = TTestPower().solve_power(0.6, power=0.8, alpha=0.05)
    assert seeds_needed(0.06, 0.1) == math.ceil(wanted)


def test_seeds_needed_where_no_number_is_known() -> None:
    assert seeds_needed(0.0, 1.0, 1.0) is None
    assert seeds_needed(math.nan, 1.0, 1.0) is None
    assert seeds_needed(0.1, math.nan, 1.0) is None
    assert seeds_needed(1e-9, 1.0, 1.0) is None
    assert seeds_needed(0.1, 0.0, 0.0) == 2


@given(samples, samples)
def test_welchs_interval_is_that_of_scipy(first: list[float], second: list[float]) -> None:
    if np.ptp(first) > 1e-6 < np.ptp(second):
        expected = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
        assert t_difference(first, second) == pytest.approx((expected.low, expected.high))


def test_intervals_of_few_and_of_equal_scores() -> None:
    for undefined in (t_interval([1.0]), t_difference([1.0], [1.0, 2.0]), bca_interval([1.0]), bca_difference([], [1.0, 2.0])):
        assert all(map(math.isnan, undefined))
    assert t_interval([1.0, 2.0]) == pytest.approx((1.5 - 12.7062 / 2, 1.5 + 12.7062 / 2), abs=1e-4)
    assert t_difference([0.5, 0.5], [0.25, 0.25]) == bca_difference([0.5, 0.5], [0.25, 0.25]) == (0.25, 0.25)
    assert bca_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)
    assert all(map(math.isnan, bca_interval([0.1, 0.2], "std")))
    low, high = bca_interval([0.1, 0.2, 0.4, 0.5, 0.9], "std")
    assert 0 < low < np.std([0.1, 0.2, 0.4, 0.5, 0.9], ddof=1) < high


def test_of_symmetric_scores_bca_is_nearly_the_normal_interval() -> None:
    """The GPA of the law school data (Efron & Tibshirani 1993, table 3.1), which is nearly symmetric."""
    gpa = [3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96]
    low, high = bca_interval(gpa)
    standard_error = np.std(gpa, ddof=0) / math.sqrt(len(gpa))
    assert low == pytest.approx(np.mean(gpa) - 1.96 * standard_error, abs=0.02)
    assert high == pytest.approx(np.mean(gpa) + 1.96 * standard_error, abs=0.02)


def test_the_interval_of_a_difference_covers_what_it_says() -> None:
    """Five seeds of each, a fifth of which fail: where BCa covers 0.81 (benchmarks/intervals.py)."""
    generator = np.random.default_rng(3)

    def draw() -> list[float]:
        return np.where(generator.random(5) < 0.2, 0.0, generator.normal(0.8, 0.03, 5)).tolist()  # type: ignore[no-any-return]

    hits = [low <= 0 <= high for low, high in (t_difference(draw(), draw()) for _ in range(1000))]
    assert np.mean(hits) >= 0.94


def seeds(scores: list[float]) -> dict[int, float]:
    return dict(enumerate(scores))


def test_three_seeds_decide_nothing_and_are_not_corrected_for() -> None:
    vanilla = seeds([0.1, 0.2, 0.3, 0.15])
    found = compare_all({"few": (seeds([0.8, 0.9]), vanilla), "many": (seeds([0.8, 0.9, 0.85, 0.95]), vanilla)})
    assert not found["few"].is_decidable
    assert not found["few"].is_significant
    assert found["many"].is_decidable
    assert found["many"].p_holm == found["many"].p == pytest.approx(2 / 70)
    assert found["many"].is_significant
    assert found["many"].superiority.probability == 1.0


def test_pairs_are_made_only_where_seeds_make_scores_alike() -> None:
    generator = np.random.default_rng(4)
    luck = generator.normal(0, 0.1, 10)
    alike = [seeds((level + luck + generator.normal(0, 0.01, 10)).tolist()) for level in (0.50, 0.53)]
    found = compare(alike[1], alike[0])
    assert found.is_paired
    assert found.p < 0.05
    assert found.seeds_needed is not None
    assert found.seeds_needed < 10
    assert not compare(alike[1], {seed + 100: score for seed, score in alike[0].items()}).is_paired
    apart = [seeds(generator.normal(level, 0.1, 10).tolist()) for level in (0.50, 0.52)]
    assert not compare(apart[1], apart[0]).is_paired
    assert not is_worth_pairing([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert not is_worth_pairing([1, 1, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6])


def test_what_is_compared_may_be_empty() -> None:
    found = compare({}, seeds([0.1, 0.2]))
    assert (found.n, found.is_decidable, found.seeds_needed) == (0, False, None)
    assert math.isnan(found.difference)
    assert compare_all({"none": ({}, {})})["none"].is_significant is False


def test_the_findings_on_bert_large_are_reproduced() -> None:
    """Mosbach et al. 2021 and Zhang et al. 2021 on 450 real runs: without bias correction the seeds spread more, and
    re-initializing five blocks beats Adam."""
    require(CURVES.is_dir(), "the recorded runs of BERT-large")
    for task in ("rte", "mrpc", "sts-b"):
        curves = read_curves(CURVES / f"{task}.csv")
        scores = {name: {seed: curves.end_of(name, seed, "final")[1] for seed in runs} for name, runs in curves.runs.items()}
        found = compare_all({name: (scores[name], scores["adam"]) for name in ("bertadam", "adam_reinit5")})
        assert found["bertadam"].p_variance_holm < 0.02
        assert found["bertadam"].difference < 0
        assert found["adam_reinit5"].is_significant
        assert found["adam_reinit5"].interval[0] > 0
        assert found["adam_reinit5"].superiority.interval[0] > 0.5
        assert not found["adam_reinit5"].is_paired
