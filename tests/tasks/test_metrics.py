"""Scores against hand-computed cases, scikit-learn and seqeval; the trivial predictor; what counts as collapsed."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import special, stats
from seqeval.metrics import f1_score
from sklearn import metrics as reference

from blurb_tune.tasks.catalogue import TASKS
from blurb_tune.tasks.examples import Row, parse
from blurb_tune.tasks.features import Words
from blurb_tune.tasks.metrics import Evaluation, TrivialPredictor, evaluate, is_collapsed
from blurb_tune.tasks.task import Kind, Task

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
    return Task(name="own", kind=kind, metric=metric, description="a user's own", max_length=64, labels=labels)


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
    task = _custom(Kind.TOKEN_CLASSIFICATION, "word_accuracy", "noun", "verb")
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
    task = _custom(Kind.TOKEN_CLASSIFICATION, "word_macro_f1", "O", "B-gene", "I-gene", "B-drug", "I-drug")
    result = evaluate(task, _predicting(task, [2, 1, 4, 0]), np.array([1, 2, 3, 3]), _all_read(4))
    assert result.score == pytest.approx((1 + 2 / 3) / 2)
    assert result.metrics["word_accuracy"] == 0


# Every kind


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_task_reports_its_metrics_the_score_first(task: Task) -> None:
    labels = np.zeros((4, task.outputs), dtype=np.float32) if task.kind is Kind.MULTI_LABEL else np.array([0, 1, 1, 0])
    words = _all_read(4) if task.per_token else None
    outputs = np.arange(4 * task.outputs, dtype=np.float32).reshape(4, -1)
    result = evaluate(task, outputs, labels, words)
    assert tuple(result.metrics) == task.metrics
    assert result.score == result.metrics[task.metric]
    trivial = TrivialPredictor.of(task, labels, labels, words)
    assert tuple(trivial.metrics) == task.metrics
    assert trivial.score == trivial.metrics[task.metric]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("task", [BIOSSES, PUBMEDQA, GAD, HOC, NCBI], ids=lambda task: task.name)
def test_outputs_that_are_not_finite_have_no_score(task: Task, bad: float) -> None:
    outputs = np.ones((4, task.outputs), dtype=np.float32)
    outputs[1, 0] = bad
    labels = np.ones((4, task.outputs), dtype=np.float32) if task.kind is Kind.MULTI_LABEL else np.array([0, 1, 1, 1])
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


@given(_scores, _scores)
def test_the_mean_predictor_is_what_regression_must_beat(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(BIOSSES, train, dev)
    means = [np.full((12, 1), values.astype(float).mean()) for values in (train, dev)]
    assert trivial.score == trivial.metrics["spearman"] == 0
    assert trivial.metrics["mse"] == pytest.approx(evaluate(BIOSSES, means[0], dev).loss)
    assert trivial.train_loss == pytest.approx(evaluate(BIOSSES, means[0], train).loss)
    assert trivial.dev_variance == pytest.approx(evaluate(BIOSSES, means[1], dev).loss)


@given(_classes(3), _classes(3))
def test_the_majority_class_is_what_classification_must_beat(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(PUBMEDQA, train, dev)
    counts = [int(np.sum(train == index)) for index in range(3)]
    majority = evaluate(PUBMEDQA, _predicting(PUBMEDQA, [counts.index(max(counts))] * 12), dev)
    shares = np.array(counts) / 12
    constant = np.log(np.maximum(shares, 1e-30))[None, :].repeat(12, axis=0)
    assert trivial.metrics == majority.metrics
    assert trivial.train_loss == pytest.approx(evaluate(PUBMEDQA, constant, train).loss, abs=1e-9)
    assert math.isnan(trivial.dev_variance)
    assert is_collapsed(PUBMEDQA, majority, trivial)


@given(*[npst.arrays(np.float32, (12, 10), elements=st.sampled_from([0.0, 1.0]))] * 2)
def test_no_label_is_what_multi_label_must_beat(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(HOC, train, dev)
    assert trivial.score == trivial.metrics["macro_f1"] == 0
    assert trivial.metrics["exact_match"] == pytest.approx(np.mean([not document.any() for document in dev]))
    shares = train.mean(axis=0, dtype=float).clip(1e-30, 1 - 1e-16)
    best = np.broadcast_to(special.logit(shares), (12, 10))
    assert trivial.train_loss == pytest.approx(evaluate(HOC, best, train).loss, abs=1e-9)


@given(_classes(3), _classes(3))
def test_all_outside_is_what_tags_must_beat(train: np.ndarray, dev: np.ndarray) -> None:
    trivial = TrivialPredictor.of(NCBI, train, dev, _words("wwwwwwww", "ww--"))
    assert trivial.score == trivial.metrics["word_macro_f1"] == 0
    assert trivial.metrics["word_accuracy"] == pytest.approx(np.mean(dev == O))
    assert trivial.train_loss == pytest.approx(stats.entropy(np.bincount(train)))


def test_the_most_frequent_tag_stands_in_for_a_missing_outside() -> None:
    task = _custom(Kind.TOKEN_CLASSIFICATION, "word_accuracy", "noun", "verb")
    trivial = TrivialPredictor.of(task, np.array([1, 1, 0]), np.array([1, 0, 1, 1]), _words("www-"))
    assert trivial.score == pytest.approx(2 / 4)


def test_an_undefined_score_of_the_trivial_predictor_is_zero() -> None:
    trivial = TrivialPredictor.of(GAD, np.array([0, 0, 1]), np.array([0, 0]))
    assert trivial.metrics["roc_auc"] == trivial.metrics["average_precision"] == 0


def _labels(folder: Path, task: Task, split: str) -> np.ndarray:
    file = folder / task.folder / f"{split}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = [Row(f"{file}:{number}", json.loads(line)) for number, line in enumerate(lines, start=1)]
    examples, problems = parse(task, rows, str(file))
    assert not problems
    return np.array([example.label for example in examples])


def test_trivial_scores_of_the_real_data(blurb_data: Path) -> None:
    """On train and dev; the test split is not looked at."""
    for name, on_train, on_dev in (("pubmedqa", 249 / 450, 27 / 50), ("ddi", 0, 0), ("chemprot", 0, 0), ("hoc", 0, 0)):
        task = TASKS[name]
        train, dev = (_labels(blurb_data, task, split) for split in ("train", "dev"))
        assert TrivialPredictor.of(task, train, train).score == pytest.approx(on_train)
        assert TrivialPredictor.of(task, train, dev).score == pytest.approx(on_dev)
    assert TrivialPredictor.of(HOC, train, dev).metrics["exact_match"] == pytest.approx(22 / 186)
    similarity = TrivialPredictor.of(BIOSSES, *(_labels(blurb_data, BIOSSES, split) for split in ("train", "dev")))
    assert (similarity.train_loss, similarity.dev_variance) == pytest.approx((1.30375, 0.96484375))


# Collapsed runs


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
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
def test_collapsed_regression(metric: str, score: float, mse: float, collapsed: bool) -> None:
    task = _custom(Kind.REGRESSION, metric)
    trivial = TrivialPredictor(dict.fromkeys(task.metrics, 0.0), train_loss=2.0, dev_variance=2.0)
    other = next(name for name in task.metrics[1:] if name != "mse")
    evaluation = Evaluation({metric: score, other: 0.9, "mse": mse}, mse, 0.5)
    assert is_collapsed(task, evaluation, trivial) is collapsed


@pytest.mark.parametrize(("score", "collapsed"), [(0.54, True), (0.55, True), (0.56, False), (math.nan, True)])
@pytest.mark.parametrize("task", [PUBMEDQA, HOC, NCBI], ids=lambda task: task.name)
def test_collapsed_of_the_other_kinds(task: Task, score: float, collapsed: bool) -> None:
    trivial = TrivialPredictor({task.metric: 0.55}, train_loss=0.9, dev_variance=math.nan)
    assert is_collapsed(task, Evaluation({task.metric: score}, 0.1, 0.5), trivial) is collapsed
