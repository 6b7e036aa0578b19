"""Child-tuning masks gradients behind their clipping, element by element."""

from __future__ import annotations

import pytest
import torch

from blurb_tune.core.seeds import derive
from blurb_tune.training.engines.dropout import Masks
from tests.techniques.slots import Slot, measure

SHARE = 0.3


def test_gradients_are_masked_and_rescaled(subject):
    treatment = subject.treat(child_share=SHARE, seed=3)
    subject.train(1, gradients_only=True)
    masks, kept, elements = Masks(derive(3, "technique", "child")), 0, 0
    before = {name: p.grad.clone() for name, p in subject.model.named_parameters() if p.grad is not None}
    treatment.before_update({})
    for name, parameter in subject.model.named_parameters():
        if name in before:
            stays, _ = masks.draw(parameter.shape, 1 - SHARE)
            assert torch.allclose(parameter.grad, torch.where(stays, before[name] / SHARE, 0.0), rtol=1e-3), name
            kept, elements = kept + int(stays.sum()), elements + stays.numel()
    assert kept / elements == pytest.approx(SHARE, abs=4 * (SHARE / elements) ** 0.5)


def test_momentum_goes_on_where_a_gradient_does_not_count(new_subject):
    """As in the authors' optimizer: an element that is masked in the second step moves by what Adam remembers of the first."""
    subject = new_subject("bert")
    treatment = subject.treat(child_share=SHARE)
    optimizer = torch.optim.AdamW(subject.groups(weight_decay=0.0))
    subject.train(1, gradients_only=True)
    optimizer.step()
    before = subject.weights()
    treatment.before_update({})
    masked = {name: p.grad == 0 for name, p in subject.model.named_parameters() if p.grad is not None}
    optimizer.step()
    name = "bert.encoder.layer.3.output.dense.weight"
    assert (subject.weights()[name] != before[name])[masked[name]].float().mean() > 0.9


def test_norms_are_measured_before(per_token):
    """The first step's gradient is that of vanilla fine-tuning."""
    slot, norms = Slot("bert", per_token), []
    for axes in ({}, {"child_share": SHARE}):
        trial = slot.start(**axes)
        measure(trial, lambda trial=trial: norms.append(trial._norms[0].item()))
    assert norms[0] == norms[-1]
