"""The formulas against scikit-learn and scipy, and where they have no value."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import stats
from sklearn import metrics as reference

from blurb_tune.tasks.scoring.scores import Counts, average_precision, correlations, is_constant, matthews, roc_auc

_sizes = st.integers(1, 30)
_flags = _sizes.flatmap(lambda n: st.tuples(npst.arrays(np.bool_, n), _scores(n)))


def _scores(n: int) -> st.SearchStrategy[np.ndarray]:
    """Ties are as likely as not."""
    some = st.one_of(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), st.floats(-1e6, 1e6, allow_subnormal=False))
    return npst.arrays(np.float64, n, elements=some)


@given(_flags)
def test_rankings_are_those_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    is_positive, scores = drawn
    if is_positive.all() or not is_positive.any():
        assert math.isnan(roc_auc(scores, is_positive))
        assert math.isnan(average_precision(scores, is_positive))
        return
    assert roc_auc(scores, is_positive) == pytest.approx(reference.roc_auc_score(is_positive, scores))
    assert average_precision(scores, is_positive) == pytest.approx(reference.average_precision_score(is_positive, scores))


def test_rankings_by_hand() -> None:
    scores, is_positive = np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, False, True, False])
    # of the four pairs three are in order and one is tied
    assert roc_auc(scores, is_positive) == pytest.approx(3.5 / 4)
    # the first positive has precision 1, the second shares its rank with a negative
    assert average_precision(scores, is_positive) == pytest.approx((1 + 2 / 3) / 2)
    constant = np.zeros(4)
    assert roc_auc(constant, is_positive) == 0.5
    assert average_precision(constant, is_positive) == 0.5
    assert roc_auc(-scores, is_positive) == pytest.approx(0.5 / 4)


@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@given(_sizes.flatmap(lambda n: st.tuples(*[npst.arrays(np.int64, n, elements=st.integers(0, 3))] * 2)))
def test_matthews_is_that_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, actual = drawn
    counts = Counts.of_classes(predicted, actual, 4)
    assert matthews(counts) == pytest.approx(reference.matthews_corrcoef(actual, predicted), abs=1e-12)


def test_matthews_of_a_large_set_does_not_overflow() -> None:
    n = 10**10
    counts = Counts(*(np.array(pair) for pair in ([n, n], [n, n], [n, n])))
    assert matthews(counts) == 1


@given(_sizes.flatmap(lambda n: st.tuples(_scores(n), _scores(n))))
def test_correlations_are_those_of_scipy(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    ours = correlations(*drawn)
    if any(is_constant(values) for values in drawn):
        assert all(math.isnan(value) for value in ours)
        return
    assert ours == pytest.approx((stats.pearsonr(*drawn).statistic, stats.spearmanr(*drawn).statistic))


def test_nothing_of_nothing_is_zero() -> None:
    nothing = Counts(*(np.array([0, 0]) for _ in range(3)))
    for values in (nothing.precision, nothing.recall, nothing.f1):
        assert values.tolist() == [0, 0]
    assert nothing.micro_f1 == nothing.macro_f1 == 0


def test_counts_by_hand() -> None:
    counts = Counts.of_classes(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 4)
    assert [counts.hits.tolist(), counts.predicted.tolist(), counts.actual.tolist()] == [
        [1, 1, 0, 0],
        [2, 1, 1, 0],
        [1, 3, 0, 0],
    ]
    assert counts.f1 == pytest.approx([2 / 3, 2 / 4, 0, 0])
    assert counts.micro_f1 == pytest.approx(2 / 4)
    assert counts.select(slice(1, None)).micro_f1 == pytest.approx(2 / (1 + 1 + 3))
    flags = Counts.of_flags(np.array([[True, True], [False, True]]), np.array([[True, False], [False, True]]))
    assert [flags.hits.tolist(), flags.predicted.tolist(), flags.actual.tolist()] == [[1, 1], [1, 2], [1, 1]]
