"""Every parameter of every family has exactly one place, and an unknown one is never passed over."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, DistilBertConfig

from blurb_tune.errors import BlurbTuneError
from blurb_tune.models.layers import FAMILIES, Part, Place, layer_map

BERT_BLOCK = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
BERT_BLOCK += ("attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm")
TABLES = ("embeddings.word_embeddings", "embeddings.position_embeddings", "embeddings.token_type_embeddings")
DENSE_POOLER = ("classifier.dense.weight", "classifier.dense.bias")
EXPECTED = {
    "bert": ("bert", (), ("bert.pooler.dense.weight", "bert.pooler.dense.bias"), ("classifier.weight", "classifier.bias")),
    "roberta": ("roberta", (), DENSE_POOLER, ("classifier.out_proj.weight", "classifier.out_proj.bias")),
    "xlm-roberta": ("roberta", (), DENSE_POOLER, ("classifier.out_proj.weight", "classifier.out_proj.bias")),
    "electra": (
        "electra",
        ("electra.embeddings_project.weight", "electra.embeddings_project.bias"),
        DENSE_POOLER,
        ("classifier.out_proj.weight", "classifier.out_proj.bias"),
    ),
}


def expected_places(family: str) -> dict[str, Place]:
    """Written out by hand from the published architectures, for three blocks."""
    prefix, projection, pooler, head = EXPECTED[family]
    norm = (f"{prefix}.embeddings.LayerNorm.weight", f"{prefix}.embeddings.LayerNorm.bias")
    places = dict.fromkeys((*(f"{prefix}.{table}.weight" for table in TABLES), *norm, *projection), Place(0, Part.EMBEDDINGS))
    for block in (1, 2, 3):
        for module in BERT_BLOCK:
            for kind in ("weight", "bias"):
                places[f"{prefix}.encoder.layer.{block - 1}.{module}.{kind}"] = Place(block, Part.BLOCK)
    places |= dict.fromkeys(pooler, Place(4, Part.POOLER))
    return places | dict.fromkeys(head, Place(4, Part.HEAD))


def test_every_parameter_has_its_place(family, random_model):
    layers = layer_map(random_model(family))
    assert layers.blocks == 3
    assert dict(layers.places) == expected_places(family)
    assert {name for part in Part for name in layers.names(part)} == set(layers.places)
    assert sum(len(layers.names(part)) for part in Part) == len(layers.places)


def test_every_family_of_the_table_is_tested():
    assert set(EXPECTED) == set(FAMILIES)


def test_modules_of_the_blocks_exist_in_order(family, random_model):
    model = random_model(family)
    layers = layer_map(model)
    for block in (1, 2, 3):
        module = layers.block_module(block)
        assert {f"{module}.{name}" for name, _ in model.get_submodule(module).named_parameters()} == {
            name for name, place in layers.places.items() if place == Place(block, Part.BLOCK)
        }


def test_ten_blocks_and_more_are_told_apart(random_model):
    layers = layer_map(random_model("bert", num_hidden_layers=12))
    assert layers.place("bert.encoder.layer.1.output.dense.weight").level == 2
    assert layers.place("bert.encoder.layer.11.output.dense.weight").level == 12


def test_a_parameter_that_no_pattern_places_raises(family, random_model):
    model = random_model(family)
    model.base_model.adapter = torch.nn.Linear(2, 2)
    with pytest.raises(BlurbTuneError, match=r"'\w+\.adapter\.weight' belongs to no part of the family"):
        layer_map(model)


def test_a_parameter_that_came_later_raises(random_model):
    layers = layer_map(random_model("bert"))
    with pytest.raises(BlurbTuneError, match=r"'bert\.adapter\.weight' has no place"):
        layers.place("bert.adapter.weight")


def test_a_similar_name_is_not_in_a_module(random_model):
    model = random_model("bert")
    model.bert.pooler_norm = torch.nn.LayerNorm(2)
    with pytest.raises(BlurbTuneError, match="pooler_norm"):
        layer_map(model)


def test_an_unknown_family_says_how_to_add_it():
    model = AutoModelForSequenceClassification.from_config(DistilBertConfig(vocab_size=9, dim=4, n_heads=2, n_layers=1))
    with pytest.raises(BlurbTuneError, match=r"'distilbert' is not supported \(supported: bert, .*FAMILIES.*layers\.py"):
        layer_map(model)


def test_a_missing_block_raises(random_model):
    model = random_model("bert")
    del model.bert.encoder.layer[2]
    with pytest.raises(BlurbTuneError, match=r"expected blocks 1 to 3 .* found \[1, 2\]"):
        layer_map(model)


def test_a_token_classifier_of_bert_has_no_pooler(random_model):
    layers = layer_map(random_model("bert", AutoModelForTokenClassification))
    assert not layers.names(Part.POOLER)
    assert layers.names(Part.HEAD) == {"classifier.weight", "classifier.bias"}


def test_places_have_the_names_of_the_field():
    assert [
        str(Place(0, Part.EMBEDDINGS)),
        str(Place(3, Part.BLOCK)),
        str(Place(4, Part.POOLER)),
        str(Place(4, Part.HEAD)),
    ] == [
        "embeddings",
        "block 3",
        "pooler",
        "head",
    ]
