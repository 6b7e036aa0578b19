"""Means of weights, against references that compute them from scratch."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.release.soup import greedy_soup, mean_weights

Weights = dict[str, torch.Tensor]
VECTORS = st.lists(st.lists(st.floats(-4, 4, width=32), min_size=3, max_size=3), min_size=1, max_size=6)


def weights_of(*values: float) -> Weights:
    return {"a": torch.tensor(values[:2]), "b.bias": torch.tensor(values[2:])}


def from_scratch(members: list[Weights]) -> Weights:
    return {name: torch.stack([of[name] for of in members]).double().mean(0).float() for name in members[0]}


def distance(weights: Mapping[str, torch.Tensor]) -> float:
    """Minus how far they are from where a score would be best."""
    return -float(sum(((tensor.double() - 1) ** 2).sum() for tensor in weights.values()))


@given(VECTORS)
def test_the_mean_is_that_of_each_parameter(vectors: list[list[float]]) -> None:
    members = [weights_of(*vector) for vector in vectors]
    found = mean_weights(iter(members))
    torch.testing.assert_close(found, from_scratch(members), rtol=0, atol=1e-6)
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10])
def test_what_all_members_have_in_common_stays_bit_for_bit(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    frozen = torch.randn(1000, generator=generator) * 10.0 ** torch.randint(-9, 9, (1000,), generator=generator)
    assert torch.equal(mean_weights({"frozen": frozen} for _ in range(count))["frozen"], frozen)


def by_the_recipe(ranked: list[Weights]) -> list[int]:
    """Recipe 1 of arXiv 2203.05482, each mean from scratch."""
    ingredients = [0]
    for number in range(1, len(ranked)):
        with_it = from_scratch([ranked[i] for i in (*ingredients, number)])
        if distance(with_it) >= distance(from_scratch([ranked[i] for i in ingredients])):
            ingredients.append(number)
    return ingredients


@given(VECTORS)
def test_the_greedy_soup_is_that_of_the_paper(vectors: list[list[float]]) -> None:
    ranked = sorted((weights_of(*vector) for vector in vectors), key=distance, reverse=True)
    members, score = greedy_soup(range(len(ranked)), ranked.__getitem__, distance)
    assert members == by_the_recipe(ranked)
    assert score == distance(from_scratch([ranked[i] for i in members]))
    assert score >= distance(ranked[0]), "it begins with the best"


def test_who_does_not_lower_the_score_stays_and_who_does_goes() -> None:
    ranked = {"best": weights_of(0.9, 0.9, 0.9), "other side": weights_of(1.2, 1.2, 1.2), "far": weights_of(-9, 3, 3)}
    assert greedy_soup(list(ranked), ranked.__getitem__, distance)[0] == ["best", "other side"]
    assert greedy_soup(["best", "best"], ranked.__getitem__, distance)[0] == ["best", "best"], "as good is good enough"
    assert greedy_soup(["best", "far"], ranked.__getitem__, lambda weights: float("nan"))[0] == ["best"]
