"""Mixout beside the formula, with the gradient that autograd finds for it."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call

from blurb_tune.core.seeds import derive
from blurb_tune.training.engines.dropout import Masks

P = 0.4
TOKENS = torch.arange(5, 29).view(2, 12)


def learned(subject, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights some way off the pretrained ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in subject.model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return {name: p.detach().clone().requires_grad_() for name, p in subject.model.named_parameters()}


def matrices(subject, level) -> list[str]:
    """The pretrained ones of blocks and pooler, in the order of the model."""
    found = {name: p for name, p in subject.model.named_parameters() if name in subject.pretrained.weights}
    return [name for name, p in found.items() if p.ndim == 2 and level(name) > 0]


def mixed(subject, weights: dict[str, torch.Tensor], names: list[str], masks: Masks) -> dict[str, torch.Tensor]:
    """(m w + (1 - m) u - p u) / (1 - p), as the paper writes it."""
    found = dict(weights)
    for name in names:
        stays, scale = masks.draw((weights[name].shape[1],), P)
        m, p, u = stays.float(), 1 - 1 / scale, torch.tensor(subject.pretrained.weights[name])
        found[name] = (m * weights[name] + (1 - m) * u - p * u) / (1 - p)
    return found


def test_outputs_and_gradients_are_those_of_the_formula(subject, level):
    treatment = subject.treat(mixout=P, seed=7)
    weights, names = learned(subject), matrices(subject, level)
    assert names
    masks = Masks(derive(7, "technique", "mixout"))
    subject.model.eval()  # without dropout
    for step in (1, 2):
        treatment.before_step(step)
        loss = subject.model(TOKENS).logits.square().mean()
        loss.backward()
        treatment.after_backward()
        expected = functional_call(subject.model, mixed(subject, weights, names, masks), (TOKENS,)).logits.square().mean()
        gradients = torch.autograd.grad(expected, list(weights.values()), allow_unused=True)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
        for (name, parameter), gradient in zip(subject.model.named_parameters(), gradients, strict=True):
            assert torch.equal(parameter, weights[name]), "the weights are as they were"
            if gradient is not None:
                assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-5), name
        subject.model.zero_grad(set_to_none=True)


def test_whole_columns_are_swapped_and_weights_are_right_on_average(new_subject, level):
    subject = new_subject("bert")
    treatment = subject.treat(mixout=P)
    weights, names, swapped, total = learned(subject), matrices(subject, level), [], 0
    sums = {name: torch.zeros_like(weights[name]) for name in names}
    for step in range(100):
        treatment.before_step(step)
        for name, parameter in subject.model.named_parameters():
            if name not in names:
                assert torch.equal(parameter, weights[name]), name
                continue
            is_pretrained = parameter == torch.tensor(subject.pretrained.weights[name])
            assert torch.equal(is_pretrained.all(0), is_pretrained.any(0))
            swapped.append(is_pretrained.all(0).float().mean().item())
            sums[name] += parameter.detach()
            total += 1
        treatment.after_backward()
    assert sum(swapped) / total == pytest.approx(P, abs=0.01)
    for name, of in sums.items():
        scale = (weights[name] - torch.tensor(subject.pretrained.weights[name])).abs().max()
        assert (of / 100 - weights[name]).abs().max() < 6 * scale * (P / (1 - P) / 100) ** 0.5


def test_what_is_frozen_or_freshly_drawn_has_none(new_subject, level):
    subject = new_subject("bert")
    treatment = subject.treat(mixout=P, freeze_depth=1, reinit_count=2)
    weights = learned(subject)
    treatment.before_step(1)
    moved = {name for name, p in subject.model.named_parameters() if not torch.equal(p, weights[name])}
    assert {level(name) for name in moved} <= {1, 2}
    assert 2 in {level(name) for name in moved}
