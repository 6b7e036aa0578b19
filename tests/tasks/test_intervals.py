from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from blurb_tune.stability import wilson_interval
from blurb_tune.tasks.catalogue import find_task
from blurb_tune.tasks.features import Words
from blurb_tune.tasks.intervals import score_interval
from blurb_tune.tasks.metrics import evaluate


def test_a_correlation_has_fisher_s_interval() -> None:
    generator = np.random.default_rng(0)
    labels = generator.normal(size=20)
    outputs = (labels + generator.normal(size=20))[:, None]
    expected = stats.pearsonr(outputs[:, 0], labels).confidence_interval()
    assert score_interval(find_task("biosses"), "pearson", outputs, labels, None, seed=0) == pytest.approx(tuple(expected))


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
