"""Scores against hand-computed cases, scikit-learn and seqeval; the trivial predictor and its level."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import special, stats
from seqeval.metrics import f1_score
from sklearn import metrics as reference

from blurb_tune.tasks import kinds
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.checking.parsing import parse
from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.metrics import TrivialPredictor, evaluate
from blurb_tune.tasks.task import Task
from tests.tasks.splits import SPLIT_TASKS

BIOSSES, PUBMEDQA, DDI, GAD, HOC = (TASKS[name] for name in ("biosses", "pubmedqa", "ddi", "gad", "hoc"))
NCBI, PICO = TASKS["ncbi-disease"], TASKS["ebm-pico"]
MAYBE, NO, YES = range(3)
B, I, O = range(3)  # noqa: E741 - the tags' names

_scores = npst.arrays(np.float32, 12, elements=st.floats(0, 4, width=32))
_outputs = npst.arrays(np.float32, (12, 1), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False))


def _classes(count: int) -> st.SearchStrategy[np.ndarray]:
    return npst.arrays(np.int64, 12, elements=st.integers(0, count - 1))


def _logits(count: int) -> st.SearchStrategy[np.ndarray]:
    return npst.arrays(np.float32, (12, count), elements=st.floats(-50, 50, width=32))


def _column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


def _predicting(task: Task, classes: list[int]) -> np.ndarray:
    return np.eye(task.outputs, dtype=np.float32)[classes] * 5


def _words(*sentences: str) -> Words:
    """Sentences as strings with a letter for each word, `-` for one that was cut off."""
    tokens = [position if word != "-" else -1 for sentence in sentences for position, word in enumerate(sentence, start=1)]
    return Words(np.cumsum([0, *map(len, sentences)], dtype=np.int64), np.array(tokens, dtype=np.int32))


def _all_read(*lengths: int) -> Words:
    return _words(*("w" * length for length in lengths))


def _tags(text: str) -> np.ndarray:
    return np.array(["BIO".index(tag) for tag in text], dtype=np.int64)


def _custom(kind: Kind, metric: str, *labels: str) -> Task:
    return Task(name="custom", kind=kind, metric=metric, description="a custom task", max_length=64, labels=labels)


# Regression


def test_regression_by_hand() -> None:
    result = evaluate(BIOSSES, _column(1, 2, 3, 5), np.array([0, 1, 2, 3], dtype=np.float32))
    # deviations (-1.75, -.75, .25, 2.25) and (-1.5, -.5, .5, 1.5): 6.5 / sqrt(8.75 * 5)
    assert result.score == result.metrics["pearson"] == pytest.approx(6.5 / math.sqrt(8.75 * 5))
    assert result.loss == result.metrics["mse"] == pytest.approx((1 + 1 + 1 + 4) / 4)
    assert result.metrics["spearman"] == pytest.approx(1.0)
    assert result.prediction_spread == pytest.approx(math.sqrt(8.75 / 5))


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
    assert result.metrics["spearman"] == pytest.approx(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1], abs=1e-9)
    assert result.prediction_spread == pytest.approx(x.std() / y.std())


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
    assert math.isnan(result.metrics["spearman"])
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


# Classification


def test_classification_by_hand() -> None:
    labels = np.array([YES, YES, YES, NO, NO, MAYBE])
    result = evaluate(PUBMEDQA, _predicting(PUBMEDQA, [YES, YES, NO, NO, YES, YES]), labels)
    assert result.score == result.metrics["micro_f1"] == pytest.approx(3 / 6)
    # yes: 2 hits of 4 predicted and 3 real; no: 1 of 2 and 2; maybe: none
    assert result.metrics["macro_f1"] == pytest.approx((4 / 7 + 1 / 2 + 0) / 3)
    # 3 * 6 - (4 * 3 + 2 * 2), and 36 - (16 + 4), 36 - (9 + 4 + 1)
    assert result.metrics["matthews"] == pytest.approx(2 / math.sqrt(16 * 22))
    assert result.prediction_spread == pytest.approx((1 - 4 / 6) / (1 - 3 / 6))
    right, wrong = math.log(1 + 2 * math.exp(-5)), math.log(1 + 2 * math.exp(-5)) + 5
    assert result.loss == pytest.approx((3 * right + 3 * wrong) / 6)


def test_macro_f1_leaves_out_classes_that_occur_nowhere() -> None:
    result = evaluate(PUBMEDQA, _predicting(PUBMEDQA, [YES, NO, NO]), np.array([YES, NO, YES]))
    assert result.metrics["macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 2)


@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@given(_logits(3), _classes(3))
def test_classification_is_that_of_the_definition(logits: np.ndarray, labels: np.ndarray) -> None:
    result = evaluate(PUBMEDQA, logits, labels)
    predicted = [int(np.argmax(row)) for row in logits]
    shares = special.softmax(logits.astype(float), axis=1)
    assert result.loss == pytest.approx(np.mean([-np.log(shares[i, y]) for i, y in enumerate(labels)]), abs=1e-9)
    of_labels = min(1 - list(labels).count(c) / 12 for c in range(3))
    spread = min(1 - predicted.count(c) / 12 for c in range(3)) / of_labels if of_labels else math.nan
    assert result.prediction_spread == pytest.approx(spread, nan_ok=True)
    assert result.metrics == pytest.approx(
        {
            "accuracy": reference.accuracy_score(labels, predicted),
            "micro_f1": reference.f1_score(labels, predicted, average="micro", zero_division=0),
            "macro_f1": reference.f1_score(labels, predicted, average="macro", zero_division=0),
            "matthews": reference.matthews_corrcoef(labels, predicted),
        },
        abs=1e-12,
    )


@given(_logits(5), _classes(5))
def test_left_out_classes_are_those_of_scikit_learn(logits: np.ndarray, labels: np.ndarray) -> None:
    result, predicted = evaluate(DDI, logits, labels), logits.argmax(axis=1)
    assert DDI.left_out == (DDI.labels[0],)
    for average in ("micro", "macro"):
        wanted = reference.f1_score(labels, predicted, labels=[1, 2, 3, 4], average=average, zero_division=0)
        assert result.metrics[f"{average}_f1"] == pytest.approx(wanted, abs=1e-12)
    assert result.score == result.metrics["micro_f1"]


def test_no_relation_predicted_scores_nothing() -> None:
    result = evaluate(DDI, _predicting(DDI, [0] * 5), np.array([0, 0, 0, 1, 4]))
    assert result.score == result.metrics["macro_f1"] == 0
    assert result.metrics["accuracy"] == pytest.approx(3 / 5)
    assert result.prediction_spread == 0
    nothing_to_find = evaluate(DDI, _predicting(DDI, [0, 0]), np.array([0, 0]))
    assert nothing_to_find.score == 0


@given(_logits(2), _classes(2))
def test_two_classes_have_the_scores_of_the_last(logits: np.ndarray, labels: np.ndarray) -> None:
    result, predicted = evaluate(GAD, logits, labels), logits.argmax(axis=1)
    f1 = reference.f1_score(labels, predicted, zero_division=0)
    assert result.metrics["f1"] == result.metrics["micro_f1"] == pytest.approx(f1, abs=1e-12)
    ranking = [result.metrics["roc_auc"], result.metrics["average_precision"]]
    if len(set(labels)) < 2:
        assert all(math.isnan(value) for value in ranking)
        return
    odds = logits[:, 1].astype(float) - logits[:, 0]
    wanted = [score(labels, odds) for score in (reference.roc_auc_score, reference.average_precision_score)]
    assert ranking == pytest.approx(wanted)


def test_ranking_by_logits_is_ranking_by_probability() -> None:
    draw = np.random.default_rng(5)
    logits, labels = draw.normal(size=(500, 2)), draw.integers(0, 2, 500)
    probability = special.softmax(logits, axis=1)[:, 1]
    result = evaluate(GAD, logits, labels)
    assert result.metrics["roc_auc"] == pytest.approx(reference.roc_auc_score(labels, probability))
    assert result.metrics["average_precision"] == pytest.approx(reference.average_precision_score(labels, probability))


def test_probabilities_that_round_to_one_are_still_ranked() -> None:
    result = evaluate(GAD, np.array([[0, 60], [0, 50], [0, 40]], dtype=np.float32), np.array([1, 1, 0]))
    assert result.metrics["roc_auc"] == result.metrics["average_precision"] == 1


def test_huge_logits_do_not_overflow() -> None:
    result = evaluate(PUBMEDQA, np.array([[1e30, 0, 0], [0, 1e30, 0]], dtype=np.float32), np.array([0, 0]))
    assert result.score == 0.5
    assert result.loss == pytest.approx(5e29)


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision"])
def test_a_model_that_ranks_is_not_constant_though_it_sees_one_class_everywhere(metric: str) -> None:
    """95 negatives and 5 positives whose log odds are normal and 1.47 deviations apart: an area of 0.85."""
    task, generator = replace(GAD, metric=metric), np.random.default_rng(0)
    labels = np.repeat([0, 1], [950, 50])
    shift = math.sqrt(2) * stats.norm.ppf(0.85)
    odds = generator.normal(size=1000) * shift + labels * shift**2 + math.log(5 / 95) - shift**2 / 2
    logits = np.stack([np.zeros(1000), odds], axis=1)
    result = evaluate(task, np.minimum(logits, [0, -1e-3]), labels)
    assert result.metrics["roc_auc"] == pytest.approx(0.85, abs=0.05)
    assert evaluate(GAD, np.minimum(logits, [0, -1e-3]), labels).prediction_spread == 0
    assert 0.5 < result.prediction_spread < 1
    assert evaluate(task, logits, labels).prediction_spread == pytest.approx(np.std(odds) * math.sqrt(3) / math.pi)


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision"])
@given(logit=st.floats(-50, 50, width=32), of_no=st.floats(-50, 50, width=32))
def test_constant_log_odds_have_no_spread(metric: str, logit: float, of_no: float) -> None:
    task, logits = replace(GAD, metric=metric), np.tile(np.array([of_no, logit], dtype=np.float32), (7, 1))
    assert evaluate(task, logits, np.array([0, 1, 0, 0, 1, 0, 0])).prediction_spread == 0
    assert math.isnan(evaluate(task, logits, np.zeros(7, dtype=np.int64)).prediction_spread)


# Several labels


def test_multi_label_by_hand() -> None:
    logits = np.full((3, 10), -1.0, dtype=np.float32)
    labels = np.zeros((3, 10), dtype=np.float32)
    labels[0, :2] = labels[1, 0] = 1  # the third document has no label
    logits[0, 0] = logits[0, 2] = logits[1, 0] = 1
    result = evaluate(HOC, logits, labels)
    assert result.score == pytest.approx(2 * 2 / (3 + 3))
    assert result.metrics["macro_f1"] == pytest.approx(1 / 10)
    assert result.metrics["exact_match"] == pytest.approx(2 / 3)
    assert result.prediction_spread == pytest.approx(1)
    wrong = math.log(1 + math.e)
    assert result.loss == pytest.approx((28 * (wrong - 1) + 2 * wrong) / 30)


@given(_logits(10), npst.arrays(np.float32, (12, 10), elements=st.sampled_from([0.0, 1.0])))
def test_multi_label_is_that_of_scikit_learn(logits: np.ndarray, labels: np.ndarray) -> None:
    result, predicted = evaluate(HOC, logits, labels), logits > 0
    for average in ("micro", "macro"):
        wanted = reference.f1_score(labels, predicted, average=average, zero_division=0)
        assert result.metrics[f"{average}_f1"] == pytest.approx(wanted, abs=1e-12)
    assert result.metrics["exact_match"] == pytest.approx(reference.accuracy_score(labels, predicted))
    values = logits.astype(float)
    loss = -(labels * special.log_expit(values) + (1 - labels) * special.log_expit(-values)).mean()
    assert result.loss == pytest.approx(loss, abs=1e-12)
    if (labels == labels[0]).all():
        assert math.isnan(result.prediction_spread)
    else:
        assert (result.prediction_spread == 0) == bool((predicted == predicted[0]).all())


def test_no_label_at_all_is_a_prediction() -> None:
    result = evaluate(HOC, np.full((2, 10), -1.0), np.zeros((2, 10), dtype=np.float32))
    assert result.metrics == {"micro_f1": 0, "macro_f1": 0, "exact_match": 1}
    at_the_threshold = evaluate(HOC, np.zeros((2, 10)), np.zeros((2, 10), dtype=np.float32))
    assert at_the_threshold.metrics["exact_match"] == 1


# Tags


def test_tags_by_hand() -> None:
    actual, predicted = _tags("BIOOBIO"), _tags("BIOBBOO")
    result = evaluate(NCBI, _predicting(NCBI, list(predicted)), actual, _all_read(4, 3))
    # entities: (0-1), (4-5) against (0-1), (3), (4)
    assert result.score == pytest.approx(2 / 5)
    assert result.metrics["entity_precision"] == pytest.approx(1 / 3)
    assert result.metrics["entity_recall"] == pytest.approx(1 / 2)
    assert result.metrics["word_macro_f1"] == pytest.approx(2 * 3 / (4 + 4))
    assert result.metrics["word_accuracy"] == pytest.approx(5 / 7)
    assert result.prediction_spread == pytest.approx((4 / 7) / (4 / 7))
    right = math.log(1 + 2 * math.exp(-5))
    assert result.loss == pytest.approx(right + 5 * 2 / 7)


def test_an_entity_does_not_go_on_in_the_next_sentence() -> None:
    outputs = _predicting(NCBI, list(_tags("BIII")))
    assert evaluate(NCBI, outputs, _tags("BIII"), _all_read(4)).metrics["entity_recall"] == 1
    result = evaluate(NCBI, outputs, _tags("BIBI"), _all_read(2, 0, 2, 0))
    assert result.score == 1


def test_words_cut_off_count_as_outside_and_stay_in_the_denominator() -> None:
    actual = _tags("BIOBIBO")
    outputs = _predicting(NCBI, list(actual))
    outputs[4:6] = math.nan  # what stands there was never read
    result = evaluate(NCBI, outputs, actual, _words("wwww--", "w"))
    assert result.metrics["entity_precision"] == pytest.approx(1 / 2)
    assert result.metrics["entity_recall"] == pytest.approx(1 / 3)
    assert result.metrics["word_accuracy"] == pytest.approx(5 / 7)
    assert result.metrics["word_macro_f1"] == pytest.approx(2 * 3 / (3 + 5))
    assert result.loss == pytest.approx(math.log(1 + 2 * math.exp(-5)))
    assert result.prediction_spread == pytest.approx((3 / 5) / (4 / 7))


def test_where_there_is_no_outside_words_cut_off_are_wrong() -> None:
    task = _custom(kinds.TOKEN_CLASSIFICATION, "word_accuracy", "noun", "verb")
    result = evaluate(task, _predicting(task, [0, 1, 1]), np.array([0, 1, 1]), _words("ww-"))
    assert result.score == pytest.approx(2 / 3)
    assert result.metrics["word_macro_f1"] == pytest.approx((1 + 2 / 3) / 2)


@given(
    npst.arrays(np.float32, (12, 3), elements=st.floats(-5, 5, width=32)),
    npst.arrays(np.int64, 12, elements=st.integers(0, 2)),
    npst.arrays(np.int32, 12, elements=st.sampled_from([-1, 3, 3])),
    st.lists(st.integers(0, 12), max_size=4).map(sorted),
)
def test_tags_are_scored_as_seqeval_does(logits: np.ndarray, labels: np.ndarray, tokens: np.ndarray, cuts: list[int]) -> None:
    if (tokens < 0).all():
        tokens[0] = 1
    words = Words(np.array([0, *cuts, 12]), tokens)
    predicted = np.where(words.is_read, logits.argmax(axis=1), O)
    actual_names, predicted_names = (
        [[NCBI.labels[tag] for tag in part] for part in np.split(tags, cuts)] for tags in (labels, predicted)
    )
    result = evaluate(NCBI, logits, labels, words)
    assert result.score == pytest.approx(f1_score(actual_names, predicted_names, zero_division=0), abs=1e-12)
    inside = reference.f1_score(labels != O, predicted != O, zero_division=0)
    assert result.metrics["word_macro_f1"] == pytest.approx(inside, abs=1e-12)
    assert result.metrics["word_accuracy"] == pytest.approx(np.mean(labels == predicted))


@given(_logits(4), _classes(4))
def test_word_macro_f1_is_that_of_scikit_learn(logits: np.ndarray, labels: np.ndarray) -> None:
    kinds = [PICO.labels.index(name) for name in ("PAR", "INT", "OUT")]
    wanted = reference.f1_score(labels, logits.argmax(axis=1), labels=kinds, average="macro", zero_division=0)
    result = evaluate(PICO, logits, labels, _all_read(7, 5))
    assert result.score == result.metrics["word_macro_f1"] == pytest.approx(wanted, abs=1e-12)


def test_word_macro_f1_ignores_prefixes() -> None:
    task = _custom(kinds.TOKEN_CLASSIFICATION, "word_macro_f1", "O", "B-gene", "I-gene", "B-drug", "I-drug")
    result = evaluate(task, _predicting(task, [2, 1, 4, 0]), np.array([1, 2, 3, 3]), _all_read(4))
    assert result.score == pytest.approx((1 + 2 / 3) / 2)
    assert result.metrics["word_accuracy"] == 0


# Every kind


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_task_reports_its_metrics_the_score_first(task: Task) -> None:
    labels = np.zeros((4, task.outputs), dtype=np.float32) if task.kind == kinds.MULTI_LABEL else np.array([0, 1, 1, 0])
    words = _all_read(4) if task.per_token else None
    outputs = np.arange(4 * task.outputs, dtype=np.float32).reshape(4, -1)
    result = evaluate(task, outputs, labels, words)
    assert tuple(result.metrics) == task.metrics
    assert result.score == result.metrics[task.metric]
    trivial = TrivialPredictor.of(task, labels, labels, words)
    assert trivial.score == trivial.metrics[task.metric]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("task", [BIOSSES, PUBMEDQA, GAD, HOC, NCBI], ids=lambda task: task.name)
def test_outputs_that_are_not_finite_have_no_score(task: Task, bad: float) -> None:
    outputs = np.ones((4, task.outputs), dtype=np.float32)
    outputs[1, 0] = bad
    labels = np.ones((4, task.outputs), dtype=np.float32) if task.kind == kinds.MULTI_LABEL else np.array([0, 1, 1, 1])
    result = evaluate(task, outputs, labels, _all_read(1, 3) if task.per_token else None)
    assert all(math.isnan(value) for value in [result.score, result.loss, result.prediction_spread, *result.metrics.values()])
    assert tuple(result.metrics) == task.metrics


def test_outputs_that_say_nothing_have_no_score() -> None:
    result = evaluate(NCBI, np.zeros((2, 3), dtype=np.float32), _tags("BI"), _words("--"))
    assert all(math.isnan(value) for value in [result.loss, result.prediction_spread, *result.metrics.values()])


@pytest.mark.parametrize("shape", [(3,), (3, 2), (4, 1), (0, 1)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected outputs of shape"):
        evaluate(BIOSSES, np.zeros(shape, dtype=np.float32), np.zeros(0 if shape[0] == 0 else 3, dtype=np.float32))


def test_labels_and_words_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected labels of shape"):
        evaluate(HOC, np.zeros((3, 10)), np.zeros(3))
    with pytest.raises(ValueError, match="must be given"):
        evaluate(NCBI, np.zeros((3, 3)), _tags("BIO"))
    with pytest.raises(ValueError, match="must not be given"):
        evaluate(PUBMEDQA, np.zeros((3, 3)), _tags("BIO"), _all_read(3))
    with pytest.raises(ValueError, match="expected 3 words, but got 4"):
        evaluate(NCBI, np.zeros((3, 3)), _tags("BIO"), _all_read(4))


# The trivial predictor


def _all_constants(task: Task) -> list[np.ndarray]:
    """Every constant output that there is; of regression one, as all have the same correlations."""
    if task.kind == kinds.REGRESSION:
        return [np.array([0.5])]
    if task.kind == kinds.MULTI_LABEL:
        return [np.array(signs) for signs in itertools.product([-1.0, 1.0], repeat=task.outputs)]
    return list(np.eye(task.outputs))


MANY = _custom(kinds.MULTI_LABEL, "micro_f1", "a", "b", "c", "d")
CONSTANT_TASKS = [task for task in (*SPLIT_TASKS, MANY) if task is not HOC]  # of 1,024 sets


@given(st.sampled_from(CONSTANT_TASKS), st.data())
def test_the_trivial_predictor_is_the_best_constant_under_each_metric(task: Task, data: st.DataObject) -> None:
    words = _words("ww-w", "-", "www", "wwww") if task.per_token else None
    match task.kind:
        case kinds.REGRESSION:
            labels = data.draw(_scores)
        case kinds.MULTI_LABEL:
            labels = data.draw(npst.arrays(np.float32, (12, task.outputs), elements=st.sampled_from([0.0, 1.0])))
        case _:
            labels = data.draw(_classes(task.outputs))
    trivial = TrivialPredictor.of(task, labels, labels, words)
    assert tuple(trivial.metrics) == task.metrics
    outputs = [np.broadcast_to(output, (12, task.outputs)) for output in _all_constants(task)]
    found = [evaluate(task, output, labels, words).metrics for output in outputs]
    for name in task.metrics:
        values = [metrics[name] for metrics in found if not math.isnan(metrics[name])]
        if name == "mse":
            assert trivial.metrics[name] == pytest.approx(float(np.var(labels, dtype=float)))
        elif values:
            assert trivial.metrics[name] == pytest.approx(max(values))
        elif task.kind == kinds.REGRESSION and np.ptp(labels) > 0:
            assert trivial.metrics[name] == 0
        else:
            assert math.isnan(trivial.metrics[name])


@given(_scores, _scores)
def test_a_regression_must_get_its_loss_below_the_variance(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(BIOSSES, train, dev)
    mean = np.full((12, 1), train.astype(float).mean())
    assert trivial.train_loss == pytest.approx(evaluate(BIOSSES, mean, train).loss)


@given(_classes(3), _classes(3))
def test_a_classification_must_get_its_loss_below_the_entropy_of_the_classes(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(PUBMEDQA, train, dev)
    shares = np.bincount(train, minlength=3) / 12
    constant = np.log(np.maximum(shares, 1e-30))[None, :].repeat(12, axis=0)
    assert trivial.train_loss == pytest.approx(evaluate(PUBMEDQA, constant, train).loss, abs=1e-9)


@given(*[npst.arrays(np.float32, (12, 10), elements=st.sampled_from([0.0, 1.0]))] * 2)
def test_several_labels_must_get_their_loss_below_the_mean_entropy(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(HOC, train, dev)
    shares = train.mean(axis=0, dtype=float).clip(1e-30, 1 - 1e-16)
    best = np.broadcast_to(special.logit(shares), (12, 10))
    assert trivial.train_loss == pytest.approx(evaluate(HOC, best, train).loss, abs=1e-9)


@given(_classes(3), _classes(3))
def test_tags_must_get_their_loss_below_the_entropy_of_the_tags(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(NCBI, train, dev, _words("wwwwwwww", "ww--"))
    assert trivial.train_loss == pytest.approx(stats.entropy(np.bincount(train)))


def test_always_positive_is_what_an_f1_must_beat() -> None:
    """253 of 535 GAD examples, say: 2 p / (1 + p), where nothing but the more frequent class would give 0."""
    labels = np.repeat([0, 1], [282, 253])
    trivial = TrivialPredictor.of(GAD, labels, labels)
    assert trivial.metrics["f1"] == trivial.score == pytest.approx(2 * 253 / (535 + 253))
    assert trivial.metrics["accuracy"] == pytest.approx(282 / 535)
    assert trivial.metrics["roc_auc"] == 0.5
    assert trivial.metrics["average_precision"] == pytest.approx(253 / 535)
    assert trivial.metrics["matthews"] == 0


def test_the_labels_of_train_do_not_choose_the_constant() -> None:
    trivial = TrivialPredictor.of(PUBMEDQA, np.array([YES, YES, NO]), np.array([NO, NO, NO, YES]))
    assert trivial.score == pytest.approx(3 / 4)


def test_constant_tags_by_hand() -> None:
    """All B finds the entity of one word among 8 that it makes up; all I makes one of each sentence and finds none."""
    trivial = TrivialPredictor.of(NCBI, _tags("O"), _tags("OBOOBIOO"), _all_read(4, 4))
    assert trivial.score == pytest.approx(2 * 1 / (8 + 2))
    assert trivial.metrics["word_accuracy"] == pytest.approx(5 / 8)
    assert trivial.metrics["word_macro_f1"] == pytest.approx(2 * 3 / (8 + 3))


def test_what_the_labels_leave_undefined_is_not_zero() -> None:
    trivial = TrivialPredictor.of(GAD, np.array([0, 0, 1]), np.array([0, 0]))
    assert math.isnan(trivial.metrics["roc_auc"])
    assert math.isnan(trivial.metrics["average_precision"])
    assert trivial.metrics["f1"] == 0
    same = np.array([2.0, 2.0], dtype=np.float32)
    assert math.isnan(TrivialPredictor.of(BIOSSES, same, same).score)
    level = trivial.level("roc_auc")
    assert (level.score, level.noise_bound) == (0, 0)
    assert level.contains(math.nan, 0.0)


def _labels(folder: Path, task: Task, split: str) -> np.ndarray:
    file = folder / task.data_set.folder / f"{split}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = [Row(f"{file}:{number}", json.loads(line)) for number, line in enumerate(lines, start=1)]
    examples, problems = parse(task, rows, str(file))
    assert not problems
    return np.array([example.label for example in examples])


def test_trivial_scores_of_the_real_data(blurb_data: Path) -> None:
    """On dev; the test split is not looked at."""
    # DDI and ChemProt: the most frequent relation everywhere; HoC: the three most frequent hallmarks of every document.
    constants = {"pubmedqa": 27 / 50, "ddi": 0.13558, "chemprot": 0.15955, "hoc": 0.32170, "biosses": 0.0}
    for name, score in constants.items():
        task = TASKS[name]
        train, dev = (_labels(blurb_data, task, split) for split in ("train", "dev"))
        level = TrivialPredictor.of(task, train, dev).level(task.metric)
        assert level.score == pytest.approx(score, abs=1e-5)
        assert level.noise_bound > level.score
        if name == "hoc":
            assert TrivialPredictor.of(task, train, dev).metrics["exact_match"] == pytest.approx(30 / 186)
    assert level.loss == pytest.approx(1.30375)
    assert level.noise_bound == pytest.approx(0.4259, abs=1e-4)


# The trivial level


@pytest.mark.parametrize("task", CONSTANT_TASKS, ids=lambda task: task.metric)
def test_each_metric_has_a_level(task: Task) -> None:
    labels = np.arange(12) % max(2, task.outputs)
    if task.kind == kinds.MULTI_LABEL:
        labels = np.eye(task.outputs, dtype=np.float32)[labels]
    words = _all_read(5, 7) if task.per_token else None
    trivial, other = (TrivialPredictor.of(task, labels, labels, words) for _ in range(2))
    for name in task.metrics:
        if name == "mse":
            continue
        level = trivial.level(name)
        assert level is trivial.level(name)
        assert level == other.level(name), "the noise is drawn from a seed of its own"
        assert (level.score, level.loss) == (trivial.metrics[name], trivial.train_loss)
        assert level.score <= level.noise_bound <= 1
    with pytest.raises(ValueError, match=r"expected one of .*, but got metric='(mse|none)'"):
        trivial.level("mse" if task.kind == kinds.REGRESSION else "none")


def test_what_used_to_pass_as_completed() -> None:
    """A majority with noise in its ranking, and a correlation of two thousandths."""
    labels = np.repeat([0, 1], [190, 10])
    generator = np.random.default_rng(0)
    level = TrivialPredictor.of(GAD, labels, labels).level("roc_auc")
    logits = np.stack([np.zeros((200, 100)), generator.normal(-3, 0.1, (200, 100))], axis=2)
    scores = [evaluate(GAD, logits[:, index], labels).metrics["roc_auc"] for index in range(100)]
    assert sum(score > 0.5 for score in scores) > 30
    assert sum(not level.contains(score, level.loss) for score in scores) <= 10
    level = TrivialPredictor.of(BIOSSES, _column(0, 4, 2)[:, 0], _column(*range(16))[:, 0]).level("pearson")
    assert level.contains(0.0021, level.loss)
    assert not level.contains(0.0021, 0.5 * level.loss)
