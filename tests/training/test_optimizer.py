from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from blurb_tune.training.optimizer import Schedule, ScheduledAdamW

BETAS = (0.9, 0.999)
WARM, FLAT = Schedule(8, 0.25), Schedule(8)
NAMES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


@pytest.mark.parametrize("kind", NAMES)
@given(total=st.integers(1, 500), warmup=st.floats(0, 0.99))
def test_the_schedule_is_that_of_transformers_at_every_step(kind: str, total: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = get_scheduler(NAMES[kind], optimizer, math.ceil(total * warmup), total).lr_lambdas[0]
    schedule = Schedule(total, warmup, kind)
    for step in range(1, total + 1):
        assert schedule.factor(step) == pytest.approx(reference(step - 1), abs=1e-12)


def groups(parameters: list[torch.nn.Parameter]) -> list[dict[str, Any]]:
    return [
        {"params": parameters[:1], "lr": 0.01, "weight_decay": 0.1},
        {"params": parameters[1:], "lr": 0.002, "weight_decay": 0.0},
    ]


def draw(seed: int, scale: float) -> tuple[list[torch.nn.Parameter], list[list[torch.Tensor]]]:
    """Two parameters, and their gradients of size `scale` in eight steps."""
    generator = torch.Generator().manual_seed(seed)
    parameters = [torch.nn.Parameter(torch.randn(4, 3, generator=generator)) for _ in range(2)]
    gradients = [[scale * torch.randn(4, 3, generator=generator) for _ in range(2)] for _ in range(8)]
    return parameters, gradients


def run(bias_correction: bool, scale: float = 1.0) -> list[torch.Tensor]:
    parameters, gradients = draw(0, scale)
    optimizer = ScheduledAdamW(groups(parameters), WARM, bias_correction=bias_correction)
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
        assert all(parameter.grad is None for parameter in parameters)
    return [parameter.detach() for parameter in parameters]


def reference(bias_correction: bool, scale: float) -> list[torch.Tensor]:
    """AdamW and BERTAdam, each with its own epsilon, spelled out in double precision."""
    parameters, gradients = draw(0, scale)
    epsilon = 1e-8 if bias_correction else 1e-6
    values = [p.detach().double() for p in parameters]
    first, second = [torch.zeros_like(v) for v in values], [torch.zeros_like(v) for v in values]
    settings = [(group["lr"], group["weight_decay"]) for group in groups(parameters)]
    for t, step in enumerate(gradients, start=1):
        factor = WARM.factor(t)
        for index, (rate, decay) in enumerate(settings):
            gradient = step[index].double()
            first[index] = BETAS[0] * first[index] + (1 - BETAS[0]) * gradient
            second[index] = BETAS[1] * second[index] + (1 - BETAS[1]) * gradient**2
            m, v = first[index], second[index]
            if bias_correction:
                m, v = m / (1 - BETAS[0] ** t), v / (1 - BETAS[1] ** t)
            values[index] = values[index] - rate * factor * (m / (v.sqrt() + epsilon) + decay * values[index])
    return [value.float() for value in values]


@pytest.mark.parametrize("scale", [1.0, 1e-5, 1e-7], ids=lambda scale: f"gradients of {scale:g}")
@pytest.mark.parametrize("bias_correction", [True, False])
def test_steps_equal_the_formulas(bias_correction: bool, scale: float) -> None:
    """Among small gradients the epsilon tells."""
    for found, expected in zip(run(bias_correction, scale), reference(bias_correction, scale), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(run(True)[0], run(False)[0], atol=1e-4)


@pytest.mark.parametrize("bias_correction", [True, False])
def test_a_parameter_that_learns_later_takes_steps_as_if_it_were_its_first(bias_correction: bool) -> None:
    """It rests while it has no gradient: no decay, no moments. BERTAdam's first step is (1 - b1) g / ((1 - b2)^0.5 |g|)."""
    parameters, gradients = draw(0, 1.0)
    optimizer = ScheduledAdamW(groups(parameters), FLAT, bias_correction=bias_correction)
    late = parameters[0].detach().clone()
    for step, gradient in enumerate(gradients, start=1):
        parameters[1].grad = gradient[1].clone()
        if step >= 4:
            parameters[0].grad = gradient[0].clone()
        optimizer.step()
        assert torch.equal(parameters[0], late) == (step < 4)
        if step == 4:
            rate = 0.01 * FLAT.factor(4)
            size = 1.0 if bias_correction else 0.1 / 0.001**0.5
            expected = late - rate * (size * gradient[0].sign() + 0.1 * late)
            assert torch.allclose(parameters[0], expected, rtol=1e-3)


def test_shrinkage_is_that_of_the_steps_with_a_gradient() -> None:
    parameters, gradients = draw(0, 1.0)
    optimizer = ScheduledAdamW(groups(parameters), WARM, watched=parameters[0])
    expected = 1.0
    for step, gradient in enumerate(gradients, start=1):
        parameters[1].grad = gradient[1].clone()
        if step % 2:
            parameters[0].grad = gradient[0].clone()
            expected *= 1 - 0.01 * 0.1 * WARM.factor(step)
        optimizer.step()
    assert optimizer.shrinkage == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("betas", "epsilon"), [((0.8, 0.98), None), ((0.9, 0.999), 1e-4)])
def test_betas_and_epsilon_are_adam_s(betas: tuple[float, float], epsilon: float | None) -> None:
    parameters, gradients = draw(0, 1e-3)
    others, _ = draw(0, 1e-3)
    ours = ScheduledAdamW(groups(parameters), Schedule(8, kind="constant"), betas=betas, epsilon=epsilon)
    theirs = torch.optim.AdamW(groups(others), betas=betas, eps=epsilon or 1e-8)
    for gradient in gradients:
        for parameter, other, value in zip(parameters, others, gradient, strict=True):
            parameter.grad, other.grad = value.clone(), value.clone()
        ours.step()
        theirs.step()
    assert all(torch.allclose(ours_, theirs_, rtol=1e-6) for ours_, theirs_ in zip(parameters, others, strict=True))
