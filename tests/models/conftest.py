"""Small random encoders of every family, and folders that hold them as a hub would."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from blurb_tune.errors import BlurbTuneError
from blurb_tune.models.catalogue import ModelInfo, describe_model
from blurb_tune.models.tiny import tiny_tokenizer

FAMILIES = ("bert", "roberta", "xlm-roberta", "electra")


def make_config(family: str, **changes: object) -> AutoConfig:
    """Three blocks; ELECTRA's embeddings are smaller than its hidden states."""
    values = {"vocab_size": len(tiny_tokenizer()), "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    values |= {"intermediate_size": 24, "max_position_embeddings": 40, "initializer_range": 0.05}
    if family == "electra":
        values["embedding_size"] = 6
    return AutoConfig.for_model(family, **(values | changes))


def make_model(family: str, architecture: type = AutoModelForSequenceClassification, **changes: object) -> PreTrainedModel:
    """No two tensors alike: biases and LayerNorm are random as well, as after pretraining."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = architecture.from_config(make_config(family, **changes))
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def random_model() -> Callable[..., PreTrainedModel]:
    return make_model


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., ModelInfo]:
    """Write a model and a tokenizer into a folder and describe it."""

    def save_and_describe(model: PreTrainedModel, **settings: object) -> ModelInfo:
        folder = tmp_path / "model"
        model.save_pretrained(folder, **settings)
        tiny_tokenizer().save_pretrained(folder)
        return describe_model(str(folder))

    return save_and_describe


@pytest.fixture(scope="session")
def minilm() -> ModelInfo:
    """Skips on a laptop without the demo extra, fails in CI."""
    try:
        return describe_model("minilm")
    except BlurbTuneError as error:
        if os.environ.get("CI"):
            pytest.fail(f"{error}, and CI must have it")
        pytest.skip(str(error))
