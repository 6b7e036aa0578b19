"""Small random encoders of every family, and folders that hold them as a hub would."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.catalog import ModelInfo, describe_model
from blurb_tune.models.tiny import tiny_tokenizer
from tests.models.encoders import FAMILIES, make_model


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["text", "token"])
def per_token(request: pytest.FixtureRequest) -> bool:
    """A classifier of texts, or of tokens."""
    return request.param


@pytest.fixture
def random_model() -> Callable[..., PreTrainedModel]:
    """With a row for each token of the tokenizer that `save` writes beside it."""

    def make(family: str, architecture: type = AutoModelForSequenceClassification, **changes: object) -> PreTrainedModel:
        return make_model(family, architecture, **{"vocab_size": len(tiny_tokenizer()), **changes})

    return make


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
