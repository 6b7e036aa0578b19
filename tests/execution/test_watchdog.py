"""A process that hangs is ended, also where what it would say hangs as well."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

_HANGS = """
import logging, time
from blurb_tune.execution import watchdog
logging.basicConfig()
watchdog._SECONDS_FOR_A_WORD = 0.5
def word():
    print("a word", flush=True)
    {word}
dog = watchdog.Watchdog({seconds}, word)
for _ in range(5):
    dog.feed()
    time.sleep(0.1)
{then}
time.sleep(4.0)
"""


def run(word: str = "pass", then: str = "pass", seconds: float | None = 2.0) -> tuple[int, str, str]:
    code = _HANGS.format(word=word, then=then, seconds=seconds)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("word", ["pass", "time.sleep(600)", "raise OSError('the storage is away')"])
def test_a_process_that_is_not_fed_ends_whatever_becomes_of_its_word(word: str) -> None:
    began = time.monotonic()
    code, said, logged = run(word, then="time.sleep(600)")
    assert (code, said) == (1, "a word\n")
    assert "no step for 2 s, the process ends" in logged
    assert "MainThread" in logged, "the stacks of its threads"
    assert time.monotonic() - began < 60.0


def test_one_that_is_fed_or_rests_or_is_not_watched_goes_on() -> None:
    assert run(then="dog.rest()") == (0, "", "")
    assert run(seconds=None) == (0, "", "")
