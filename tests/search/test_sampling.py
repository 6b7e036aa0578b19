from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blurb_tune.search.sampling import nth_not_skipped, sample


@settings(max_examples=300)
@given(st.integers(0, 3000), st.data(), st.integers(0, 2**31))
def test_what_is_drawn_is_what_random_sample_draws(size: int, data: st.DataObject, seed: int) -> None:
    """Sweeps of earlier versions, which called it, go on with the configurations that they would have had."""
    number = data.draw(st.integers(0, size))
    assert list(sample(random.Random(seed), size, number)) == random.Random(seed).sample(range(size), number)


@pytest.mark.parametrize("size", [10**9, 10**90])
def test_of_however_many_only_what_is_asked_for_is_drawn(size: int) -> None:
    found = list(sample(random.Random(1), size, 1000))
    assert len(set(found)) == 1000
    assert all(0 <= index < size for index in found)
    assert 0.3 < sum(index < size // 2 for index in found) / 1000 < 0.7
    everything = sample(random.Random(1), size, size)
    assert len(set(itertools.islice(everything, 1000))) == 1000


def test_more_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="number=4, size=3"):
        sample(random.Random(1), 3, 4)


@given(st.integers(1, 40), st.sets(st.integers(0, 39)))
def test_indices_are_counted_without_those_passed_over(size: int, skipped: set[int]) -> None:
    left = [index for index in range(size) if index not in skipped]
    over = sorted(index for index in skipped if index < size)
    assert [nth_not_skipped(over, index) for index in range(len(left))] == left
