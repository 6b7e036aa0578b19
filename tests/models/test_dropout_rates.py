"""Dropout rates that are set in place are those of a model that transformers builds with them."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import PreTrainedModel

from blurb_tune.models.dropout_rates import set_dropout
from blurb_tune.models.encoder import build_classifier
from tests.models.encoders import FAMILIES, architecture, make_pretrained

TOKENS = torch.tensor([[2, 9, 8, 7, 3], [2, 30, 31, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]])
HIDDEN, ATTENTION, HEAD = 0.25, 0.125, 0.375

# What a family's config calls the rates, as in transformers' documentation of it.
HIDDEN_KEYS = {"modernbert": ("embedding_dropout", "mlp_dropout"), "distilbert": ("dropout",)}
ATTENTION_KEYS = {"modernbert": ("attention_dropout",), "distilbert": ("attention_dropout",)}
HEAD_KEYS = {"distilbert": "seq_classif_dropout", "deberta": "cls_dropout", "deberta-v2": "cls_dropout"}
# Of these, configs have no rate for the head: it has that of the hidden states.
WITHOUT_KEY = {("mpnet", False): "classifier.dropout", ("mpnet", True): "dropout"} | {
    (family, True): "dropout" for family in HEAD_KEYS
}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["text", "token"])
def per_token(request: pytest.FixtureRequest) -> bool:
    return request.param


def build(family: str, per_token: bool) -> PreTrainedModel:
    model, generator = build_classifier(make_pretrained(family), 3, per_token=per_token), torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.isnan().any():  # the head, which nobody has drawn
                parameter.normal_(0, 0.2, generator=generator)
    return model


def reference(
    model: PreTrainedModel, family: str, per_token: bool, hidden: float | None, attention: float | None, head: float | None
) -> PreTrainedModel:
    """By transformers alone, with the weights of `model`."""
    config = copy.deepcopy(model.config)
    changes = dict.fromkeys(HIDDEN_KEYS.get(family, ("hidden_dropout_prob",)), hidden)
    changes |= dict.fromkeys(ATTENTION_KEYS.get(family, ("attention_probs_dropout_prob",)), attention)
    without_key = WITHOUT_KEY.get((family, per_token))
    if without_key is None:
        changes[HEAD_KEYS.get(family, "classifier_dropout")] = head
    for name, rate in changes.items():
        if rate is not None:
            setattr(config, name, rate)
    built = architecture(per_token).from_config(config)
    if without_key is not None and head is not None:
        built.get_submodule(without_key).p = head
    built.load_state_dict(model.state_dict())
    return built


def outputs(model: PreTrainedModel) -> torch.Tensor:
    """In training, three times, with the same draws."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(3)
        return torch.stack([model.train()(TOKENS, attention_mask=MASK).logits for _ in range(3)])


RATES = [(HIDDEN, ATTENTION, HEAD), (HIDDEN, None, None), (None, ATTENTION, None), (None, None, HEAD), (0.0, 0.0, 0.0)]


def test_a_classifier_drops_what_one_drops_that_is_built_with_the_rates(family, per_token):
    model = build(family, per_token)
    for rates in RATES:
        hidden, attention, head = rates
        set_dropout(model, hidden=0.5, attention=0.5, head=0.5)  # of the trial before
        set_dropout(model, hidden=hidden, attention=attention, head=head)
        found = outputs(model)
        assert torch.equal(found, outputs(reference(model, family, per_token, *rates))), rates
        is_alike = not any(rate or rate is None for rate in rates)
        assert (found[0] == found[1]).all() == is_alike, "without dropout, all are alike"


def test_each_rate_changes_what_is_dropped(family, per_token):
    model, found = build(family, per_token), []
    for rates in [(None, None, None), *RATES]:
        set_dropout(model, **dict(zip(("hidden", "attention", "head"), rates, strict=True)))
        found.append(outputs(model))
    # ModernBERT's own rates are 0.
    alike = {(0, 5)} if family == "modernbert" else set()
    pairs = {(i, j) for i in range(6) for j in range(i + 1, 6)}
    assert {(i, j) for i, j in pairs if torch.equal(found[i], found[j])} == alike


def test_without_rates_a_classifier_is_what_it_was(family, per_token):
    model, torch_state = build(family, per_token), torch.get_rng_state()
    before, config, expected = str(model), model.config.to_dict(), outputs(model)
    parameters = dict(model.named_parameters())
    set_dropout(model, hidden=HIDDEN, attention=ATTENTION, head=HEAD)
    assert str(model) != before
    assert dict(model.named_parameters()).keys() == parameters.keys()
    assert all(parameter is parameters[name] for name, parameter in model.named_parameters())
    assert model.config.to_dict() == config
    set_dropout(model)
    assert str(model) == before
    assert torch.equal(outputs(model), expected)
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_a_neutral_setting_touches_nothing(family, per_token):
    model = build(family, per_token)
    modules = list(model.modules())
    set_dropout(model)
    assert all(one is other for one, other in zip(model.modules(), modules, strict=True))
