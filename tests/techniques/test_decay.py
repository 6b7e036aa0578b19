"""The learning rate of each parameter, by name, and each trainable parameter in exactly one group."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers.trainer_pt_utils import get_parameter_names

from blurb_tune.core.errors import BlurbTuneError
from tests.models.encoders import has_weight_decay, is_bias_or_norm, is_idle

BLOCKS = 4


def groups_of(subject, *, learning_rate=5e-5, weight_decay=0.01, **axes):
    subject.treat(**axes)
    return subject.groups(learning_rate=learning_rate, weight_decay=weight_decay)


def by_name(subject, groups) -> dict[str, dict]:
    """The group of each parameter; fails when one is in two groups or twice in one."""
    names = {id(p): name for name, p in subject.model.named_parameters()}
    pairs = [(names[id(parameter)], group) for group in groups for parameter in group["params"]]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_each_rate_is_the_base_rate_times_the_decay_to_the_distance_from_the_head(subject, level):
    rates = {name: group["lr"] for name, group in by_name(subject, groups_of(subject, decay_rate=0.8)).items()}
    assert rates == {name: 5e-5 * 0.8 ** (BLOCKS + 1 - level(name)) for name, _ in subject.model.named_parameters()}


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (
            "electra",
            {
                "classifier.out_proj.weight": 5e-5,
                "classifier.dense.weight": 5e-5,
                "electra.encoder.layer.3.output.dense.weight": 2.5e-5,
                "electra.encoder.layer.0.attention.self.query.bias": 5e-5 / 16,
                "electra.embeddings_project.weight": 5e-5 / 32,
                "electra.embeddings.word_embeddings.weight": 5e-5 / 32,
            },
        ),
        (
            "deberta-v2",
            {
                "pooler.dense.weight": 5e-5,
                "deberta.encoder.layer.3.attention.self.query_proj.weight": 2.5e-5,
                "deberta.encoder.layer.0.output.dense.weight": 5e-5 / 16,
                "deberta.encoder.conv.conv.weight": 5e-5 / 16,
                "deberta.encoder.rel_embeddings.weight": 5e-5 / 32,
            },
        ),
        (
            "modernbert",
            {
                "head.dense.weight": 5e-5,
                "model.final_norm.weight": 5e-5,
                "model.layers.3.mlp.Wo.weight": 2.5e-5,
                "model.embeddings.norm.weight": 5e-5 / 32,
            },
        ),
        (
            "distilbert",
            {
                "pre_classifier.weight": 5e-5,
                "distilbert.transformer.layer.0.ffn.lin1.weight": 5e-5 / 16,
                "distilbert.embeddings.word_embeddings.weight": 5e-5 / 32,
            },
        ),
    ],
)
def test_a_few_rates_spelled_out(new_subject, family, expected):
    subject = new_subject(family)
    rates = {name: group["lr"] for name, group in by_name(subject, groups_of(subject, decay_rate=0.5)).items()}
    assert {name: rates[name] for name in expected} == expected


def test_a_rate_of_one_is_neutral(subject):
    groups = groups_of(subject, decay_rate=1.0)
    assert {group["lr"] for group in groups} == {5e-5}
    assert len(groups) == 2, "two groups for all parameters keep the optimizer fast"


def test_no_weight_decay_on_biases_and_norms_alone(subject):
    for name, group in by_name(subject, groups_of(subject)).items():
        assert group["weight_decay"] == (0.01 if has_weight_decay(name) else 0.0), name


def test_norms_alone_or_nothing_can_be_without_weight_decay(subject):
    """The reference is what transformers' Trainer leaves out where it is given the types of modules."""
    norms = {type(module) for module in subject.model.modules() if "norm" in type(module).__name__.lower()}
    every = {name for name, _ in subject.model.named_parameters()}
    decayed = every & set(get_parameter_names(subject.model, [*norms]))
    for excluded, expected in (("layer_norm", decayed), ("none", every)):
        groups = by_name(subject, groups_of(subject, no_weight_decay=excluded))
        assert {name for name, group in groups.items() if group["weight_decay"] == 0.01} == expected, excluded
    assert any(name.endswith("bias") for name in decayed)


def test_all_of_one_dimension_and_mpnet_s_table_alone_besides_have_no_weight_decay(subject, family):
    """Of what has more dimensions, only what its family calls a bias is spared."""
    spared = {name for name, group in by_name(subject, groups_of(subject)).items() if group["weight_decay"] == 0}
    flat = {name for name, parameter in subject.model.named_parameters() if parameter.ndim == 1}
    assert spared - flat == ({"mpnet.encoder.relative_attention_bias.weight"} if family == "mpnet" else set())
    assert spared >= flat == {name for name, _ in subject.model.named_parameters() if is_bias_or_norm(name)}


