"""Encoders become plain data, and a classifier is set back to them bit by bit."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForSequenceClassification,
)
from transformers.utils import logging as hf_logging

from blurb_tune.errors import BlurbTuneError
from blurb_tune.models.catalogue import describe_model
from blurb_tune.models.encoder import Pretrained, build_classifier, load_pretrained, load_tokenizer, restore_weights

TOKENS = torch.tensor([[2, 9, 8, 7, 3], [2, 30, 31, 32, 3]])


@pytest.fixture
def pretrained(family, random_model, save) -> Pretrained:
    loaded = load_pretrained(save(random_model(family)))
    for array in loaded.weights.values():
        array.flags.writeable = False  # as they come out of the object store
    return loaded


def encoder_weights(model: torch.nn.Module) -> dict[str, np.ndarray]:
    prefix = model.base_model_prefix
    return {f"{prefix}.{name}": p.detach().float().numpy() for name, p in model.base_model.named_parameters()}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not np.array_equal(one[name], other[name])] == []


def test_weights_are_those_of_the_encoder_without_the_head(family, random_model, save):
    """A checkpoint of a classifier with other labels: its head is left out, whatever its size."""
    model = random_model(family, num_labels=5)
    loaded = load_pretrained(save(model))
    assert_same(dict(loaded.weights), encoder_weights(model))
    assert all(array.dtype == np.float32 for array in loaded.weights.values())
    assert loaded.family == family


@pytest.mark.parametrize(
    ("family", "architecture", "has_pooler"),
    [
        ("bert", AutoModel, True),
        ("bert", AutoModelForPreTraining, True),
        ("bert", AutoModelForMaskedLM, False),
        ("roberta", AutoModel, False),
        ("roberta", AutoModelForMaskedLM, False),
        ("electra", AutoModelForPreTraining, False),
    ],
)
def test_checkpoints_of_other_architectures(family, architecture, has_pooler, random_model, save):
    """The pooler counts as pretrained where the checkpoint and the classifier have it: in BERT alone."""
    model = random_model(family, architecture)
    loaded = load_pretrained(save(model))
    expected = {name: value for name, value in encoder_weights(model).items() if has_pooler or "pooler" not in name}
    assert_same(dict(loaded.weights), expected)
    assert any("pooler" in name for name in loaded.weights) == has_pooler


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_fp32(random_model, save, dtype):
    model = random_model("bert").to(dtype)
    loaded = load_pretrained(save(model))
    assert_same(dict(loaded.weights), encoder_weights(model))
    assert {p.dtype for p in build_classifier(loaded, 2).parameters()} == {torch.float32}


def test_a_checkpoint_with_fewer_blocks_than_its_config_is_refused(random_model, save):
    model = random_model("bert")
    del model.bert.encoder.layer[2]
    info = save(model)
    with pytest.raises(BlurbTuneError, match=r"lacks 16 of the 55 tensors of the bert encoder .*'bert\.encoder\.layer\.2"):
        load_pretrained(info)


def test_a_checkpoint_of_another_size_than_its_config_is_refused(random_model, save):
    model = random_model("bert")
    model.config.intermediate_size = 32
    info = save(model)
    with pytest.raises(BlurbTuneError, match=r"lacks 9 of the 55 tensors"):
        load_pretrained(info)


def test_loading_is_silent_and_leaves_no_trace(random_model, save, capfd, caplog, monkeypatch):
    """Not even of the head that transformers misses in the checkpoint, draws and would report."""
    info = save(random_model("bert", AutoModel))
    capfd.readouterr()
    hf_logging.set_verbosity_warning()
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    before = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled(), torch.get_rng_state().tolist()
    build_classifier(load_pretrained(info), 2)
    load_tokenizer(info)
    assert (hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled(), torch.get_rng_state().tolist()) == before
    printed = capfd.readouterr()
    assert (printed.out, printed.err, caplog.text) == ("", "", "")


def test_pretrained_is_plain_data(pretrained):
    copy = pickle.loads(pickle.dumps(pretrained))
    assert (copy.family, copy.config) == (pretrained.family, pretrained.config)
    assert_same(dict(copy.weights), dict(pretrained.weights))
    assert {type(array) for array in copy.weights.values()} == {np.ndarray}


def test_a_built_classifier_computes_what_the_checkpoint_does(family, random_model, save):
    info = save(random_model(family, num_labels=4))
    reference = AutoModelForSequenceClassification.from_pretrained(info.path).eval()
    model = build_classifier(load_pretrained(info), 4).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.isnan().all():
                parameter.copy_(reference.get_parameter(name))
        assert torch.equal(model(TOKENS).logits, reference(TOKENS).logits)


@pytest.mark.parametrize("outputs", [1, 3, 10])
def test_outputs(pretrained, outputs):
    model = build_classifier(pretrained, outputs).eval()
    assert model(TOKENS).logits.shape == (2, outputs)
    assert model.config._attn_implementation == "sdpa"


def test_restoring_brings_back_every_pretrained_bit(pretrained):
    """After training, freezing and all, nothing of the last trial remains: not a weight, a gradient or a flag."""
    model = build_classifier(pretrained, 3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name not in pretrained.weights:
                parameter.normal_()
    for parameter in list(model.parameters())[:3]:
        parameter.requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(TOKENS, labels=torch.tensor([0, 2])).loss.backward()
    optimizer.step()
    tensors = [(p, p.data_ptr()) for p in model.parameters()]

    restore_weights(model, pretrained)

    now = {name: p.detach().numpy() for name, p in model.named_parameters()}
    assert_same({name: now[name] for name in pretrained.weights}, dict(pretrained.weights))
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert all(p is old and p.data_ptr() == at for p, (old, at) in zip(model.parameters(), tensors, strict=True))
    assert all(np.isnan(now[name]).all() for name in now.keys() - pretrained.weights.keys())
    assert now.keys() - pretrained.weights.keys()


def test_training_a_restored_model_leaves_the_pretrained_weights_alone(pretrained):
    before = {name: array.copy() for name, array in pretrained.weights.items()}
    model = build_classifier(pretrained, 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7)
    assert_same(dict(pretrained.weights), before)


def test_weights_of_another_model_are_refused(random_model, save):
    loaded = load_pretrained(save(random_model("bert")))
    with pytest.raises(ValueError, match=r"the model has no parameters \['bert\."):
        restore_weights(random_model("electra"), loaded)
    with pytest.raises(ValueError, match=r"word_embeddings.weight has shape \(9, 16\), its pretrained weights"):
        restore_weights(random_model("bert", vocab_size=9), loaded)


def test_one_number_is_never_spread_over_a_tensor(random_model, save):
    loaded = load_pretrained(save(random_model("bert")))
    broken = Pretrained("bert", loaded.config, {"bert.pooler.dense.bias": np.ones(1, dtype=np.float32)})
    with pytest.raises(ValueError, match="pooler"):
        restore_weights(random_model("bert"), broken)


def test_tokenizer(random_model, save):
    tokenizer = load_tokenizer(save(random_model("bert")))
    encoded = tokenizer("cell", "growth")
    assert encoded["token_type_ids"] == [0, 0, 0, 1, 1]


def test_a_broken_tokenizer_is_refused(random_model, save):
    info = save(random_model("bert"))
    (info.path / "tokenizer.json").write_text("{}")
    with pytest.raises(BlurbTuneError, match=r"the tokenizer of model .* cannot be loaded"):
        load_tokenizer(info)


def test_code_from_the_model_folder_is_never_run(random_model, save):
    info = save(random_model("bert"))
    config = info.path / "config.json"
    config.write_text(config.read_text().replace("{", '{"auto_map": {"AutoConfig": "evil.Config"},', 1))
    (info.path / "evil.py").write_text("raise SystemExit('executed')")
    load_pretrained(describe_model(str(info.path)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_restoring_on_a_gpu(pretrained):
    model = build_classifier(pretrained, 3).to("cuda")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7)
    restore_weights(model, pretrained)
    now = {name: p.detach().cpu().numpy() for name, p in model.named_parameters() if name in pretrained.weights}
    assert_same(now, dict(pretrained.weights))
    assert {p.device.type for p in model.parameters()} == {"cuda"}
