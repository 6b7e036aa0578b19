"""A folder whose weights cannot be used is refused before anything starts, in words that help."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest
import torch

from blurb_tune.errors import BlurbTuneError
from blurb_tune.models.catalogue import check_weights
from blurb_tune.models.encoder import load_pretrained


@pytest.fixture
def info(random_model, save):
    return save(random_model("bert"))


def refusal(info) -> str:
    """The same words from the check and from loading."""
    with pytest.raises(BlurbTuneError) as checked:
        check_weights(info)
    with pytest.raises(BlurbTuneError) as loaded:
        load_pretrained(info)
    assert str(checked.value) == str(loaded.value)
    return str(checked.value)


def test_a_complete_folder_passes(info):
    check_weights(info)


def test_no_weights(info):
    (info.path / "model.safetensors").unlink()
    assert refusal(info) == f"{info.path} has no weights: expected model.safetensors"


def test_other_safetensors_are_no_weights(info):
    (info.path / "model.safetensors").rename(info.path / "adapter_model.safetensors")
    assert "has no weights" in refusal(info)


def test_pickled_weights_are_refused_and_the_advice_works(info, random_model):
    """The command that the message prints makes a folder that loads the very same weights."""
    expected = load_pretrained(info).weights
    (info.path / "model.safetensors").unlink()
    torch.save(random_model("bert").state_dict(), info.path / "pytorch_model.bin")
    message = refusal(info)
    assert "pickled and never loaded" in message
    command = shlex.split(message.splitlines()[1])
    assert command[:2] == ["python", "-c"]
    subprocess.run([sys.executable, "-W", "ignore", *command[1:]], check=True)
    converted = load_pretrained(info).weights
    assert converted.keys() == expected.keys()
    assert all((converted[name] == expected[name]).all() for name in expected)


def test_truncated_weights(info):
    weights = info.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "model.safetensors is no complete safetensors file" in refusal(info)


def test_a_pointer_of_git_lfs(info):
    (info.path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    assert "is no complete safetensors file" in refusal(info)


def test_no_tokenizer(info):
    for file in info.path.glob("tokenizer*"):
        file.unlink()
    assert "has no tokenizer: expected one of tokenizer.json, vocab.txt" in refusal(info)


def test_shards(random_model, save):
    info = save(random_model("bert"), max_shard_size="20KB")
    shards = sorted(info.path.glob("model-*.safetensors"))
    assert len(shards) > 1
    check_weights(info)
    shards[1].unlink()
    assert shards[1].name in refusal(info)


def test_an_index_that_is_none(random_model, save):
    info = save(random_model("bert"), max_shard_size="20KB")
    (info.path / "model.safetensors.index.json").write_text('{"weights": {}}')
    assert "is no index of weights" in refusal(info)
