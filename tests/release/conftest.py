"""Exported models without a sweep: a tiny model with random weights, which answers all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import build_classifier, load_pretrained, load_tokenizer
from blurb_tune.models.tokens import add_tokens
from blurb_tune.release.folder import Facts

MakeModel = Callable[..., Path]
PAIRS = Facts(
    task="notes",
    kind="classification",
    fields=("note", "other"),
    labels=("no", "yes"),
    label_range=None,
    markers=("@DRUG$",),
    max_length=24,
    precision="fp32",
    temperature=1.5,
    sweep="ab12cd",
    trial="c1-s0",
)
WORDS = replace(PAIRS, kind="token classification", fields=("words",), labels=("B-X", "I-X", "O"), markers=())


def pytest_configure(config: pytest.Config) -> None:
    """What MLflow 3.17 and huggingface_hub 2.4 do that pandas and httpx want done otherwise."""
    for message in (
        "Operation with range is deprecated",
        "Use 'content=<...>' to upload raw bytes/text content",
    ):
        config.addinivalue_line("filterwarnings", f"ignore:{message}:DeprecationWarning")


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Write a folder as `export` does, for a model of these facts."""

    def make(facts: Facts = PAIRS, name: str = "model") -> Path:
        folder, task = tmp_path / name, facts.as_task()
        info = describe_model("tiny")
        tokenizer = load_tokenizer(info)
        pretrained = add_tokens(load_pretrained(info), tokenizer, facts.markers)
        model = build_classifier(pretrained, task.outputs, per_token=task.per_token)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():  # or all would be near to equally probable
            model.classifier.weight.normal_(0, 2, generator=generator)
            model.classifier.bias.zero_()
        model.config.id2label = dict(enumerate(facts.labels))
        model.config.label2id = {label: number for number, label in enumerate(facts.labels)}
        model.save_pretrained(folder)
        tokenizer.model_max_length = facts.max_length
        tokenizer.save_pretrained(folder)
        facts.write(folder)
        (folder / "README.md").write_text("---\nlibrary_name: transformers\n---\n\n# notes\n")
        return folder

    return make
