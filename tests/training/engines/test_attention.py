from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from blurb_tune.training.engines.attention import attend, groups_of
from blurb_tune.training.engines.dropout import Masks

HEADS, WIDTH = 3, 12
CPU = torch.device("cpu")
LENGTHS = [[5], [7, 7, 7], [9, 4, 4, 1], [30, 29, 29, 3, 2, 2, 1, 1], [90, 50, 10]]


def tensors(count: int, queries: int | None = None) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    counts = (queries or count, count, count)
    return [torch.randn(n, WIDTH, generator=generator, dtype=torch.float64, requires_grad=True) for n in counts]


def text_by_text(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: list[int], *, first: bool
) -> torch.Tensor:
    outputs, start = [], 0
    for number, length in enumerate(lengths):
        rows = slice(number, number + 1) if first else slice(start, start + length)
        q, k, v = (
            x.view(len(x), HEADS, -1).transpose(0, 1)
            for x in (query[rows], key[start : start + length], value[start : start + length])
        )
        outputs.append(functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1))
        start += length
    return torch.cat(outputs)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("first", [False, True])
def test_each_text_attends_to_itself_alone(lengths: list[int], first: bool) -> None:
    """Outputs and gradients are those of torch's own attention, text by text."""
    inputs = tensors(sum(lengths), len(lengths) if first else None)
    groups = groups_of(np.array(lengths), first_only=first, device=CPU)
    ours = attend(*inputs, groups, heads=HEADS, masks=None, p=0.1)
    theirs = text_by_text(*inputs, lengths, first=first)
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-7)
    above = torch.randn_like(ours)
    for left, right in zip(torch.autograd.grad(ours, inputs, above), torch.autograd.grad(theirs, inputs, above), strict=True):
        assert torch.allclose(left, right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lengths", LENGTHS[1:4])
def test_gradients_with_dropout_are_those_of_the_same_masks(lengths: list[int]) -> None:
    """Against finite differences, which hold the masks fixed."""
    inputs = tensors(sum(lengths))
    groups = groups_of(np.array(lengths), first_only=False, device=CPU)

    def run(*values: torch.Tensor) -> torch.Tensor:
        return attend(*values, groups, heads=HEADS, masks=Masks(4), p=0.3)

    above = torch.randn(sum(lengths), WIDTH, dtype=torch.float64)
    gradients = torch.autograd.grad(run(*inputs), inputs, above)
    generator = torch.Generator().manual_seed(0)
    for index, gradient in enumerate(gradients):
        direction = torch.randn(gradient.shape, generator=generator, dtype=torch.float64)
        moved = [
            [x.detach() + sign * 1e-3 * direction if i == index else x.detach() for i, x in enumerate(inputs)]
            for sign in (1, -1)
        ]
        slope = ((run(*moved[0]) - run(*moved[1])) * above).sum() / 2e-3
        assert slope.item() == pytest.approx((gradient * direction).sum().item(), rel=1e-3, abs=1e-3)


def test_dropout_keeps_the_mean_of_the_outputs() -> None:
    inputs = [x.detach().float() for x in tensors(40)]
    groups = groups_of(np.array([25, 15]), first_only=False, device=CPU)
    masks = Masks(1)
    mean = torch.stack([attend(*inputs, groups, heads=HEADS, masks=masks, p=0.1) for _ in range(4000)]).mean(0)
    without = attend(*inputs, groups, heads=HEADS, masks=None, p=0.1)
    assert (mean - without).abs().max() < 0.06
    assert (mean - without).abs().mean() < 0.006


def test_groups_hold_each_text_once_and_little_padding() -> None:
    lengths = np.sort(np.random.default_rng(0).integers(20, 200, 32))[::-1]
    groups = groups_of(lengths, first_only=False, device=CPU)
    assert sum(group.keys.texts for group in groups) == 32
    computed = sum(group.keys.texts * group.keys.size**2 for group in groups)
    assert (lengths**2).sum() / computed > 0.8
