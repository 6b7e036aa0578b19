"""What waits, in the order of its keys, whatever is taken together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.core.trial import Configuration, TrialConfig, Work
from blurb_tune.sweep.queue import WorkQueue

keys = st.tuples(st.integers(-1, 2), st.integers(0, 3))
pushes = st.lists(st.tuples(keys, st.sampled_from("abcd"), st.integers(1, 2)), max_size=25)


def trial(configuration: str, seed: int, attempt: int = 1) -> TrialConfig:
    return TrialConfig(f"{configuration}-s{seed}", configuration, Configuration(), seed, attempt)


@given(pushes, st.integers(1, 4))
def test_the_first_by_key_comes_with_others_of_its_configuration_and_attempt(
    pushed: list[tuple[tuple[int, int], str, int]], most: int
) -> None:
    """Against a list that is searched."""
    queue, left = WorkQueue(), []
    for number, (key, configuration, attempt) in enumerate(pushed):
        queue.push(key, trial(configuration, number, attempt))
        left.append((key, trial(configuration, number, attempt)))
    while left:
        key, first = min(left, key=lambda entry: (entry[0], entry[1].seed))
        assert queue
        assert queue.first() == (key, first)
        same = [t for _, t in left if (t.configuration_id, t.attempt) == (first.configuration_id, first.attempt)]
        expected = [first, *(t for t in same if t != first)][:most]
        assert list(queue.pop(most).trials) == expected
        left = [entry for entry in left if entry[1] not in expected]
        assert {c for c in "abcd" if queue.has(c)} == {t.configuration_id for _, t in left}
    assert not queue
    assert queue.first() is None


def test_nothing_is_taken_from_an_empty_queue() -> None:
    with pytest.raises(IndexError):
        WorkQueue().pop()


def test_work_is_of_one_configuration() -> None:
    assert Work((trial("a", 0), trial("a", 1))).configuration == Configuration()
    for trials in ((), (trial("a", 0), trial("b", 0))):
        with pytest.raises(ValueError, match="one configuration"):
            Work(trials)
