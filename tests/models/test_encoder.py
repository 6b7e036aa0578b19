"""Encoders become plain data, and a classifier is set back to them bit by bit."""

from __future__ import annotations

import json
import logging
import pickle
import re

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForTokenClassification,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as hf_logging

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.models.catalog import ModelInfo, describe_model
from blurb_tune.models.encoder import Pretrained, build_classifier, load_pretrained, load_tokenizer, restore_weights
from blurb_tune.models.families import FAMILIES
from blurb_tune.models.tiny import tiny_tokenizer
from tests.models.encoders import architecture, is_idle, is_pooler, make_pretrained

TOKENS = torch.tensor([[2, 9, 8, 7, 3], [2, 30, 31, 32, 3]])


@pytest.fixture
def pretrained(family) -> Pretrained:
    return make_pretrained(family)


def labels(per_token: bool) -> torch.Tensor:
    """Of TOKENS, for up to three outputs."""
    return torch.arange(10).reshape(2, 5) % 3 if per_token else torch.tensor([0, 2])


def without_head(model: torch.nn.Module) -> dict[str, np.ndarray]:
    return {n: p.detach().float().numpy() for n, p in model.named_parameters() if not n.startswith("classifier.")}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not np.array_equal(one[name], other[name])] == []


def test_weights_are_those_of_the_classifier_without_its_head(family, random_model, save):
    """A checkpoint of a classifier with other labels: its head is left out, whatever its size."""
    model = random_model(family, num_labels=5)
    loaded = load_pretrained(save(model))
    assert_same(dict(loaded.weights), without_head(model))
    assert all(array.dtype == np.float32 for array in loaded.weights.values())
    assert loaded.family == family


@pytest.mark.parametrize(
    ("family", "checkpoint", "pooler"),
    [
        ("bert", AutoModel, {"bert.pooler"}),
        ("bert", AutoModelForPreTraining, {"bert.pooler"}),
        ("bert", AutoModelForMaskedLM, set()),
        ("bert", AutoModelForTokenClassification, set()),
        ("roberta", AutoModel, set()),
        ("roberta", AutoModelForMaskedLM, set()),
        ("electra", AutoModelForPreTraining, set()),
        ("deberta", AutoModelForMaskedLM, set()),
        ("deberta-v2", AutoModel, set()),
        ("deberta-v2", AutoModelForMaskedLM, set()),
        ("modernbert", AutoModel, {"model.final_norm"}),
        ("modernbert", AutoModelForMaskedLM, {"model.final_norm", "head"}),
        ("modernbert", AutoModelForTokenClassification, {"model.final_norm", "head"}),
        ("distilbert", AutoModelForMaskedLM, set()),
        ("mpnet", AutoModel, set()),
        ("big_bird", AutoModelForPreTraining, {"bert.pooler"}),
    ],
)
def test_checkpoints_of_other_architectures(family, checkpoint, pooler, random_model, save):
    """The pooler counts as pretrained where both the checkpoint and the classifier have it outside a head."""
    source = random_model(family, checkpoint)
    loaded = load_pretrained(save(source)).weights
    expected = {f"{source.base_model_prefix}.{name}": p.detach().numpy() for name, p in source.base_model.named_parameters()}
    expected |= {name: p.detach().numpy() for name, p in source.named_parameters()}
    classifier = {name for name in without_head(random_model(family)) if not is_pooler(name, family)}
    assert loaded.keys() == classifier | {n for n in expected if any(n.startswith(f"{module}.") for module in pooler)}
    assert all(np.array_equal(array, expected[name]) for name, array in loaded.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_fp32(random_model, save, dtype):
    model = random_model("bert").to(dtype)
    loaded = load_pretrained(save(model))
    assert_same(dict(loaded.weights), without_head(model))
    assert {p.dtype for p in build_classifier(loaded, 2).parameters()} == {torch.float32}


def refused(info: ModelInfo) -> str:
    """The one problem with a model that is named in it."""
    with pytest.raises(InputError) as caught:
        load_pretrained(info)
    (problem,) = caught.value.problems
    assert problem.where == f"model {info.name}"
    assert str(info.path) in problem.what
    return problem.what


def test_a_checkpoint_that_lacks_tensors_is_refused(random_model, save):
    model = random_model("bert")
    del model.bert.encoder.layer[2].attention
    what = refused(save(model))
    assert "are not those of the bert encoder that its config describes: of 53 tensors, 10 missing" in what
    assert "(bert.encoder.layer.2.attention.output.LayerNorm.bias, for one)" in what
    assert "shape" not in what


def test_a_checkpoint_of_another_size_than_its_config_is_refused(random_model, save):
    model = random_model("bert")
    model.config.intermediate_size = 32
    what = refused(save(model))
    one = "bert.encoder.layer.0.intermediate.dense.bias in (24,) instead of (32,)"
    assert what.endswith(f"of 53 tensors, 9 in another shape ({one}, for one)")


def test_what_is_missing_and_what_has_another_shape_is_told_apart(random_model, save):
    model = random_model("bert")
    model.config.intermediate_size = 32
    del model.bert.encoder.layer[2].attention
    assert re.search(r"9 in another shape \(.*\) and 10 missing \(", refused(save(model)))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(random_model, save, value):
    model = random_model("bert")
    with torch.no_grad():
        model.bert.encoder.layer[1].output.dense.weight[3, 5] = value
    what = refused(save(model))
    assert what.endswith("are not finite: bert.encoder.layer.1.output.dense.weight has NaN or infinite values")


def test_what_is_not_finite_in_a_head_that_is_drawn_anyway_does_no_harm(random_model, save):
    model = random_model("bert")
    with torch.no_grad():
        model.classifier.weight.fill_(torch.nan)
    load_pretrained(save(model))


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


def test_a_built_classifier_computes_what_the_checkpoint_does(family, per_token, random_model, save):
    info = save(random_model(family, architecture(per_token), num_labels=4))
    reference = architecture(per_token).from_pretrained(info.path).eval()
    model = build_classifier(load_pretrained(info), 4, per_token=per_token).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.isnan().all():
                parameter.copy_(reference.get_parameter(name))
        assert torch.equal(model(TOKENS).logits, reference(TOKENS).logits)


@pytest.mark.parametrize("outputs", [1, 3, 10])
def test_outputs(family, pretrained, per_token, outputs):
    model = build_classifier(pretrained, outputs, per_token=per_token).eval()
    assert model(TOKENS).logits.shape == ((2, 5, outputs) if per_token else (2, outputs))
    has_own_attention = family in ("deberta", "deberta-v2", "mpnet", "big_bird")
    assert model.config._attn_implementation == ("eager" if has_own_attention else "sdpa")


def test_under_autocast_the_head_keeps_fp32_and_the_encoder_does_not(family, pretrained, per_token):
    """Logits come near those of fp32, padding included, and gradients go all the way down."""
    model = build_classifier(pretrained, 3, per_token=per_token).eval()
    dtypes = []
    for module in model.get_submodule(FAMILIES[family].head).modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda *call: dtypes.append(call[-1].dtype))
    with torch.no_grad():
        for parameter in model.parameters():
            torch.nan_to_num_(parameter, 0.1)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    exact = model(TOKENS, attention_mask=mask).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(TOKENS, attention_mask=mask).logits
    assert mixed.dtype == torch.float32
    assert {*dtypes} == {torch.float32}
    read = mask.bool() if per_token else slice(None)
    assert torch.allclose(mixed[read], exact[read], atol=0.2)
    assert not torch.equal(mixed, exact)
    mixed[read].square().sum().backward()
    without = {name for name, p in model.named_parameters() if p.grad is None}
    assert without == {name for name in without if is_idle(name, family)}
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_big_bird_computes_the_same_after_any_batch():
    """Its sparse attention would turn into full attention for good at the first short batch."""
    pretrained = make_pretrained("big_bird", max_position_embeddings=1024, block_size=4, num_random_blocks=1)
    long = torch.arange(1024)[None] % 50 + 5
    fresh, used = (build_classifier(pretrained, 2, per_token=True).eval() for _ in range(2))
    with torch.no_grad():
        for model in (fresh, used):
            model.classifier.weight.fill_(0.1)
            model.classifier.bias.fill_(0.0)
        used(TOKENS)
        assert torch.equal(fresh(long).logits, used(long).logits)


