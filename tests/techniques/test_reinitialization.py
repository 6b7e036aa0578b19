"""Re-initialization touches pooler and top n blocks, nothing else, and depends on the seed alone."""

from __future__ import annotations

import copy
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
import torch

from blurb_tune.models.encoder import restore_weights
from blurb_tune.models.initialization import init_head, init_module
from blurb_tune.models.layers import LayerMap
from blurb_tune.tasks.kinds import CLASSIFICATION
from blurb_tune.techniques import protocol
from blurb_tune.techniques.reinitialization import Reinitialization
from tests.models.encoders import is_bias_or_norm, is_pooler

BLOCKS = 4
STD = 0.05


def reinitialize(model: torch.nn.Module, layers: LayerMap, count: int, seed: int) -> None:
    """What the technique alone does to a model."""
    subject = protocol.Subject(
        model,
        lambda: layers,
        set(),
        8,
        4,
        CLASSIFICATION.divergence,
        initialize=lambda module: init_module(model, module, seed),
        has_weight_decay=lambda name: True,
        generator=lambda name: None,
    )
    Reinitialization({"reinit_count": count}).prepare(subject)


def test_exactly_the_pooler_and_the_top_blocks_are_touched(subject, family, level):
    for count in range(1, BLOCKS + 1):
        restore_weights(subject.model, subject.pretrained)
        init_head(subject.model, subject.layers, subject.pretrained.weights.keys(), 1)
        before = subject.weights()
        reinitialize(subject.model, subject.layers, count, 2)
        top = {name for name in before if BLOCKS - count < level(name) <= BLOCKS}
        pooler = {name for name in before if is_pooler(name, family)}
        # A pooler that is not pretrained has been drawn with the head: its biases were 0 and are 0 again.
        unmoved = {name for name in pooler if is_bias_or_norm(name) and name not in subject.pretrained.weights}
        assert subject.changed(before) == (top | pooler) - unmoved


@pytest.mark.parametrize("count", [1, 3])
def test_weights_follow_the_distribution_of_the_family(subject, family, level, count):
    """N(0, initializer_range) with biases 0 and norms 1; in ModernBERT cut off, and of three deviations."""
    init_head(subject.model, subject.layers, subject.pretrained.weights.keys(), 0)
    reinitialize(subject.model, subject.layers, count, 0)
    drawn = []
    for name, value in subject.weights().items():
        if level(name) <= BLOCKS - count:
            continue
        if is_bias_or_norm(name):
            assert torch.equal(value, torch.full_like(value, 0.0 if name.endswith("bias") else 1.0)), name
        else:
            drawn.append(value.numpy().ravel() / std(family, name))
    values = np.concatenate(drawn)
    assert len(values) >= count * (4 * 32 * 32 + 2 * 32 * 48)
    expected = scipy.stats.truncnorm(-2, 2) if family == "modernbert" else scipy.stats.norm()
    assert abs(values.mean()) < 4 * expected.std() / len(values) ** 0.5
    assert abs(values.std() / expected.std() - 1) < 4 / (2 * len(values)) ** 0.5
    assert scipy.stats.kstest(values, expected.cdf).pvalue > 0.01


def std(family: str, parameter: str) -> float:
    if family != "modernbert":
        return STD
    if parameter.startswith("classifier."):
        return 32**-0.5
    return STD / (2 * BLOCKS) ** 0.5 if parameter.endswith(("Wo.weight", "head.dense.weight")) else STD


def test_blocks_differ_from_each_other(subject):
    reinitialize(subject.model, subject.layers, 2, 0)
    three, four = (subject.model.get_submodule(*subject.layers.block_modules(block)) for block in (3, 4))
    ours = {name: p for name, p in four.named_parameters() if p.ndim > 1}
    assert not any((three.get_parameter(name) == p).any() for name, p in ours.items())
    squares = [p for p in ours.values() if p.shape == (32, 32)]
    assert all(not (one == other).any() for one, other in combinations(squares, 2))


