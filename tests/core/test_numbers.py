"""Numbers as they are written for people."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.core.numbers import (
    compact,
    decimals_for,
    difference,
    duration,
    interval,
    interval_of_difference,
    p_value,
    plural,
    round_float,
    score,
    share,
    time_left,
    yaml_scalar,
)
from blurb_tune.core.trial import Configuration


def test_scores() -> None:
    assert [score(0.12345), score(-1.0), score(math.nan)] == ["0.123", "-1.000", "-"]
    assert [difference(0.12345), difference(-0.5), difference(math.nan)] == ["+0.123", "-0.500", "-"]
    assert [share(2, 5), share(0, 0)] == ["2/5", "-"]
    assert [plural(1, "trial"), plural(0, "trial"), plural(2, "trial")] == ["1 trial", "0 trials", "2 trials"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(-1, "0.0 s"), (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s")],
        *[(200, "3 min 20 s"), (3599.4, "59 min 59 s"), (3599.6, "1 h 00 min"), (7500, "2 h 05 min"), (90000, "25 h 00 min")],
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(0, "under 10 s left"), (10, "about 10 s left"), (11, "about 20 s left"), (50, "about 50 s left")],
        *[(51, "about 1 min left"), (61, "about 2 min left"), (3540, "about 59 min left"), (3541, "about 1 h 00 min left")],
        *[(3601, "about 1 h 10 min left"), (23.9 * 3600, "about 1 d 0 h left"), (53 * 3600, "about 2 d 5 h left")],
    ],
)
def test_time_left_is_rounded_up(seconds: float, text: str) -> None:
    assert time_left(seconds) == text


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_spelled_value_is_what_yaml_reads(value: float | None) -> None:
    read = yaml.safe_load(yaml_scalar(value))
    assert read == value
    assert type(read) is type(value)


def test_the_defaults_are_spelled_for_yaml() -> None:
    lines = "\n".join(f"{name}: {yaml_scalar(value)}" for name, value in Configuration().values().items())
    assert yaml.safe_load(lines) == Configuration().values()
    assert yaml.safe_load("5e-05") == "5e-05", "why yaml_scalar() is needed"


@given(st.floats(1e-300, 1e300), st.integers(1, 6))
def test_a_compact_value_is_the_same_to_its_digits_and_has_no_more(value: float, digits: int) -> None:
    text = compact(value, digits)
    assert float(text) == pytest.approx(value, rel=10.0**-digits * 5.001)
    assert sum(map(str.isdigit, text.partition("e")[0].replace("0.", "").strip("0."))) <= digits


@pytest.mark.parametrize(
    ("value", "text"),
    [(5e-5, "5e-5"), (0.9923847561234567, "0.992"), (0.1, "0.1"), (16, "16"), (1e30, "1e30"), (None, "unset"), (True, "on")],
)
def test_compact_values(value: float | None, text: str) -> None:
    assert compact(value) == text


@given(st.floats(-1, 1), st.integers(2, 4))
def test_what_rounds_to_zero_has_no_sign(number: float, decimals: int) -> None:
    for text in (score(number, decimals), difference(number, decimals)):
        assert abs(float(text) - number) <= 0.5001 * 10.0**-decimals
        assert not (float(text) == 0 and text.startswith("-"))


@pytest.mark.parametrize(
    ("errors", "decimals"),
    [([], 3), ([math.nan, 0.0], 3), ([0.2], 2), ([0.099], 3), ([0.012, 0.5, 0.02], 3), ([0.004], 4), ([1e-9], 4), ([7.0], 2)],
)
def test_decimals_show_two_digits_of_the_typical_error(errors: list[float], decimals: int) -> None:
    assert decimals_for(errors) == decimals


def test_intervals_and_p_values() -> None:
    assert [interval((0.412, 0.618)), interval((0.412, 0.618), 2), interval((math.nan, 1.0))] == [
        *("0.412 to 0.618", "0.41 to 0.62", "-")
    ]
    assert interval_of_difference((-0.0001, 0.3)) == "+0.000 to +0.300"
    assert [p_value(p) for p in (0.5, 0.0496, 0.0042, 0.0002, math.nan)] == ["0.50", "0.050", "0.004", "<0.001", "-"]


def test_rounded_values_keep_their_type() -> None:
    assert [round_float(0.9923847561), round_float(5e-5), round_float(20), round_float(None)] == [0.9924, 5e-5, 20, None]
    assert type(round_float(True)) is bool
