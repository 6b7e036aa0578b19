from __future__ import annotations

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from blurb_tune.stats.intervals import fisher_interval, wilson_interval
from blurb_tune.tasks.blurb.definitions import find_task
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring import intervals
from blurb_tune.tasks.scoring.intervals import difference_interval, score_interval
from blurb_tune.tasks.scoring.metrics import evaluate
from tests.tasks.splits import Split, splits

RESAMPLES = 20
OF_THEIR_OWN = {"pearson", "spearman", "accuracy", "exact_match"}


def test_pearson_s_correlation_has_fisher_s_interval() -> None:
    generator = np.random.default_rng(0)
    labels = generator.normal(size=20)
    outputs = (labels + generator.normal(size=20))[:, None]
    expected = stats.pearsonr(outputs[:, 0], labels).confidence_interval()
    assert score_interval(find_task("biosses"), "pearson", outputs, labels, None, seed=0) == pytest.approx(tuple(expected))


def test_spearman_s_interval_covers_what_fisher_s_does_not() -> None:
    """Of 20 pairs out of a normal distribution whose rank correlation is 0.92 (Pearson's is 2 sin(pi / 6 * 0.92))."""
    generator, task, draws = np.random.default_rng(0), find_task("biosses"), 1000
    true, pearson = 0.92, 2 * math.sin(math.pi / 6 * 0.92)
    covered = {"ours": 0, "fisher": 0}
    for _ in range(draws):
        labels = generator.normal(size=20)
        outputs = pearson * labels + math.sqrt(1 - pearson**2) * generator.normal(size=20)
        low, high = score_interval(task, "spearman", outputs[:, None], labels, None, seed=0)
        covered["ours"] += low <= true <= high
        low, high = fisher_interval(float(stats.spearmanr(outputs, labels).statistic), 20)
        covered["fisher"] += low <= true <= high
    assert 0.94 < covered["ours"] / draws < 0.965
    assert 0.89 < covered["fisher"] / draws < 0.925


def test_spearman_s_interval_by_hand() -> None:
    outputs, labels = np.array([[0.0], [1.0], [2.0], [4.0], [3.0], [5.0], [6.0]]), np.arange(7.0)
    r = 1 - 6 * 2 / (7 * 48)
    half = 1.959964 * math.sqrt((1 + r * r / 2) / 4)
    expected = math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)
    assert score_interval(find_task("biosses"), "spearman", outputs, labels, None, seed=0) == pytest.approx(expected)


def test_the_interval_of_a_difference_covers_it_and_is_narrower_than_that_of_two_samples() -> None:
    """Two predictors of 60 labels that err on the same ones for the most part, one on a tenth more of them."""
    generator, task, draws, n = np.random.default_rng(0), find_task("pubmedqa"), 150, 60
    covered, widths, apart = 0, 0.0, 0.0
    with mock.patch.object(intervals, "_RESAMPLES", 200):
        for _ in range(draws):
            labels, hardness = generator.integers(3, size=n), generator.random(n)
            first, second = (np.eye(3)[np.where(hardness < skill, labels, (labels + 1) % 3)] for skill in (0.8, 0.7))
            low, high = difference_interval(task, "accuracy", first, second, labels, None, seed=0)
            covered += low <= 0.1 <= high
            widths += (high - low) / draws
            of_each = [score_interval(task, "accuracy", outputs, labels, None, seed=0) for outputs in (first, second)]
            apart += math.hypot(*(bounds[1] - bounds[0] for bounds in of_each)) / draws
    assert 0.88 < covered / draws < 0.98
    assert widths < 0.6 * apart


def test_equal_predictions_have_no_difference_and_undefined_ones_no_interval() -> None:
    labels, task = np.arange(20.0), find_task("biosses")
    outputs = np.random.default_rng(0).normal(size=(20, 1)) + labels[:, None]
    flat = np.ones((20, 1))
    with mock.patch.object(intervals, "_RESAMPLES", 200):
        assert difference_interval(task, "pearson", outputs, outputs.copy(), labels, None, seed=0) == (0.0, 0.0)
        assert all(map(math.isnan, difference_interval(task, "pearson", outputs, flat, labels, None, seed=0)))


def test_accuracy_has_wilson_s_interval() -> None:
    outputs, labels = np.eye(3)[[0, 1, 2, 2, 1]], np.array([0, 1, 2, 0, 0])
    assert score_interval(find_task("pubmedqa"), "accuracy", outputs, labels, None, seed=0) == wilson_interval(3, 5)


def test_an_f1_has_a_bootstrap_interval_that_holds_its_score_and_shrinks_with_more_examples() -> None:
    generator, task = np.random.default_rng(0), find_task("ddi")

    def interval(n: int, seed: int) -> tuple[float, float]:
        labels = generator.integers(5, size=n)
        predicted = np.where(generator.random(n) < 0.7, labels, generator.integers(5, size=n))
        outputs = np.eye(5)[predicted]
        low, high = score_interval(task, "micro_f1", outputs, labels, None, seed=seed)
        assert low < evaluate(task, outputs, labels).score < high
        assert (low, high) == score_interval(task, "micro_f1", outputs, labels, None, seed=seed)
        return low, high

    few, many = interval(50, 1), interval(2000, 1)
    assert few[1] - few[0] > 3 * (many[1] - many[0])


def test_tags_are_resampled_by_sentence() -> None:
    """Of two sentences, one all right and one all wrong, only 0, the score of both, or 1 can be drawn."""
    task = find_task("bc5-chem")
    words = Words(np.array([0, 2, 4]), np.array([1, 2, 1, 2], dtype=np.int32))
    labels = np.array([0, 2, 0, 2])
    outputs = np.eye(3)[[0, 2, 2, 0]]
    assert score_interval(task, "entity_f1", outputs, labels, words, seed=0) == (0.0, 1.0)


def test_an_undefined_score_has_no_interval() -> None:
    low, high = score_interval(find_task("biosses"), "pearson", np.ones((5, 1)), np.arange(5.0), None, seed=0)
    assert math.isnan(low)
    assert math.isnan(high)


@given(splits(), st.integers(0, 2**32))
def test_the_bootstrap_is_that_of_evaluating_every_draw_anew(split: Split, seed: int) -> None:
    """Digit for digit, from the same draws, for every metric; draws of which nothing is defined are left out."""
    names = [name for name in split.task.metrics if name not in OF_THEIR_OWN]
    generator, n = np.random.default_rng(seed), len(split)
    draws = [split.take(generator.integers(n, size=n)) for _ in range(RESAMPLES)]
    scores = [evaluate(*drawn).metrics for drawn in draws if len(drawn.labels)]
    whole = evaluate(*split).metrics
    with mock.patch.object(intervals, "_RESAMPLES", RESAMPLES):
        for name in names:
            found = score_interval(split.task, name, split.outputs, split.labels, split.words, seed=seed)
            if math.isnan(whole[name]):
                assert all(map(math.isnan, found))
            else:
                defined = [values[name] for values in scores if not math.isnan(values[name])]
                assert found == tuple(np.percentile(defined, [2.5, 97.5]))
