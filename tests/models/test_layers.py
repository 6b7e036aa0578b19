"""Every parameter of every family is in exactly one layer, and an unknown one is never passed over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, T5Config

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.families import FAMILIES, family_of
from blurb_tune.models.layers import LayerRef, Part, layer_map
from tests.models import encoders
from tests.models.encoders import architecture, is_pooler, level, make_model

BERT_BLOCK = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
BERT_BLOCK += ("attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm")
TABLES = ("embeddings.word_embeddings", "embeddings.position_embeddings", "embeddings.token_type_embeddings")
DENSE_POOLER = ("classifier.dense.weight", "classifier.dense.bias")
SPELLED_OUT = {
    "bert": ("bert", (), ("bert.pooler.dense.weight", "bert.pooler.dense.bias"), ("classifier.weight", "classifier.bias")),
    "roberta": ("roberta", (), DENSE_POOLER, ("classifier.out_proj.weight", "classifier.out_proj.bias")),
    "electra": (
        "electra",
        ("electra.embeddings_project.weight", "electra.embeddings_project.bias"),
        DENSE_POOLER,
        ("classifier.out_proj.weight", "classifier.out_proj.bias"),
    ),
}


def written_out(family: str) -> dict[str, LayerRef]:
    """By hand from the published architectures, for three blocks."""
    prefix, projection, pooler, head = SPELLED_OUT[family]
    norm = (f"{prefix}.embeddings.LayerNorm.weight", f"{prefix}.embeddings.LayerNorm.bias")
    layers = dict.fromkeys(
        (*(f"{prefix}.{table}.weight" for table in TABLES), *norm, *projection), LayerRef(0, Part.EMBEDDINGS)
    )
    for block in (1, 2, 3):
        for module in BERT_BLOCK:
            for kind in ("weight", "bias"):
                layers[f"{prefix}.encoder.layer.{block - 1}.{module}.{kind}"] = LayerRef(block, Part.BLOCK)
    layers |= dict.fromkeys(pooler, LayerRef(4, Part.POOLER))
    return layers | dict.fromkeys(head, LayerRef(4, Part.HEAD))


def by_name(parameter: str, family: str) -> LayerRef:
    """Read off the name, without the table of families."""
    if is_pooler(parameter, family):
        return LayerRef(4, Part.POOLER)
    found = level(parameter, 3)
    return LayerRef(found, {0: Part.EMBEDDINGS, 4: Part.HEAD}.get(found, Part.BLOCK))


@pytest.mark.parametrize("family", SPELLED_OUT)
def test_all_places_of_some_families_written_out(family, random_model):
    assert dict(layer_map(random_model(family)).refs) == written_out(family)


def test_every_parameter_has_one_place(family, per_token):
    model = make_model(family, architecture(per_token))
    layers = layer_map(model)
    assert layers.blocks == 3
    assert dict(layers.refs) == {name: by_name(name, family) for name, _ in model.named_parameters()}
    assert {name for part in Part for name in layers.names(part)} == set(layers.refs)
    assert sum(len(layers.names(part)) for part in Part) == len(layers.refs)


@pytest.mark.parametrize(
    ("family", "parameter", "layer"),
    [
        ("deberta", "deberta.encoder.rel_embeddings.weight", LayerRef(0, Part.EMBEDDINGS)),
        ("deberta-v2", "deberta.encoder.rel_embeddings.weight", LayerRef(0, Part.EMBEDDINGS)),
        ("deberta-v2", "deberta.encoder.LayerNorm.weight", LayerRef(0, Part.EMBEDDINGS)),
        ("deberta-v2", "deberta.embeddings.embed_proj.weight", LayerRef(0, Part.EMBEDDINGS)),
        ("deberta-v2", "deberta.encoder.conv.conv.weight", LayerRef(1, Part.BLOCK)),
        ("deberta-v2", "deberta.encoder.conv.LayerNorm.bias", LayerRef(1, Part.BLOCK)),
        ("deberta-v2", "pooler.dense.weight", LayerRef(4, Part.POOLER)),
        ("modernbert", "model.final_norm.weight", LayerRef(4, Part.POOLER)),
        ("modernbert", "head.norm.weight", LayerRef(4, Part.POOLER)),
        ("modernbert", "model.layers.1.attn_norm.weight", LayerRef(2, Part.BLOCK)),
        ("modernbert", "classifier.bias", LayerRef(4, Part.HEAD)),
        ("distilbert", "pre_classifier.weight", LayerRef(4, Part.POOLER)),
        ("mpnet", "mpnet.encoder.relative_attention_bias.weight", LayerRef(0, Part.EMBEDDINGS)),
        ("big_bird", "bert.pooler.weight", LayerRef(4, Part.POOLER)),
    ],
)
def test_layers_that_had_to_be_decided(family, parameter, layer):
    assert layer_map(make_model(family)).layer_of(parameter) == layer


def test_what_blocks_share_and_what_is_on_top_is_used_there():
    """A gradient that stops below block 1 leaves DeBERTa's convolution without one; the shared tables always have theirs."""
    for family, shared in (
        ("deberta", {"deberta.encoder.rel_embeddings.weight"}),
        ("deberta-v2", {"deberta.encoder.rel_embeddings.weight", "deberta.encoder.LayerNorm.weight"}),
        ("mpnet", {"mpnet.encoder.relative_attention_bias.weight"}),
    ):
        model = make_model(family, architecture(True)).eval()
        states = model(torch.arange(5, 17)[None], output_hidden_states=True).hidden_states
        for block in (1, 2, 3):
            gradients = torch.autograd.grad(
                states[block].square().sum(), [model.get_parameter(n) for n in shared], retain_graph=True, allow_unused=True
            )
            assert all(gradient is not None and gradient.any() for gradient in gradients), (family, block)


