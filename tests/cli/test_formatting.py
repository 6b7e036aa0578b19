"""Numbers as they are written in the terminal."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.cli.formatting import counted, difference, duration, score, share, spelled, time_left
from blurb_tune.core.trial import Configuration


def test_scores() -> None:
    assert [score(0.12345), score(-1.0), score(math.nan)] == ["0.123", "-1.000", "-"]
    assert [difference(0.12345), difference(-0.5), difference(math.nan)] == ["+0.123", "-0.500", "-"]
    assert [share(2, 5), share(0, 0)] == ["2/5", "-"]
    assert [counted(1, "trial"), counted(0, "trial"), counted(2, "trial")] == ["1 trial", "0 trials", "2 trials"]


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
    read = yaml.safe_load(spelled(value))
    assert read == value
    assert type(read) is type(value)


def test_the_defaults_are_spelled_for_yaml() -> None:
    lines = "\n".join(f"{name}: {spelled(value)}" for name, value in Configuration().values().items())
    assert yaml.safe_load(lines) == Configuration().values()
    assert yaml.safe_load("5e-05") == "5e-05", "why spelled() is needed"
