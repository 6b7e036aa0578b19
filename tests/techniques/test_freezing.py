"""Frozen tensors stay as they are to the last bit; all others learn."""

from __future__ import annotations

import pytest
import torch

from blurb_tune.core.errors import BlurbTuneError
from tests.models.encoders import is_idle


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_frozen_tensors_are_bitwise_unchanged_and_all_others_change(subject, family, level, depth):
    subject.treat(freeze_depth=depth)
    before = subject.weights()
    frozen = {name for name in before if depth > 0 and level(name) <= depth}
    assert bool(frozen) == (depth > 0)
    subject.train()
    assert subject.changed(before) == {name for name in before if name not in frozen and not is_idle(name, family)}


def test_frozen_tensors_get_no_gradient(subject, family, level):
    for depth in (0, 1, 4):
        subject.treat(freeze_depth=depth)
        subject.model.zero_grad(set_to_none=True)
        subject.train(1, gradients_only=True)
        without = {name for name, p in subject.model.named_parameters() if p.grad is None and not is_idle(name, family)}
        assert without == {name for name, p in subject.model.named_parameters() if not p.requires_grad}
        assert without == {name for name, _ in subject.model.named_parameters() if depth > 0 and level(name) <= depth}


@pytest.mark.parametrize(
    ("family", "parameter"),
    [
        ("electra", "electra.embeddings_project.weight"),
        ("deberta", "deberta.encoder.rel_embeddings.weight"),
        ("deberta-v2", "deberta.encoder.rel_embeddings.weight"),
        ("deberta-v2", "deberta.encoder.LayerNorm.weight"),
        ("deberta-v2", "deberta.encoder.conv.conv.weight"),
        ("mpnet", "mpnet.encoder.relative_attention_bias.weight"),
    ],
)
def test_what_block_1_reads_is_frozen_with_it(new_subject, per_token, family, parameter):
    subject = new_subject(family, per_token)
    subject.treat(freeze_depth=1)
    assert not subject.model.get_parameter(parameter).requires_grad


def test_with_all_blocks_frozen_the_top_one_goes_on_giving_the_same(new_subject, family, per_token):
    subject = new_subject(family, per_token)
    subject.treat(freeze_depth=4)
    outputs = []
    top = subject.model.get_submodule(subject.layers.block_modules(4)[0])
    top.register_forward_hook(lambda _, inputs, output: outputs.append(output[0] if isinstance(output, tuple) else output))
    with torch.no_grad():
        subject.model.eval()(torch.arange(5, 17)[None])
    subject.train(3)
    with torch.no_grad():
        subject.model.eval()(torch.arange(5, 17)[None])
    assert len(outputs) == 5
    assert torch.equal(outputs[0], outputs[-1])


def test_a_leftover_gradient_moves_nothing(subject):
    """AdamW passes over a tensor without a gradient, yet decays and moves one that still has an old one."""
    subject.treat()
    optimizer = torch.optim.AdamW(subject.model.parameters(), lr=0.1)
    subject.train(1, gradients_only=True)
    frozen = subject.treat(freeze_depth=2)
    subject.train(1, gradients_only=True)
    before = subject.weights()
    optimizer.step()
    still = {name for name in before if frozen.rate_factor(name) == 0}
    assert still == {name for name, p in subject.model.named_parameters() if not p.requires_grad}
    assert not still & subject.changed(before)
    assert subject.changed(before)


def test_freezing_again_undoes_a_deeper_freeze(subject):
    subject.treat(freeze_depth=4)
    subject.treat(freeze_depth=0)
    assert all(p.requires_grad for p in subject.model.parameters())


def test_depths_out_of_range(subject):
    before = subject.weights()
    for depth, rule in ((-1, "`0 <= freeze_depth`"), (5, "`freeze_depth <= 4`")):
        with pytest.raises(ValueError, match=f"{rule} must hold, but got freeze_depth={depth}"):
            subject.treat(freeze_depth=depth)
        assert subject.changed(before) <= before.keys() - subject.pretrained.weights.keys(), "the head alone"


def test_an_unknown_parameter_raises(new_subject, family, per_token):
    subject = new_subject(family, per_token)
    treatment = subject.treat(freeze_depth=1)
    subject.model.base_model.adapter = torch.nn.Linear(2, 2)
    with pytest.raises(BlurbTuneError, match="adapter"):
        treatment.freeze(subject.model)
