"""Quadratic weighted kappa, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.metrics import cohen_kappa_score

from blurb_tune.tasks.kinds.ordinal import quadratic_kappa

_CLASSES = npst.arrays(np.int64, 12, elements=st.integers(0, 3))


@given(_CLASSES, _CLASSES)
def test_kappa_is_that_of_scikit_learn(predicted: np.ndarray, actual: np.ndarray) -> None:
    if len({*predicted, *actual}) == 1:
        assert quadratic_kappa(predicted, actual) == 0
        return
    expected = cohen_kappa_score(predicted, actual, weights="quadratic", labels=[0, 1, 2, 3])
    assert quadratic_kappa(predicted, actual) == pytest.approx(expected)


def test_two_steps_cost_four_times_one() -> None:
    actual = np.array([0, 1, 2, 3])
    near, far = np.array([1, 1, 2, 3]), np.array([2, 1, 2, 3])
    # squared errors 1 and 4; apart: var(actual) 1.25, var 0.6875 and 0.5, means 1.75 and 2 against 1.5
    assert quadratic_kappa(near, actual) == pytest.approx(1 - 0.25 / (0.6875 + 1.25 + 0.0625))
    assert quadratic_kappa(far, actual) == pytest.approx(1 - 1.0 / (0.5 + 1.25 + 0.25))
