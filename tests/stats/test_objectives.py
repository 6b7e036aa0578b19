from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.stats.objectives import OBJECTIVES, aggregate, format_objective, parse

SCORES = st.lists(st.floats(-1, 1), min_size=1, max_size=20)


@given(SCORES, st.randoms())
def test_objectives_lie_between_the_extremes_or_below_whatever_the_order(scores: list[float], random: object) -> None:
    shuffled = list(scores)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for objective in OBJECTIVES:
        value = aggregate(objective, scores)
        assert value <= max(scores) + 1e-12
        if objective not in ("mean_minus_std", "pareto"):
            assert value >= min(scores) - 1e-12
        assert aggregate(objective, shuffled) == pytest.approx(value)
    assert aggregate("mean_minus_std", scores) <= aggregate("mean", scores) + 1e-12
    assert aggregate("worst", scores) == min(scores)


@given(SCORES, st.floats(0.01, 1), st.floats(0.01, 1))
def test_the_worst_share_goes_from_the_worst_to_the_mean(scores: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    values = [aggregate(f"cvar(share={share!r})", scores) for share in (1e-6, low, high, 1.0)]
    assert values[0] == min(scores)
    assert values[-1] == pytest.approx(np.mean(scores))
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(values))


def test_objectives_of_known_numbers() -> None:
    scores = [0.2, 0.4, 0.9]
    std = np.std(scores, ddof=1)
    known = {
        "mean_minus_std": 0.5 - std,
        "mean": 0.5,
        "median": 0.4,
        "worst": 0.2,
        "quantile": 0.3,
        "cvar": 0.2,
        "pareto": 0.5 - std,
    }
    assert {name: pytest.approx(aggregate(name, scores)) for name in OBJECTIVES} == known
    assert aggregate("mean_minus_std(weight=2)", scores) == pytest.approx(0.5 - 2 * std)
    assert aggregate("cvar(share=0.5)", scores) == pytest.approx((0.2 + 0.5 * 0.4) / 1.5)
    assert math.isnan(aggregate("mean", []))


def test_of_several_configurations_the_spread_is_pooled_within_them() -> None:
    assert aggregate("mean_minus_std", [0.1, 0.3], [0.7, 0.9]) == pytest.approx(0.5 - math.sqrt(0.02))


@given(st.sampled_from(sorted(OBJECTIVES)), st.floats(0.001, 1))
def test_what_is_spelled_can_be_read(name: str, value: float) -> None:
    settings = dict.fromkeys(OBJECTIVES[name].settings, value)
    assert parse(format_objective(name, settings)) == (name, settings)
    assert parse(name) == (name, {key: setting.default for key, setting in OBJECTIVES[name].settings.items()})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("means", "unknown objective 'means'; did you mean 'mean'?"),
        ("quantile(p=0.1)", "unknown setting 'p' of the objective 'quantile'"),
        ("mean(q=0.1)", "unknown setting 'q' of the objective 'mean', which has no settings"),
        ("quantile(q=1.5)", "q must be above 0 and at most 1, but got 1.5"),
        ("cvar(share=0)", "share must be above 0 and at most 1, but got 0.0"),
        ("cvar(share=nan)", "share must be above 0"),
        ("cvar(share=x)", "share must be a number, but got 'x'"),
        ("quantile 0.1", "expected an objective, such as"),
        ("(", "expected an objective, such as"),
    ],
)
def test_an_unknown_one_is_an_error(text: str, fault: str) -> None:
    for use in (lambda: parse(text), lambda: aggregate(text, [0.1])):
        with pytest.raises(ValueError, match=re.escape(fault)):
            use()