def test_restoring_brings_back_every_pretrained_bit(family, pretrained, per_token):
    """After training, freezing and all, nothing of the last trial remains: not a weight, a gradient or a flag."""
    model = build_classifier(pretrained, 3, per_token=per_token)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name not in pretrained.weights:
                parameter.normal_()
    for parameter in list(model.parameters())[:3]:
        parameter.requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(TOKENS, labels=labels(per_token)).loss.backward()
    optimizer.step()
    tensors = [(p, p.data_ptr()) for p in model.parameters()]

    restore_weights(model, pretrained)

    now = {name: p.detach().numpy() for name, p in model.named_parameters()}
    left_out = pretrained.weights.keys() - now.keys()
    assert all(is_pooler(name, family) for name in left_out)
    assert_same(
        {n: now[n] for n in pretrained.weights if n in now}, {n: pretrained.weights[n] for n in now.keys() - drawn(now)}
    )
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert all(p is old and p.data_ptr() == at for p, (old, at) in zip(model.parameters(), tensors, strict=True))
    assert drawn(now) == now.keys() - pretrained.weights.keys()
    assert drawn(now)


def drawn(weights: dict[str, np.ndarray]) -> set[str]:
    """What is NaN until it is drawn."""
    return {name for name, array in weights.items() if np.isnan(array).all()}


def test_a_token_classifier_leaves_out_a_pooler_that_it_has_not(family, pretrained):
    model = build_classifier(pretrained, 3, per_token=True)
    left_out = {name for name in pretrained.weights if name not in dict(model.named_parameters())}
    expected = {"bert": "bert.pooler.dense", "deberta": "pooler.dense", "deberta-v2": "pooler.dense"}
    expected["distilbert"] = "pre_classifier"
    assert left_out == ({f"{expected[family]}.{kind}" for kind in ("weight", "bias")} if family in expected else set())
    assert not any(is_idle(name, family) for name in left_out)


