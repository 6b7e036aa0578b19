"""What predictions without skill reach, found by drawing many of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from scipy import stats

from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.metrics import TrivialPredictor, evaluate
from blurb_tune.tasks.scoring.noise import noise_bound
from blurb_tune.tasks.scoring.predictions import Predictions
from blurb_tune.tasks.task import Task

BIOSSES, PUBMEDQA, DDI, GAD, HOC = (TASKS[name] for name in ("biosses", "pubmedqa", "ddi", "gad", "hoc"))
NCBI, PICO = TASKS["ncbi-disease"], TASKS["ebm-pico"]
DRAWS = 600  # a share of 0.95 has a standard error of 0.009


def bound_of(task: Task, metric: str, labels: np.ndarray) -> float:
    return TrivialPredictor.of(task, labels, labels).level(metric).noise_bound


def shares_within(
    task: Task,
    metrics: Iterable[str],
    labels: np.ndarray,
    outputs: Callable[[np.random.Generator], np.ndarray],
    draws: int = DRAWS,
) -> np.ndarray:
    """How many of many predictions that know nothing of the example stay within the bound of each of the metrics."""
    generator, bounds = np.random.default_rng(1), {metric: bound_of(task, metric, labels) for metric in metrics}
    found = [evaluate(task, outputs(generator), labels).metrics for _ in range(draws)]
    return np.array([np.mean([values[metric] <= bound for values in found]) for metric, bound in bounds.items()])


@pytest.mark.parametrize("n", [8, 16, 100])
def test_correlations_that_are_none(n: int) -> None:
    labels = np.random.default_rng(0).normal(size=n)
    found = shares_within(BIOSSES, ("pearson", "spearman"), labels, lambda generator: generator.normal(size=(n, 1)))
    assert found == pytest.approx(0.95, abs=0.02)


def test_the_critical_value_is_that_of_scipy() -> None:
    labels = np.arange(16.0)
    bound = bound_of(BIOSSES, "pearson", labels)
    assert bound == pytest.approx(0.4259, abs=1e-4)
    t = bound * np.sqrt(14 / (1 - bound**2))
    assert stats.t.sf(t, 14) == pytest.approx(0.05)
    assert bound_of(BIOSSES, "pearson", labels[:2]) == 1


@pytest.mark.parametrize(("positives", "n"), [(10, 200), (250, 500), (3, 40), (5, 10)])
def test_rankings_without_skill(positives: int, n: int) -> None:
    labels, metrics = np.repeat([0, 1], [n - positives, positives]), ("roc_auc", "average_precision")
    found = shares_within(GAD, metrics, labels, lambda generator: generator.normal(size=(n, 2)), draws=1500)
    assert found == pytest.approx(0.95, abs=0.025)  # of average precision the bound, too, is found by drawing


@pytest.mark.parametrize("shares", [(0.1, 0.35, 0.55), (1 / 3, 1 / 3, 1 / 3), (0.02, 0.03, 0.95)])
def test_classes_drawn_as_often_as_they_occur(shares: tuple[float, ...]) -> None:
    labels, metrics = np.repeat([0, 1, 2], np.round(np.array(shares) * 200).astype(int)), PUBMEDQA.metrics
    found = shares_within(PUBMEDQA, metrics, labels, lambda generator: np.eye(3)[generator.choice(3, len(labels), p=shares)])
    assert min(found) > 0.92


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.8])
def test_two_classes_drawn_at_any_rate(rate: float) -> None:
    labels, metrics = np.repeat([0, 1], [53, 47]), ("f1", "matthews", "micro_f1", "accuracy")
    found = shares_within(GAD, metrics, labels, lambda generator: np.eye(2)[(generator.random(100) < rate).astype(int)])
    assert min(found) > 0.92


def test_sets_of_labels_of_other_documents() -> None:
    labels = (np.random.default_rng(0).random((186, 10)) < np.linspace(0.02, 0.3, 10)).astype(np.float32)
    found = shares_within(HOC, HOC.metrics, labels, lambda generator: generator.permutation(labels) - np.float32(0.5))
    assert min(found) > 0.92


def test_macro_f1_and_matthews_are_beaten_by_knowing_the_shares_alone() -> None:
    labels = np.repeat([0, 1, 2], [40, 30, 30])
    for metric in ("macro_f1", "matthews"):
        level = TrivialPredictor.of(PUBMEDQA, labels, labels).level(metric)
        constant = Predictions.of(PUBMEDQA, np.broadcast_to([1.0, 0, 0], (100, 3)), labels, None)
        resampled = constant.bootstrap(metric, 500, np.random.default_rng(0))
        assert level.noise_bound > np.quantile(resampled, 0.95) + 0.05


def words_of(sentences: int, length: int) -> Words:
    return Words(np.arange(sentences + 1) * length, np.ones(sentences * length, dtype=np.int32))


def test_tags_put_on_random_words() -> None:
    generator, words = np.random.default_rng(0), words_of(60, 15)
    labels = generator.choice(4, size=900, p=[0.7, 0.1, 0.1, 0.1])
    labels[labels == PICO.labels.index("O")] = 0
    bound = TrivialPredictor.of(PICO, labels, labels, words).level("word_macro_f1").noise_bound
    scores = [evaluate(PICO, np.eye(4)[generator.permutation(labels)], labels, words).score for _ in range(DRAWS)]
    assert np.mean(np.array(scores) <= bound) > 0.93


def test_entities_are_bounded_by_the_best_constant_tag_over_sentences() -> None:
    """Of two kinds of sentences: without an entity, and with nothing else. Whole sentences are drawn, not words."""
    words, labels = words_of(40, 5), np.repeat(np.tile([2, 0], 20), 5)
    level = TrivialPredictor.of(NCBI, labels, labels, words).level("entity_f1")
    assert level.score == pytest.approx(2 * 100 / (200 + 100))
    generator = np.random.default_rng(3)
    counts = generator.binomial(40, 0.5, size=4000)
    wanted = np.quantile(2 * 5 * counts / (200 + 5 * counts), 0.95)
    assert level.noise_bound == pytest.approx(wanted, abs=0.015)


def test_a_dev_set_of_five_thousand_sentences_is_bounded_in_a_second() -> None:
    generator, words = np.random.default_rng(0), words_of(5000, 25)
    labels = generator.choice(3, size=125_000, p=[0.05, 0.05, 0.9])
    outputs = np.broadcast_to([1.0, 0, 0], (125_000, 3))
    constant = Predictions.of(NCBI, outputs, labels, words)
    started = time.process_time()
    noise_bound("entity_f1", constant)
    assert time.process_time() - started < 1
