"""Frozen tensors stay as they are to the last bit; all others learn."""

from __future__ import annotations

import pytest
import torch

from blurb_tune.errors import BlurbTuneError
from blurb_tune.stabilization.freezing import freeze
from blurb_tune.stabilization.strategy import apply_strategy
from blurb_tune.trial import Strategy


@pytest.mark.parametrize("depth", range(5))
def test_frozen_tensors_are_bitwise_unchanged_and_all_others_change(subject, level, depth):
    apply_strategy(subject.model, subject.layers, Strategy(freeze_depth=depth), 0, subject.pretrained)
    before = subject.weights()
    frozen = {name for name in before if depth > 0 and level(name) <= depth}
    assert bool(frozen) == (depth > 0)
    subject.train(5, decay_rate=0.9)
    assert subject.changed(before) == before.keys() - frozen


@pytest.mark.parametrize("depth", range(5))
def test_frozen_tensors_get_no_gradient(subject, level, depth):
    apply_strategy(subject.model, subject.layers, Strategy(freeze_depth=depth), 0, subject.pretrained)
    subject.train(1, gradients_only=True)
    without = {name for name, p in subject.model.named_parameters() if p.grad is None}
    assert without == {name for name, p in subject.model.named_parameters() if not p.requires_grad}
    assert without == {name for name, _ in subject.model.named_parameters() if depth > 0 and level(name) <= depth}


def test_the_embedding_projection_of_electra_is_frozen_with_the_embeddings(new_subject):
    subject = new_subject("electra")
    freeze(subject.model, subject.layers, 1)
    assert not subject.model.electra.embeddings_project.weight.requires_grad


def test_a_leftover_gradient_moves_nothing(subject):
    """AdamW passes over a tensor without a gradient, yet decays and moves one that still has an old one."""
    apply_strategy(subject.model, subject.layers, Strategy(), 0, subject.pretrained)
    optimizer = torch.optim.AdamW(subject.model.parameters(), lr=0.1)
    subject.train(1, gradients_only=True)
    freeze(subject.model, subject.layers, 2)
    before = subject.weights()
    optimizer.step()
    moved = {name for name, p in subject.model.named_parameters() if not p.requires_grad} & subject.changed(before)
    assert not moved
    assert subject.changed(before)


def test_freezing_again_undoes_a_deeper_freeze(subject):
    freeze(subject.model, subject.layers, 4)
    freeze(subject.model, subject.layers, 0)
    assert all(p.requires_grad for p in subject.model.parameters())


@pytest.mark.parametrize("depth", [-1, 5])
def test_depths_out_of_range(subject, depth):
    with pytest.raises(ValueError, match=f"0 <= depth <= 4 must hold, but got depth={depth}"):
        freeze(subject.model, subject.layers, depth)


def test_an_unknown_parameter_raises(subject):
    subject.model.base_model.adapter = torch.nn.Linear(2, 2)
    with pytest.raises(BlurbTuneError, match="adapter"):
        freeze(subject.model, subject.layers, 1)
