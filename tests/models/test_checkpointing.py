"""Gradient checkpointing recomputes blocks and changes no number."""

from __future__ import annotations

import pytest
import torch

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.encoder import build_classifier
from blurb_tune.models.families import FAMILIES
from blurb_tune.models.layers import layer_map
from tests.models.encoders import is_idle, level, make_model, make_pretrained

TOKENS = torch.tensor([[2, 9, 8, 7, 3], [2, 30, 31, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]])
SUPPORTED = [family for family in FAMILIES if FAMILIES[family].checkpointing]


def gradients(family: str, per_token: bool, checkpointing: bool, *, frozen: int = 0, dropout: bool = False):
    """Loss, gradients by name, and how often the layers of each block ran in one training step."""
    pretrained = make_pretrained(family)
    model = build_classifier(pretrained, 3, per_token=per_token, gradient_checkpointing=checkpointing).train()
    runs = dict.fromkeys(range(1, 4), 0)
    for block in runs:
        (linear, *_) = (
            module
            for name in layer_map(model).block_modules(block)
            for module in model.get_submodule(name).modules()
            if isinstance(module, torch.nn.Linear)
        )

        def count(*_: object, block: int = block) -> None:
            runs[block] += 1

        linear.register_forward_hook(count)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout) and not dropout:
            module.p = 0.0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            torch.nan_to_num_(parameter, 0.1)
            parameter.requires_grad_(not (frozen and level(name, 3) <= frozen))
    labels = torch.arange(10).reshape(2, 5) % 3 if per_token else torch.tensor([0, 2])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        loss = model(TOKENS, attention_mask=MASK, labels=labels).loss
        loss.backward()
    return loss.item(), {name: p.grad for name, p in model.named_parameters()}, runs


@pytest.mark.parametrize("family", SUPPORTED)
@pytest.mark.parametrize("dropout", [False, True], ids=["no dropout", "dropout"])
@pytest.mark.parametrize("frozen", [0, 2])
def test_gradients_are_those_without(family, per_token, frozen, dropout):
    """Frozen blocks are not run twice: there is nothing to compute gradients for."""
    expected_loss, expected, once = gradients(family, per_token, False, frozen=frozen, dropout=dropout)
    loss, found, runs = gradients(family, per_token, True, frozen=frozen, dropout=dropout)
    assert loss == expected_loss
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        assert (gradient is None) == (expected[name] is None), name
        assert (gradient is None) == (is_idle(name, family) or (frozen > 0 and level(name, 3) <= frozen)), name
        assert gradient is None or torch.allclose(gradient, expected[name], rtol=1e-4, atol=1e-7), name
    assert runs == {block: count * (2 if block > frozen else 1) for block, count in once.items()}


@pytest.mark.parametrize("family", SUPPORTED)
def test_evaluation_goes_on_without_gradients(family):
    logits = []
    for checkpointing in (False, True):
        model = build_classifier(make_pretrained(family), 2, gradient_checkpointing=checkpointing).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                torch.nan_to_num_(parameter, 0.1)
        with torch.inference_mode():
            logits.append(model(TOKENS, attention_mask=MASK).logits)
    assert torch.equal(*logits)


def test_a_family_without_it_is_refused(per_token):
    with pytest.raises(BlurbTuneError, match="gradient checkpointing is not possible with models of the family 'mpnet'"):
        build_classifier(make_pretrained("mpnet"), 2, per_token=per_token, gradient_checkpointing=True)


def test_the_table_says_what_transformers_says(family):
    assert FAMILIES[family].checkpointing == make_model(family).supports_gradient_checkpointing
