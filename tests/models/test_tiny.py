"""The model that needs no files is the same on every machine and reads any text."""

from __future__ import annotations

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.models.catalog import check_weights, describe_model
from blurb_tune.models.encoder import build_classifier, load_pretrained, load_tokenizer
from blurb_tune.models.layers import layer_map

INFO = describe_model("tiny")
TOKENIZER = load_tokenizer(INFO)


def test_it_is_what_the_catalog_says():
    check_weights(INFO)
    model = build_classifier(load_pretrained(INFO), 2)
    assert (model.config.model_type, model.config.hidden_size) == (INFO.family, INFO.hidden_size)
    assert layer_map(model).blocks == INFO.blocks
    assert model.config.max_position_embeddings == INFO.max_length == TOKENIZER.model_max_length
    assert model.config.vocab_size == len(TOKENIZER)


def test_its_weights_are_those_of_every_machine():
    weights = load_pretrained(INFO).weights
    assert not any(name.startswith("classifier") for name in weights)
    digest = hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()
    assert digest == "d98d3db372ddb7bd323062e2f5351ee44c4213e2f85396e2bcbfe127d8246956"


def test_its_vocabulary_is_that_of_every_machine():
    tokens = TOKENIZER.convert_ids_to_tokens(range(len(TOKENIZER)))
    digest = hashlib.sha256("\n".join(tokens).encode()).hexdigest()
    assert digest == "3546835a7c4e296d9dd89e15e94cb322afcf419681e07fa8a88bb1e2196ff943"
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert TOKENIZER.pad_token_id == 0


def test_making_it_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    load_pretrained(INFO)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_knows_words_and_spells_out_others():
    assert TOKENIZER.tokenize("Patients with Carcinosis.") == ["patients", "with", "carcin", "##osis", "."]
    assert TOKENIZER("gene", "cell")["token_type_ids"] == [0, 0, 0, 1, 1]


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_printable_ascii_has_no_unknown_token(text):
    assert TOKENIZER.unk_token_id not in TOKENIZER(text, add_special_tokens=False)["input_ids"]


@given(st.text(max_size=40))
def test_any_text_becomes_tokens_that_the_model_has(text):
    ids = TOKENIZER(text)["input_ids"]
    assert ids[0] == TOKENIZER.cls_token_id
    assert ids[-1] == TOKENIZER.sep_token_id
    assert all(0 <= index < len(TOKENIZER) for index in ids)


@pytest.mark.parametrize("outputs", [1, 3])
def test_it_computes_finite_numbers_once_the_head_is_drawn(outputs):
    model = build_classifier(load_pretrained(INFO), outputs).eval()
    with torch.no_grad():
        model.classifier.weight.normal_()
        model.classifier.bias.zero_()
    logits = model(**TOKENIZER(["the cell", "a gene"], return_tensors="pt")).logits
    assert logits.shape == (2, outputs)
    assert logits.isfinite().all()
