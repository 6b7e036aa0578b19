"""Decay toward the pretrained weights is AdamW's own decay of the difference from them."""

from __future__ import annotations

import pytest
import torch

from blurb_tune.training.optimizer import Schedule, ScheduledAdamW

STEPS, RATE, DECAY = 6, 1e-2, 0.3


def gradients(names: list[str], shapes: dict[str, torch.Size], step: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return {name: torch.randn(shapes[name], generator=generator) for name in names}


@pytest.mark.parametrize("decay_rate", [1.0, 0.5])
def test_it_is_adamw_of_the_difference(subject, family, level, decay_rate):
    """The reference: torch's AdamW on w - u, which begins at 0 and has a weight decay toward 0."""
    treatment = subject.treat(pretrained_decay=DECAY, decay_rate=decay_rate)
    names = {parameter: name for name, parameter in subject.model.named_parameters()}
    optimizer = ScheduledAdamW(subject.groups(learning_rate=RATE, weight_decay=0.1), Schedule(STEPS))
    begun = {name: p.detach().clone() for p, name in names.items()}
    pretrained = [name for name in begun if name in subject.pretrained.weights]
    differences = {name: torch.zeros_like(begun[name]).requires_grad_() for name in pretrained}
    flat = [name for name in pretrained if begun[name].ndim == 1 or "relative_attention_bias" in name]
    rates = {name: RATE * decay_rate ** (5 - level(name)) for name in pretrained}
    reference = torch.optim.AdamW(
        [{"params": [differences[n]], "lr": rates[n], "weight_decay": 0.0 if n in flat else DECAY} for n in pretrained]
    )
    for step in range(1, STEPS + 1):
        given = gradients(list(begun), {name: value.shape for name, value in begun.items()}, step)
        for parameter, name in names.items():
            parameter.grad = given[name].clone()
        treatment.before_update(optimizer.next_rates(names))
        optimizer.step()
        for group, name in zip(reference.param_groups, pretrained, strict=True):
            group["lr"] = rates[name] * Schedule(STEPS).factor(step)
            differences[name].grad = given[name].clone()
        reference.step()
    for parameter, name in names.items():
        if name in pretrained:
            assert torch.allclose(parameter, begun[name] + differences[name], rtol=1e-5, atol=1e-6), name


def test_the_head_keeps_its_decay_towards_zero(subject):
    subject.treat(pretrained_decay=DECAY, reinit_count=1)
    names = {parameter: name for name, parameter in subject.model.named_parameters()}
    decayed = {names[p] for group in subject.groups() if group["weight_decay"] > 0 for p in group["params"]}
    assert "classifier.weight" in decayed or "classifier.out_proj.weight" in decayed
    assert any(name.startswith(subject.layers.block_modules(4)[0]) for name in decayed), "what is re-initialized"
    assert not any(name.startswith(subject.layers.block_modules(3)[0]) for name in decayed)


def test_what_has_no_weight_decay_is_not_pulled_either(subject):
    pretrained = {name for name, _ in subject.model.named_parameters()} & subject.pretrained.weights.keys()
    norms = {name for name in pretrained if "norm" in name.split(".")[-2].lower()}
    for excluded, pulled in (("layer_norm", pretrained - norms), ("none", pretrained)):
        treatment = subject.treat(pretrained_decay=DECAY, no_weight_decay=excluded)
        assert {name for name in pretrained if not treatment.has_weight_decay(name)} == pulled


def test_a_strong_pull_holds_the_weights(new_subject):
    moved = []
    for decay in (0.0, 20.0):
        subject = new_subject("bert")
        treatment = subject.treat(pretrained_decay=decay)
        names = {parameter: name for name, parameter in subject.model.named_parameters()}
        optimizer = ScheduledAdamW(subject.groups(), Schedule(40))
        before = subject.weights()
        for _ in range(40):
            for parameter in names:
                parameter.grad = torch.sign(torch.sin(torch.arange(parameter.numel()) + 1.0)).view(parameter.shape)
            treatment.before_update(optimizer.next_rates(names))
            optimizer.step()
        name = "bert.encoder.layer.0.output.dense.weight"
        moved.append((subject.weights()[name] - before[name]).abs().max().item())
    assert moved[1] < moved[0] / 3
