"""How numbers and settings are written."""

from __future__ import annotations

import math

import pytest

from blurb_tune.core.numbers import compact
from blurb_tune.report import wording
from blurb_tune.report.wording import recipe, supported_decimals
from blurb_tune.stats.stability import summarize_scores
from tests.report.sweeps import SweepWriter, small_sweep


@pytest.mark.parametrize(
    ("scores", "decimals"),
    [
        ([0.4, 0.6, 0.5, 0.7], 2),  # standard error 0.06
        ([0.61, 0.63, 0.62, 0.60], 3),  # 0.006
        ([0.61231, 0.61233, 0.61235], 5),  # 0.00001
        ([10.0, 90.0], 2),  # never fewer
        ([0.5], 3),
        ([0.5, 0.5], 3),
    ],
)
def test_digits_end_where_the_standard_error_begins(scores: list[float], decimals: int) -> None:
    assert supported_decimals([summarize_scores(scores)]) == decimals


def test_of_several_the_median_error_counts() -> None:
    coarse, fine = summarize_scores([0.4, 0.6, 0.5, 0.7]), summarize_scores([0.61, 0.63, 0.62, 0.60])
    assert supported_decimals([fine, coarse, fine]) == 3
    assert supported_decimals([]) == 3


def test_numbers_have_true_minus_signs_and_no_negative_zero() -> None:
    assert wording.number(-0.004, 2) == "0.00"
    assert wording.number(-0.25, 2) == "−0.25"
    assert wording.signed(0.25, 2) == "+0.25"
    assert wording.signed(0.001, 2) == "0.00"
    assert wording.number(math.nan, 2) == wording.interval((math.nan, 1.0), 2) == wording.p_value(math.nan) == "–"
    assert wording.interval((-0.021, 0.3), 2) == "−0.02 to +0.30"
    assert [wording.more_or_less(value, 2) for value in (0.25, -0.25, 0.001)] == ["0.25 more", "0.25 less", "the same"]
    assert [wording.more_or_less(value, 2) for value in (math.nan, math.inf)] == ["–", "–"]
    assert [wording.p_value(p) for p in (1.0, 0.0432, 0.00031, 2e-5)] == ["1.0", "0.043", "0.00031", "2e-05"]
    assert [wording.percent(share) for share in (0.0, 0.123, 0.004, math.nan)] == ["0 %", "12 %", "0.4 %", "–"]
    assert [wording.duration(s) for s in (3.21, 45, 200, 7500, math.nan)] == ["3.2 s", "45 s", "3 min 20 s", "2 h 05 min", "–"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(5e-5, "5e-5"), (0.9921234567890123, "0.992"), (1.0, "1"), (16, "16"), (None, "unset"), (True, "on"), ("a/b", "a/b")],
)
def test_settings_are_short(value: object, text: str) -> None:
    assert compact(value) == text


def test_a_recipe_names_what_the_strategy_does_not() -> None:
    record = small_sweep().record
    assert recipe(record, "c2") == "decay 0.8 (learning rate 3e-5, epochs 2, bias correction off, max grad norm unset)"
    sweep = SweepWriter()
    sweep.configuration("c0", freeze_depth=2)
    assert recipe(sweep.record, "c0") == "freeze 2"


def test_lists_read_as_sentences() -> None:
    assert [wording.join_with_and(list(names)) for names in ("", "a", "ab", "abc", "abcdefg")] == [
        "",
        "a",
        "a and b",
        "a, b and c",
        "a, b, c, d, e and 2 more",
    ]
