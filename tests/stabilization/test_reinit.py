"""Re-initialisation touches pooler and top n blocks, nothing else, and depends on the seed alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import scipy.stats
import torch

from blurb_tune.stabilization.reinit import draw_head, reinitialise

BLOCKS = 4
POOLER = {"bert": "bert.pooler.dense"}
STD = 0.05


def pooler_of(family: str) -> str:
    return POOLER.get(family, "classifier.dense")


@pytest.mark.parametrize("count", range(BLOCKS + 1))
def test_exactly_the_pooler_and_the_top_blocks_are_touched(subject, family, level, count):
    draw_head(subject.model, subject.layers, subject.pretrained.weights.keys(), 1)
    before = subject.weights()
    reinitialise(subject.model, subject.layers, count, 2)
    top = {name for name in before if BLOCKS - count < level(name) <= BLOCKS}
    pooler = {f"{pooler_of(family)}.weight", f"{pooler_of(family)}.bias"}
    expected = top | pooler if count else set()
    # The counterpart of the pooler in a head has been drawn before: its bias was 0 and is 0 again.
    unmoved = {f"{pooler_of(family)}.bias"} if family != "bert" else set()
    assert subject.changed(before) == expected - unmoved


@pytest.mark.parametrize("count", [1, 3])
def test_weights_follow_the_distribution_of_the_family(subject, family, level, count):
    draw_head(subject.model, subject.layers, subject.pretrained.weights.keys(), 0)
    reinitialise(subject.model, subject.layers, count, 0)
    drawn = []
    for name, value in subject.weights().items():
        is_drawn = level(name) > BLOCKS - count
        if is_drawn and name.endswith(".bias"):
            assert torch.equal(value, torch.zeros_like(value)), name
        elif is_drawn and ".LayerNorm." in name:
            assert torch.equal(value, torch.ones_like(value)), name
        elif is_drawn:
            drawn.append(value.numpy().ravel())
    values = np.concatenate(drawn)
    assert len(values) >= count * (4 * 32 * 32 + 2 * 32 * 48) + 32 * 32
    assert abs(values.mean()) < 4 * STD / len(values) ** 0.5
    assert abs(values.std() / STD - 1) < 4 / (2 * len(values)) ** 0.5
    assert scipy.stats.kstest(values / STD, "norm").pvalue > 0.01


def test_blocks_differ_from_each_other(subject):
    reinitialise(subject.model, subject.layers, 2, 0)
    three, four = (subject.model.get_submodule(subject.layers.block_module(block)) for block in (3, 4))
    assert not (three.output.dense.weight == four.output.dense.weight).any()
    assert not (four.attention.self.query.weight == four.attention.self.key.weight).any()


def test_the_same_block_is_drawn_whatever_the_count(new_subject, family, level):
    """Trials stay paired by seed when they differ in their count."""
    drawn = []
    for count in (1, 2, 4):
        subject = new_subject(family)
        reinitialise(subject.model, subject.layers, count, 8)
        drawn.append(subject.weights())
    for name, value in drawn[0].items():
        if level(name) == BLOCKS:
            assert all(torch.equal(value, other[name]) for other in drawn), name
        if level(name) == BLOCKS - 1:
            assert torch.equal(drawn[1][name], drawn[2][name]), name


def test_the_same_head_is_drawn_whatever_the_count(new_subject, family):
    heads = []
    for count in range(BLOCKS + 1):
        subject = new_subject(family)
        draw_head(subject.model, subject.layers, subject.pretrained.weights.keys(), 8)
        reinitialise(subject.model, subject.layers, count, 8)
        heads.append({n: v for n, v in subject.weights().items() if n not in subject.pretrained.weights})
    assert heads[0]
    assert all(torch.equal(head[name], heads[0][name]) for head in heads for name in heads[0])


def test_seeds_decide_and_the_global_generator_does_not(new_subject, family):
    drawn = []
    for seed, global_seed in ((3, 1), (3, 2), (4, 1)):
        subject = new_subject(family)
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        draw_head(subject.model, subject.layers, subject.pretrained.weights.keys(), seed)
        reinitialise(subject.model, subject.layers, 2, seed)
        assert torch.equal(torch.get_rng_state(), before)
        drawn.append(subject)
    assert drawn[0].changed(drawn[1].weights()) == set()
    matrices = {n for n in drawn[0].changed(new_subject(family).weights()) if n.endswith("weight") and "LayerNorm" not in n}
    assert len(matrices) == 2 * 6 + 2
    assert drawn[0].changed(drawn[2].weights()) == matrices


def test_only_what_has_no_pretrained_weights_is_drawn_as_head(subject, family):
    before = subject.weights()
    assert {n for n, v in before.items() if v.isnan().any()} == before.keys() - subject.pretrained.weights.keys()
    draw_head(subject.model, subject.layers, subject.pretrained.weights.keys(), 0)
    assert subject.changed(before) == before.keys() - subject.pretrained.weights.keys()
    assert not any(v.isnan().any() for v in subject.weights().values())


def test_a_pooler_that_the_checkpoint_has_not_is_drawn_with_the_head(new_subject):
    subject = new_subject("bert")
    before = subject.weights()
    without = [name for name in subject.pretrained.weights if "pooler" not in name]
    draw_head(subject.model, subject.layers, without, 0)
    pooler = {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert subject.changed(before) == {"classifier.weight", "classifier.bias"} | pooler


@pytest.mark.parametrize("count", [-1, BLOCKS + 1])
def test_counts_out_of_range(subject, count):
    before = subject.weights()
    with pytest.raises(ValueError, match=f"0 <= count <= 4 must hold, but got count={count}"):
        reinitialise(subject.model, subject.layers, count, 0)
    assert subject.changed(before) == set()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gets_the_numbers_of_the_cpu(subject):
    on_gpu = copy.deepcopy(subject.model).to("cuda")
    for model in (subject.model, on_gpu):
        draw_head(model, subject.layers, subject.pretrained.weights.keys(), 5)
        reinitialise(model, subject.layers, 2, 5)
    assert subject.changed({name: p.detach().cpu() for name, p in on_gpu.named_parameters()}) == set()