_BERT = "dense key query value word_embeddings position_embeddings token_type_embeddings classifier"
# Whose `weight` decays, and whose does not, by the last module's name.
DECAYED = {
    "bert": _BERT,
    "roberta": f"{_BERT} out_proj",
    "xlm-roberta": f"{_BERT} out_proj",
    "camembert": f"{_BERT} out_proj",
    "electra": f"{_BERT} out_proj embeddings_project",
    "deberta": "dense in_proj pos_proj pos_q_proj rel_embeddings word_embeddings position_embeddings classifier",
    "deberta-v2": "dense key_proj query_proj value_proj conv rel_embeddings word_embeddings embed_proj classifier",
    "modernbert": "Wqkv Wo Wi dense tok_embeddings classifier",
    "distilbert": "q_lin k_lin v_lin out_lin lin1 lin2 word_embeddings position_embeddings pre_classifier classifier",
    "mpnet": "q k v o dense word_embeddings position_embeddings out_proj classifier",
    "big_bird": f"{_BERT} out_proj pooler",
}
SPARED = {
    **dict.fromkeys(DECAYED, "LayerNorm"),
    "modernbert": "attn_norm mlp_norm final_norm norm",
    "distilbert": "LayerNorm sa_layer_norm output_layer_norm",
    "mpnet": "LayerNorm relative_attention_bias",
}


def test_the_weights_of_each_family_that_decay_and_that_do_not(family, shared_subjects):
    found = {True: set(), False: set()}
    for per_token in (False, True):
        subject = shared_subjects[family, per_token]
        for name, group in by_name(subject, groups_of(subject)).items():
            *_, module, own = name.split(".")
            if own == "weight":
                found[group["weight_decay"] > 0].add(module)
            else:
                assert own in ("bias", "q_bias", "v_bias")
                assert group["weight_decay"] == 0
    assert found == {True: set(DECAYED[family].split()), False: set(SPARED[family].split())}


def test_groups_have_names_of_the_field(new_subject):
    subject = new_subject("bert")
    names = [group["name"] for group in groups_of(subject, decay_rate=0.8)]
    assert len(set(names)) == len(names) == 2 * (BLOCKS + 2)
    assert {"embeddings", "block 1", "block 4, no weight decay", "pooler to head"} <= set(names)
    assert {group["name"] for group in groups_of(subject, decay_rate=1.0)} == {
        "embeddings to head",
        "embeddings to head, no weight decay",
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_trainable_parameter_is_in_exactly_one_group(shared_subjects, level, data):
    """For every strategy there is: frozen ones are left out, all others are in with their own rate and class."""
    subject = shared_subjects[data.draw(st.sampled_from(sorted(shared_subjects)))]
    depth = data.draw(st.integers(0, BLOCKS))
    rate, count = data.draw(st.floats(0.3, 1.0)), data.draw(st.integers(0, BLOCKS - depth))
    weight_decay = data.draw(st.sampled_from([0.0, 0.01, 0.1]))
    axes = {"freeze_depth": depth, "decay_rate": rate, "reinit_count": count}
    found = by_name(subject, groups_of(subject, weight_decay=weight_decay, **axes))
    trainable = {name for name, p in subject.model.named_parameters() if not (depth > 0 and level(name) <= depth)}
    assert found.keys() == trainable
    for name, group in found.items():
        assert group["lr"] == 5e-5 * rate ** (BLOCKS + 1 - level(name))
        assert group["weight_decay"] == (weight_decay if has_weight_decay(name) else 0.0)


def test_the_groups_drive_adamw(subject, family, level):
    """AdamW's first step moves every weight by its rate, so a tensor's step tells the rate that it had."""
    groups = groups_of(subject, learning_rate=1e-2, decay_rate=0.5, weight_decay=0.0)
    before = subject.weights()
    subject.train(1, gradients_only=True)
    optimizer = torch.optim.AdamW(groups, eps=1e-30)
    optimizer.step()
    for name, now in subject.weights().items():
        largest = (now - before[name]).abs().max().item()
        rate = 0 if is_idle(name, family) else 1e-2 * 0.5 ** (BLOCKS + 1 - level(name))
        assert largest == pytest.approx(rate, rel=1e-2), name


def test_decay_rates_out_of_range(subject):
    for rate in (0.0, -0.5, 1.01, float("nan")):
        with pytest.raises(ValueError, match=r"`0 < decay_rate <= 1` must hold, but got decay_rate="):
            groups_of(subject, decay_rate=rate)


@pytest.mark.parametrize("requires_grad", [True, False])
def test_an_unknown_parameter_raises_even_when_frozen(new_subject, family, per_token, requires_grad):
    subject = new_subject(family, per_token)
    subject.treat()
    subject.model.base_model.adapter = torch.nn.Linear(2, 2).requires_grad_(requires_grad)
    with pytest.raises(BlurbTuneError, match="adapter"):
        subject.groups()
