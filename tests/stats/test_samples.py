from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from blurb_tune.stats.bootstrap import bca_difference, bca_interval
from blurb_tune.stats.expected_best import expected_best
from blurb_tune.stats.intervals import std_interval, t_difference, t_interval
from blurb_tune.stats.permutation import permutation_p, wilcoxon_p
from blurb_tune.stats.superiority import superiority
from blurb_tune.stats.variance import brown_forsythe_p

GOOD = [0.1, 0.4, 0.2, 0.3, 0.5]


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(
    "function",
    [
        bca_interval,
        t_interval,
        std_interval,
        lambda scores: expected_best(scores, 2),
        *(
            lambda scores, of=of: of(GOOD, scores)
            for of in (permutation_p, wilcoxon_p, bca_difference, t_difference, superiority, brown_forsythe_p)
        ),
    ],
)
def test_an_undefined_score_is_refused_not_computed_with(function: Callable[[list[float]], Any], value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        function([0.1, 0.2, value, 0.4, 0.5])


@pytest.mark.parametrize(
    "function",
    [
        wilcoxon_p,
        lambda a, b: permutation_p(a, b, paired=True),
        lambda a, b: bca_difference(a, b, paired=True),
        lambda a, b: t_difference(a, b, paired=True),
    ],
)
def test_a_single_score_is_no_partner_of_many(function: Callable[[list[float], list[float]], Any]) -> None:
    with pytest.raises(ValueError, match=r"as many scores on both sides, but got \(5, 1\)"):
        function(GOOD, [0.2])
