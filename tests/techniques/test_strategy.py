"""The techniques together: composable, reproducible, and without effect when they are neutral."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from blurb_tune.models.encoder import build_classifier, restore_weights
from tests.models.encoders import architecture, has_weight_decay, is_pooler

BLOCKS = 4


def test_neutral_strategy_has_the_losses_of_plain_fine_tuning(subject, per_token, plain_train, tmp_path):
    """The reference knows nothing of blurb_tune but the numbers in the head: transformers' own loading, plain AdamW."""
    subject.treat(seed=3)
    subject.model.save_pretrained(tmp_path)
    reference = architecture(per_token).from_pretrained(tmp_path)
    spared = {n for n, _ in reference.named_parameters() if not has_weight_decay(n)}
    groups = [
        {"params": [p for n, p in reference.named_parameters() if n not in spared], "weight_decay": 0.01},
        {"params": [p for n, p in reference.named_parameters() if n in spared], "weight_decay": 0.0},
    ]
    expected = plain_train(reference, torch.optim.AdamW(groups, lr=1e-2), 4, 11, False)
    assert subject.train(4, seed=11) == expected
    assert len(set(expected)) == 4
    weights = subject.weights()
    assert all(torch.equal(p, weights[name]) for name, p in reference.named_parameters())


def test_every_technique_changes_the_losses(subject):
    losses = []
    for axes in ({}, {"freeze_depth": 2}, {"decay_rate": 0.8}, {"reinit_count": 1}):
        subject.treat(**axes)
        losses.append(tuple(subject.train(2)))
    assert len(set(losses)) == 4


def test_all_admissible_pairs_freeze_and_draw_what_they_say(subject, family, level):
    for depth, count in product(range(BLOCKS + 1), repeat=2):
        if depth + count > BLOCKS:
            continue
        restore_weights(subject.model, subject.pretrained)
        before = subject.weights()
        subject.treat(freeze_depth=depth, reinit_count=count)
        drawn = {name for name in before if name not in subject.pretrained.weights}
        if count:
            drawn |= {name for name in before if BLOCKS - count < level(name) <= BLOCKS or is_pooler(name, family)}
        frozen = {name for name, p in subject.model.named_parameters() if not p.requires_grad}
        assert subject.changed(before) == drawn
        assert frozen == {name for name in before if depth > 0 and level(name) <= depth}
        assert not frozen & drawn


def test_strategies_that_make_no_sense_change_nothing(subject):
    before = subject.weights()
    for depth, count in ((3, 2), (5, 0), (0, 5), (-1, 2), (2, -1), (4, 1)):
        with pytest.raises(ValueError, match=rf"must hold, but got (freeze_depth={depth})?(, )?(reinit_count={count})?$"):
            subject.treat(freeze_depth=depth, reinit_count=count)
        assert subject.changed(before) == set()
        assert all(p.requires_grad for p in subject.model.parameters())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_trial_on_a_gpu_starts_from_the_same_weights_each_time(subject, per_token):
    subject.treat(freeze_depth=1, reinit_count=2, seed=5)
    expected = subject.weights()
    subject.model = build_classifier(subject.pretrained, 3, per_token=per_token).to("cuda")
    for _ in range(2):
        state = torch.cuda.get_rng_state()
        subject.treat(freeze_depth=1, reinit_count=2, seed=5)
        assert torch.equal(torch.cuda.get_rng_state(), state)
        assert subject.changed(expected) == set()
        with torch.no_grad():
            for parameter in subject.model.parameters():
                parameter.add_(1)
