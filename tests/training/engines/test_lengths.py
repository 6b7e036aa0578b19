from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.training.engines.lengths import split_by_length


def cost(lengths: list[int], parts: list[slice], cost_of_a_part: float, power: int) -> float:
    return sum(cost_of_a_part + len(lengths[part]) * lengths[part][0] ** power for part in parts)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=9),
    cost_of_a_part=st.sampled_from([0.5, 7.0, 40.0, 1e6]),
    power=st.sampled_from([1, 2]),
)
def test_no_other_way_to_cut_a_batch_costs_less(lengths: list[int], cost_of_a_part: float, power: int) -> None:
    lengths.sort(reverse=True)
    parts = split_by_length(np.array(lengths), cost_of_a_part=cost_of_a_part, power=power)
    assert [index for part in parts for index in range(len(lengths))[part]] == list(range(len(lengths)))
    ways = []
    for cuts in itertools.product([False, True], repeat=len(lengths) - 1):
        ends = [0, *(place + 1 for place, is_cut in enumerate(cuts) if is_cut), len(lengths)]
        ways.append(cost(lengths, [slice(*pair) for pair in itertools.pairwise(ends)], cost_of_a_part, power))
    assert cost(lengths, parts, cost_of_a_part, power) == pytest.approx(min(ways))
