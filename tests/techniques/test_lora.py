"""LoRA beside its formula and peft's own merge; a model that had it is the one that it was."""

from __future__ import annotations

import pytest
import torch

from blurb_tune.models.families import family_of
from blurb_tune.techniques.registry import NEUTRAL, conflicts, nearest_feasible
from tests.models.encoders import is_idle

TARGETS = {"deberta": 1, "modernbert": 1}  # projections per block that are one matrix for all three; 2 in other families


def begin(subject, **axes):
    """With some change learned: B is 0 at first."""
    treatment = subject.treat(lora_rank=3, lora_alpha=12.0, **axes)
    with torch.no_grad():
        for name, parameter in subject.model.named_parameters():
            if ".lora_B." in name:
                parameter.copy_(torch.linspace(-0.1, 0.1, parameter.numel()).view(parameter.shape))
    return treatment


def test_the_model_is_as_before_until_something_is_learned(subject):
    tokens = torch.arange(5, 29).view(2, 12)
    subject.treat(seed=1)
    with torch.no_grad():
        expected = subject.model.eval()(tokens).logits
        subject.treat(seed=1, lora_rank=4)
        assert torch.equal(subject.model.eval()(tokens).logits, expected)


def test_the_adapters_and_the_head_learn_and_nothing_else(subject, family, per_token):
    subject.treat(lora_rank=4)
    before = subject.weights()
    adapters = {name for name in before if ".lora_" in name}
    assert len(adapters) == 2 * 4 * TARGETS.get(family, 2)
    subject.train(5)
    drawn = {n for n in before if n not in adapters and n.replace(".base_layer.", ".") not in subject.pretrained.weights}
    assert subject.changed(before) == {name for name in adapters | drawn if not is_idle(name, family)}


def test_merged_weights_are_the_formula_and_peft_s_own(subject):
    treatment = begin(subject)
    merged = treatment.export({name: p.detach().clone() for name, p in subject.model.named_parameters()})
    layers = {name: module for name, module in subject.model.named_modules() if hasattr(module, "lora_A")}
    assert layers
    for name, module in layers.items():
        a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
        expected = module.base_layer.weight + 12.0 / 3 * b @ a
        assert torch.allclose(merged[f"{name}.weight"], expected)
        assert torch.allclose(merged[f"{name}.weight"], module.base_layer.weight + module.get_delta_weight("default"))


def test_outputs_are_those_of_the_merged_weights(subject):
    tokens = torch.arange(5, 29).view(2, 12)
    treatment = begin(subject)
    merged = treatment.export({name: p.detach().clone() for name, p in subject.model.named_parameters()})
    with torch.no_grad():
        ours = subject.model.eval()(tokens).logits
        subject.treat()
        assert merged.keys() == dict(subject.model.named_parameters()).keys()
        subject.model.load_state_dict(merged, strict=False)
        assert torch.allclose(subject.model.eval()(tokens).logits, ours, rtol=1e-4, atol=1e-5)


def test_the_model_gets_its_own_modules_back(subject):
    modules, facts = dict(subject.model.named_modules()), set(vars(subject.model))
    subject.treat(lora_rank=4)
    assert dict(subject.model.named_modules()).keys() != modules.keys()
    subject.treat()
    after = dict(subject.model.named_modules())
    assert list(after) == list(modules)
    assert all(after[name] is module for name, module in modules.items())
    assert set(vars(subject.model)) == facts


def test_frozen_blocks_get_no_adapters(subject, family):
    subject.treat(lora_rank=2, freeze_depth=3)
    adapters = [name for name, _ in subject.model.named_parameters() if ".lora_A." in name]
    assert len(adapters) == TARGETS.get(family, 2)
    assert all(name.startswith(f"{family_of(family).blocks}.3.") for name in adapters)


def test_a_block_must_be_left_that_can_learn():
    values = NEUTRAL | {"lora_rank": 2, "freeze_depth": 4}
    assert list(conflicts(values, 4)) == ["`freeze_depth < 4` must hold"]
    assert nearest_feasible(values, 4) == NEUTRAL | {"freeze_depth": 4}


def test_the_same_seed_draws_the_same_adapters_and_leaves_the_global_generator_alone(new_subject):
    drawn = []
    for seed, of_torch in ((3, 1), (3, 2), (4, 1)):
        torch.manual_seed(of_torch)
        before, subject = torch.get_rng_state(), new_subject("bert")
        before = torch.get_rng_state()
        subject.treat(lora_rank=8, seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        drawn.append(torch.cat([p.flatten() for n, p in subject.model.named_parameters() if ".lora_A." in n]))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    bound = 32**-0.5
    assert drawn[0].abs().max() <= bound
    assert drawn[0].std().item() == pytest.approx(bound / 3**0.5, rel=0.05), "uniform"


def test_dropout_is_on_the_change_alone(new_subject):
    subject = new_subject("bert")
    begin(subject, lora_dropout=0.5)
    found = [m for m in subject.model.modules() if hasattr(m, "lora_A")]
    assert all(module.lora_dropout["default"].p == 0.5 for module in found)
