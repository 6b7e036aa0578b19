"""Scores against hand-computed cases and independent formulas; what counts as collapsed."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import special, stats

from blurb_tune.tasks.data import data_folder, load_split
from blurb_tune.tasks.metrics import Evaluation, TrivialPredictor, evaluate, is_collapsed
from blurb_tune.tasks.task import TASKS

BIOSSES, PUBMEDQA = TASKS["biosses"], TASKS["pubmedqa"]
MAYBE, NO, YES = range(3)

_scores = npst.arrays(np.float32, 12, elements=st.floats(0, 4, width=32))
_outputs = npst.arrays(np.float32, (12, 1), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False))
_classes = npst.arrays(np.int64, 12, elements=st.integers(0, 2))
_logits = npst.arrays(np.float32, (12, 3), elements=st.floats(-50, 50, width=32))


def _column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


def _predicting(classes: list[int]) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[classes] * 5


def test_regression_by_hand() -> None:
    result = evaluate(BIOSSES, _column(1, 2, 3, 5), np.array([0, 1, 2, 3], dtype=np.float32))
    # deviations (-1.75, -.75, .25, 2.25) and (-1.5, -.5, .5, 1.5): 6.5 / sqrt(8.75 * 5)
    assert result.score == pytest.approx(6.5 / math.sqrt(8.75 * 5))
    assert result.loss == result.extra["mse"] == pytest.approx((1 + 1 + 1 + 4) / 4)
    assert result.extra["spearman"] == pytest.approx(1.0)
    assert result.prediction_spread == pytest.approx(math.sqrt(8.75 / 5))
    assert set(result.extra) == set(BIOSSES.metrics[1:])


def test_classification_by_hand() -> None:
    labels = np.array([YES, YES, YES, NO, NO, MAYBE])
    result = evaluate(PUBMEDQA, _predicting([YES, YES, NO, NO, YES, YES]), labels)
    assert result.score == pytest.approx(3 / 6)
    # yes: 2 hits of 4 predicted and 3 real; no: 1 of 2 and 2; maybe: none
    assert result.extra == {"macro_f1": pytest.approx((4 / 7 + 1 / 2 + 0) / 3)}
    assert result.prediction_spread == pytest.approx(1 - 4 / 6)
    right, wrong = math.log(1 + 2 * math.exp(-5)), math.log(1 + 2 * math.exp(-5)) + 5
    assert result.loss == pytest.approx((3 * right + 3 * wrong) / 6)


def test_macro_f1_leaves_out_classes_that_occur_nowhere() -> None:
    result = evaluate(PUBMEDQA, _predicting([YES, NO, NO]), np.array([YES, NO, YES]))
    assert result.extra["macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 2)


@settings(deadline=None)
@given(_outputs, _scores)
def test_correlations_are_those_of_the_definition(outputs: np.ndarray, labels: np.ndarray) -> None:
    result = evaluate(BIOSSES, outputs, labels)
    x, y = outputs[:, 0].astype(float), labels.astype(float)
    assert result.loss == pytest.approx(sum((x - y) ** 2) / 12)
    if math.isnan(result.score):
        assert np.ptp(x) <= 1e-6 * abs(x).max() or np.ptp(y) <= 1e-6 * abs(y).max()
        return
    standard = [(v - v.mean()) / v.std() for v in (x, y)]
    assert result.score == pytest.approx(np.mean(standard[0] * standard[1]), abs=1e-6)
    assert result.extra["spearman"] == pytest.approx(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1], abs=1e-9)
    assert result.prediction_spread == pytest.approx(x.std() / y.std())


@settings(deadline=None)
@given(_logits, _classes)
def test_classification_is_that_of_the_definition(logits: np.ndarray, labels: np.ndarray) -> None:
    result = evaluate(PUBMEDQA, logits, labels)
    predicted = [int(np.argmax(row)) for row in logits]
    assert result.score == pytest.approx(sum(p == y for p, y in zip(predicted, labels, strict=True)) / 12)
    shares = special.softmax(logits.astype(float), axis=1)
    assert result.loss == pytest.approx(np.mean([-np.log(shares[i, y]) for i, y in enumerate(labels)]), abs=1e-9)
    assert 0 <= result.extra["macro_f1"] <= 1
    assert result.prediction_spread == pytest.approx(min(1 - predicted.count(c) / 12 for c in range(3)))


@settings(deadline=None)
@given(_outputs, _scores, st.floats(0.5, 2, width=32), st.floats(-8, 8, width=32))
def test_the_score_ignores_scale_and_shift(outputs: np.ndarray, labels: np.ndarray, scale: float, shift: float) -> None:
    outputs = np.clip(outputs, -4, 4).round(2)
    first, second = (evaluate(BIOSSES, o, labels).score for o in (outputs, outputs * scale + shift))
    assert first == pytest.approx(second, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("value", [0.0, 2.0, 1e-30, 3.4e38])
@pytest.mark.parametrize("rounding", [False, True])
def test_constant_predictions_have_no_correlation(value: float, rounding: bool) -> None:
    outputs = np.full((6, 1), value, dtype=np.float32)
    outputs[0] = np.nextafter(outputs[0], np.float32(0)) if rounding else outputs[0]
    result = evaluate(BIOSSES, outputs, np.array([0, 1, 2, 3, 4, 4], dtype=np.float32))
    assert math.isnan(result.score)
    assert math.isnan(result.extra["spearman"])
    assert math.isfinite(result.loss)
    assert result.prediction_spread == pytest.approx(0, abs=abs(value) * 1e-6)


def test_small_but_real_differences_do_have_a_correlation() -> None:
    result = evaluate(BIOSSES, _column(2.0, 2.00001, 2.00002), np.array([1, 2, 3], dtype=np.float32))
    assert result.score == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("labels", [[3.0], [2.0, 2.0, 2.0]])
def test_labels_without_spread_leave_the_score_undefined(labels: list[float]) -> None:
    outputs = np.arange(len(labels), dtype=np.float32)[:, None]
    result = evaluate(BIOSSES, outputs, np.array(labels, dtype=np.float32))
    assert math.isnan(result.score)
    assert math.isnan(result.prediction_spread)
    assert math.isfinite(result.loss)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("task", [BIOSSES, PUBMEDQA], ids=lambda task: task.name)
def test_outputs_that_are_not_finite_have_no_score(task, bad: float) -> None:
    outputs = np.ones((4, task.outputs), dtype=np.float32)
    outputs[1, 0] = bad
    result = evaluate(task, outputs, np.array([0, 1, 2, 1]))
    values = [result.score, result.loss, result.prediction_spread, *result.extra.values()]
    assert all(math.isnan(value) for value in values)
    assert set(result.extra) == set(task.metrics[1:])


def test_huge_logits_do_not_overflow() -> None:
    result = evaluate(PUBMEDQA, np.array([[1e30, 0, 0], [0, 1e30, 0]], dtype=np.float32), np.array([0, 0]))
    assert result.score == 0.5
    assert result.loss == pytest.approx(5e29)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (4, 1), (0, 1)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected outputs of shape"):
        evaluate(BIOSSES, np.zeros(shape, dtype=np.float32), np.zeros(0 if shape[0] == 0 else 3, dtype=np.float32))


@settings(deadline=None)
@given(_scores, _scores)
def test_the_mean_predictor_is_what_regression_must_beat(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(BIOSSES, train, dev)
    means = [np.full((12, 1), values.astype(float).mean()) for values in (train, dev)]
    assert trivial.score == 0
    assert trivial.train_loss == pytest.approx(evaluate(BIOSSES, means[0], train).loss)
    assert trivial.dev_variance == pytest.approx(evaluate(BIOSSES, means[1], dev).loss)


@settings(deadline=None)
@given(_classes, _classes)
def test_the_majority_class_is_what_classification_must_beat(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(PUBMEDQA, train, dev)
    counts = [int(np.sum(train == index)) for index in range(3)]
    majority = counts.index(max(counts))
    shares = np.array(counts) / 12
    constant = np.log(np.maximum(shares, 1e-30))[None, :].repeat(12, axis=0)
    assert trivial.score == evaluate(PUBMEDQA, _predicting([majority] * 12), dev).score
    assert trivial.train_loss == pytest.approx(evaluate(PUBMEDQA, constant, train).loss, abs=1e-9)
    assert math.isnan(trivial.dev_variance)
    assert is_collapsed(PUBMEDQA, evaluate(PUBMEDQA, _predicting([majority] * 12), dev), trivial)


def test_published_majority_of_pubmedqa(blurb_data: Path) -> None:
    folder = data_folder(PUBMEDQA, blurb_data)
    train, test = (np.array([e.label for e in load_split(PUBMEDQA, folder, split)]) for split in ("train", "test"))
    assert TrivialPredictor.of(PUBMEDQA, train, test).score == pytest.approx(0.552)


@pytest.mark.parametrize(
    ("score", "mse", "collapsed"),
    [
        (0.5, 0.5, False),
        (0.5, 9.0, False),
        (-0.5, 1.9, False),
        (math.nan, 1.9, False),
        (0.0, 2.0, True),
        (-0.1, 2.1, True),
        (math.nan, 2.0, True),
        (math.nan, math.nan, True),
    ],
)
def test_collapsed_regression(score: float, mse: float, collapsed: bool) -> None:
    trivial = TrivialPredictor(score=0.0, train_loss=2.0, dev_variance=2.0)
    assert is_collapsed(BIOSSES, Evaluation(score, mse, 0.5, {}), trivial) is collapsed


@pytest.mark.parametrize(("score", "collapsed"), [(0.54, True), (0.55, True), (0.56, False), (math.nan, True)])
def test_collapsed_classification(score: float, collapsed: bool) -> None:
    trivial = TrivialPredictor(score=0.55, train_loss=0.9, dev_variance=math.nan)
    assert is_collapsed(PUBMEDQA, Evaluation(score, 0.1, 0.5, {}), trivial) is collapsed