def test_every_family_of_the_table_is_tested():
    assert set(encoders.FAMILIES) == set(FAMILIES)


def test_modules_of_the_places_are_those_of_their_parameters(family, per_token):
    model = make_model(family, architecture(per_token))
    layers = layer_map(model)
    for ref, modules in layers.modules.items():
        inside = {f"{m}.{name}" for m in modules for name, _ in model.get_submodule(m).named_parameters()}
        placed = {name for name, other in layers.refs.items() if other == ref}
        assert inside - layers.names(Part.POOLER) == placed - layers.names(Part.POOLER)
        assert placed <= inside


def test_the_token_table_is_the_input_embedding(family):
    model = make_model(family)
    assert model.get_submodule(FAMILIES[family].token_table) is model.get_input_embeddings()


def test_ten_blocks_and_more_are_told_apart(random_model):
    layers = layer_map(random_model("bert", num_hidden_layers=12))
    assert layers.layer_of("bert.encoder.layer.1.output.dense.weight").level == 2
    assert layers.layer_of("bert.encoder.layer.11.output.dense.weight").level == 12


def test_a_parameter_that_no_pattern_places_raises(family, random_model):
    model = random_model(family)
    model.base_model.adapter = torch.nn.Linear(2, 2)
    with pytest.raises(BlurbTuneError, match=r"'\w+\.adapter\.weight' belongs to no part of the family"):
        layer_map(model)


def test_a_parameter_that_came_later_raises(random_model):
    layers = layer_map(random_model("bert"))
    with pytest.raises(BlurbTuneError, match=r"'bert\.adapter\.weight' is not in the layer map"):
        layers.layer_of("bert.adapter.weight")


def test_a_similar_name_is_not_in_a_module(random_model):
    model = random_model("bert")
    model.bert.pooler_norm = torch.nn.LayerNorm(2)
    with pytest.raises(BlurbTuneError, match="pooler_norm"):
        layer_map(model)


@pytest.mark.parametrize("family", ["distilgpt2", "xlm-roberta-xl", "DeBERTa"])
def test_an_unknown_family_says_how_to_add_it(family):
    with pytest.raises(BlurbTuneError, match=rf"'{family}' is not supported \(supported: bert, .*big_bird\)") as caught:
        family_of(family)
    page, section = re.search(r"how to add one is in (\S+) under '(.*)'$", str(caught.value)).groups()
    assert f"\n## {section}\n" in (Path(__file__).parent.parent.parent / page).read_text(encoding="utf-8")


def test_a_model_of_an_unknown_family_is_refused():
    config = T5Config(vocab_size=9, d_model=4, d_kv=2, d_ff=4, num_heads=2, num_layers=1, is_encoder_decoder=True)
    model = AutoModelForSequenceClassification.from_config(config)
    with pytest.raises(BlurbTuneError, match="'t5' is not supported"):
        layer_map(model)


def test_albert_is_refused_with_the_reason():
    with pytest.raises(BlurbTuneError) as caught:
        family_of("albert")
    assert str(caught.value) == (
        "model family 'albert' is not supported: all its blocks share one set of weights, so they cannot be frozen, "
        "re-initialized or given learning rates one by one; name a model whose blocks have weights of their own, such as "
        "'bert-base' or 'electra-base'"
    )


def test_a_missing_block_raises(random_model):
    model = random_model("bert")
    del model.bert.encoder.layer[2]
    with pytest.raises(BlurbTuneError, match=r"expected blocks 1 to 3 .* found \[1, 2\]"):
        layer_map(model)


def test_a_token_classifier_has_a_pooler_in_two_families_alone(family):
    layers = layer_map(make_model(family, architecture(True)))
    assert set(layers.pooler_modules) == {"modernbert": {"model.final_norm", "head"}, "big_bird": {"bert.pooler"}}.get(
        family, set()
    )
    assert layers.names(Part.HEAD) == {"classifier.weight", "classifier.bias"}


def test_places_have_the_names_of_the_field():
    assert [
        str(LayerRef(0, Part.EMBEDDINGS)),
        str(LayerRef(3, Part.BLOCK)),
        str(LayerRef(4, Part.POOLER)),
        str(LayerRef(4, Part.HEAD)),
    ] == [
        "embeddings",
        "block 3",
        "pooler",
        "head",
    ]
