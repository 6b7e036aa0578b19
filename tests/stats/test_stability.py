from __future__ import annotations

import math

import pytest

from blurb_tune.stats.stability import summarize_scores


def test_spread_of_known_numbers() -> None:
    result = summarize_scores([0.2, 0.4, 0.9])
    assert (result.n, result.min, result.max) == (3, 0.2, 0.9)
    assert result.mean == pytest.approx(0.5)
    assert result.std == pytest.approx(0.360555, abs=1e-6)


def test_one_seed_has_no_spread_and_none_has_nothing() -> None:
    assert summarize_scores([0.5]).mean == 0.5
    assert math.isnan(summarize_scores([0.5]).std)
    assert summarize_scores([]).n == 0
    assert math.isnan(summarize_scores([]).mean)


def test_an_undefined_score_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        summarize_scores([0.1, math.nan])