def test_training_a_restored_model_leaves_the_pretrained_weights_alone(pretrained):
    before = {name: array.copy() for name, array in pretrained.weights.items()}
    model = build_classifier(pretrained, 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7)
    assert_same(dict(pretrained.weights), before)


def test_weights_of_another_model_are_refused(random_model, save):
    loaded = load_pretrained(save(random_model("bert")))
    with pytest.raises(ValueError, match=r"the model has no parameters \['bert\.embeddings"):
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


def test_a_config_without_its_family_is_read_as_the_catalog_says(random_model, save):
    """As SciBERT's on the hub."""
    model = random_model("bert")
    info = save(model)
    config = info.path / "config.json"
    config.write_text(json.dumps({k: v for k, v in json.loads(config.read_text()).items() if k != "model_type"}))
    (info.path / "tokenizer_config.json").unlink()
    known = ModelInfo("known", "bert", 3, 16, 40, path=info.path)
    assert_same(dict(load_pretrained(known).weights), without_head(model))
    assert load_tokenizer(known).tokenize("Cell growth") == ["cell", "growth"]


@pytest.mark.parametrize(
    ("vocabulary", "settings", "expected"),
    [
        ("cell ce ##ll Ce", None, ["Ce", "##ll", "cell"]),
        ("cell ce ##ll Ce", "{}", ["Ce", "##ll", "cell"]),
        ("cell ce ##ll Ce", '{"do_lower_case": true}', ["cell", "cell"]),
        ("cell ce ##ll", None, ["cell", "cell"]),
        ("cell ce ##ll", '{"do_lower_case": false}', ["[UNK]", "cell"]),
    ],
)
def test_a_vocabulary_with_capitals_is_cased_unless_a_setting_says_otherwise(
    random_model, save, vocabulary, settings, expected
):
    """As that of Bio_ClinicalBERT, which the hub has without settings."""
    info = save(random_model("bert"))
    for file in info.path.glob("tokenizer*"):
        file.unlink()
    (info.path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *vocabulary.split()]))
    if settings is not None:
        (info.path / "tokenizer_config.json").write_text(settings)
    assert load_tokenizer(info).tokenize("Cell cell") == expected


@pytest.mark.parametrize(
    ("family", "file"),
    [("deberta-v2", "spm.model"), ("xlm-roberta", "sentencepiece.bpe.model"), ("big_bird", "spiece.model")],
)
def test_a_sentencepiece_model_is_enough(family, file, random_model, save):
    """DeBERTa-v3 comes with nothing else."""
    import sentencepiece

    info = save(random_model(family))
    for other in info.path.glob("tokenizer*"):
        other.unlink()
    words = [token for token in tiny_tokenizer().get_vocab() if token.isalpha()]
    with (info.path / file).open("wb") as opened:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(words),
            model_writer=opened,
            vocab_size=120,
            pad_id=0,
            unk_id=3,
            pad_piece="[PAD]",
            bos_piece="[CLS]",
            eos_piece="[SEP]",
            unk_piece="[UNK]",
            minloglevel=2,
        )
    tokenizer = load_tokenizer(info)
    pieces = tokenizer.tokenize("the growth of a cell")
    assert "".join(pieces).replace("▁", " ") == " the growth of a cell"
    assert tokenizer.unk_token_id not in tokenizer("the gene")["input_ids"]


def test_a_config_with_values_of_the_wrong_kind_is_refused(random_model, save):
    info = save(random_model("bert"))
    config = info.path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "hidden_dropout_prob": "much"}))
    with pytest.raises(BlurbTuneError, match=r"cannot be loaded: .*hidden_dropout_prob"):
        load_pretrained(info)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("hidden_act", "geluu", "geluu"),
        ("num_attention_heads", 0, "ZeroDivisionError"),
        ("pad_token_id", 10**6, "Padding_idx"),
    ],
)
def test_a_config_of_which_no_model_can_be_made_is_refused(random_model, save, key, value, said):
    info = save(random_model("bert"))
    config = info.path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), key: value}))
    with pytest.raises(InputError, match=rf"no model can be made of the config in .*{said}"):
        load_pretrained(info)


def test_a_tokenizer_that_cannot_pad_is_refused(random_model, save):
    info = save(random_model("bert"))
    PreTrainedTokenizerFast(tokenizer_file=str(info.path / "tokenizer.json"), unk_token="[UNK]").save_pretrained(info.path)
    with pytest.raises(BlurbTuneError, match=r"has no padding token; name it as `pad_token` in .*tokenizer_config.json"):
        load_tokenizer(info)


def test_a_broken_tokenizer_is_refused(random_model, save):
    info = save(random_model("bert"))
    (info.path / "tokenizer.json").write_text("{}")
    with pytest.raises(BlurbTuneError, match=r"model/tokenizer.json is no tokenizer that can be read"):
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