def test_the_convolution_beside_block_1_is_drawn_with_it(new_subject, per_token):
    for count in (3, 4):
        subject = new_subject("deberta-v2", per_token)
        before = subject.weights()
        reinitialize(subject.model, subject.layers, count, 0)
        assert ("deberta.encoder.conv.conv.weight" in subject.changed(before)) == (count == 4)


def test_the_same_block_is_drawn_whatever_the_count(subject, level):
    """Trials stay paired by seed when they differ in their count."""
    drawn = []
    for count in (1, 2, 4):
        restore_weights(subject.model, subject.pretrained)
        reinitialize(subject.model, subject.layers, count, 8)
        drawn.append(subject.weights())
    for name, value in drawn[0].items():
        if level(name) == BLOCKS:
            assert all(torch.equal(value, other[name]) for other in drawn), name
        if level(name) == BLOCKS - 1:
            assert torch.equal(drawn[1][name], drawn[2][name]), name


def test_the_same_head_is_drawn_whatever_the_count(subject):
    heads = []
    for count in range(1, BLOCKS + 1):
        restore_weights(subject.model, subject.pretrained)
        init_head(subject.model, subject.layers, subject.pretrained.weights.keys(), 8)
        reinitialize(subject.model, subject.layers, count, 8)
        heads.append({n: v for n, v in subject.weights().items() if n not in subject.pretrained.weights})
    assert heads[0]
    assert all(torch.equal(head[name], heads[0][name]) for head in heads for name in heads[0])


def test_seeds_decide_and_the_global_generator_does_not(new_subject, family, per_token, level):
    drawn = []
    for seed, global_seed in ((3, 1), (3, 2), (4, 1)):
        subject = new_subject(family, per_token)
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        init_head(subject.model, subject.layers, subject.pretrained.weights.keys(), seed)
        reinitialize(subject.model, subject.layers, 2, seed)
        assert torch.equal(torch.get_rng_state(), before)
        drawn.append(subject)
    assert drawn[0].changed(drawn[1].weights()) == set()
    matrices = {n for n in drawn[0].changed(new_subject(family, per_token).weights()) if not is_bias_or_norm(n)}
    assert len([name for name in matrices if level(name) <= BLOCKS]) == 2 * {"deberta": 6, "modernbert": 4}.get(family, 6)
    assert drawn[0].changed(drawn[2].weights()) == matrices


def test_only_what_has_no_pretrained_weights_is_drawn_as_head(subject, family):
    before = subject.weights()
    assert {n for n, v in before.items() if v.isnan().any()} == before.keys() - subject.pretrained.weights.keys()
    init_head(subject.model, subject.layers, subject.pretrained.weights.keys(), 0)
    assert subject.changed(before) == before.keys() - subject.pretrained.weights.keys()
    assert not any(v.isnan().any() for v in subject.weights().values())


def test_a_pooler_that_the_checkpoint_has_not_is_drawn_with_the_head(subject, family):
    before = subject.weights()
    without = [name for name in subject.pretrained.weights if not is_pooler(name, family)]
    init_head(subject.model, subject.layers, without, 0)
    assert subject.changed(before) == {name for name in before if name.startswith("classifier.") or is_pooler(name, family)}


def test_a_pooler_is_drawn_module_by_module(new_subject, per_token):
    """A bare ModernBERT has the norm behind its last block and no dense layer: the norm stays as it is."""
    subject = new_subject("modernbert", per_token)
    before = subject.weights()
    without = [name for name in subject.pretrained.weights if not name.startswith("head.")]
    init_head(subject.model, subject.layers, without, 0)
    assert subject.changed(before) == {"head.dense.weight", "head.norm.weight", "classifier.weight", "classifier.bias"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gets_the_numbers_of_the_cpu(subject):
    on_gpu = copy.deepcopy(subject.model).to("cuda")
    for model in (subject.model, on_gpu):
        init_head(model, subject.layers, subject.pretrained.weights.keys(), 5)
        reinitialize(model, subject.layers, 2, 5)
    assert subject.changed({name: p.detach().cpu() for name, p in on_gpu.named_parameters()}) == set()
