"""Exported models without a sweep, tiny ones with random weights, which answer all the same; a sweep without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import build_classifier, load_pretrained, load_tokenizer
from blurb_tune.models.tokens import add_tokens
from blurb_tune.release.answering import LABELS, as_released
from blurb_tune.release.folder import Facts
from blurb_tune.tasks.kinds import SPANS
from tests.release.hub import hub as hub
from tests.tracking.conftest import Sweep

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
ANSWERS = replace(PAIRS, kind="extractive question answering", fields=("question", "note"), labels=(), markers=())
TRIAL = "c001-s0"


def pytest_configure(config: pytest.Config) -> None:
    """What MLflow 3.17 and huggingface_hub 2.4 do that pandas and httpx want done otherwise."""
    for message in (
        "Operation with range is deprecated",
        "Use 'content=<...>' to upload raw bytes/text content",
    ):
        config.addinivalue_line("filterwarnings", f"ignore:{message}:DeprecationWarning")


def write_folder(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, facts: Facts) -> Path:
    """As `export` does."""
    kind = facts.as_task().kind
    labels = LABELS if kind == SPANS else facts.labels or ("score",)
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: number for number, label in enumerate(labels)}
    as_released(model, kind).save_pretrained(folder)
    tokenizer.model_max_length = facts.max_length
    tokenizer.save_pretrained(folder)
    facts.write(folder)
    (folder / "README.md").write_text("---\nlibrary_name: transformers\n---\n\n# notes\n")
    return folder


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Write the folder of a model of these facts, whose head is drawn from `seed`."""

    def make(facts: Facts = PAIRS, name: str = "model", seed: int = 0) -> Path:
        info, task = describe_model("tiny"), facts.as_task()
        tokenizer = load_tokenizer(info)
        pretrained = add_tokens(load_pretrained(info), tokenizer, facts.markers)
        model = build_classifier(pretrained, task.outputs, per_token=task.per_token)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():  # or all would be near to equally probable
            model.classifier.weight.normal_(0, 2, generator=generator)
            model.classifier.bias.zero_()
        return write_folder(tmp_path / name, model, tokenizer, facts)

    return make


@pytest.fixture
def make_ensemble(make_model: MakeModel) -> MakeModel:
    """Write the folder of an ensemble of three, for models of these facts."""

    def make(facts: Facts, name: str = "ensemble") -> Path:
        members = {f"c1-s{seed}": seed for seed in range(3)}
        models = [make_model(replace(facts, trial=run), f"{name}/{run}", seed) for run, seed in members.items()]
        replace(facts, members=tuple(members)).write(models[0].parent)
        return models[0].parent

    return make


@pytest.fixture
def won(tmp_path: Path) -> Iterator[Sweep]:
    """Eight seeds of vanilla and of what is better, on dev and on test."""
    sweep = Sweep(SweepPaths(tmp_path / "quick-abcd"))
    sweep.start(seeds=8)
    for name, values, base in (("c000", {}, 0.4), ("c001", {"freeze_depth": 2}, 0.8)):
        sweep.suggest(name, **values)
        for seed in range(8):
            sweep.trial(name, seed, Outcome.COMPLETED, [base + seed / 100])
        sweep.end_configuration(name, base)
    sweep.append(ev.SelectionMade, configuration="c001", reference="c000")
    for name, score in (("c000", 0.4), ("c001", 0.8)):
        for seed in range(8):
            sweep.append(ev.Tested, trial=f"{name}-s{seed}", examples=20, metrics={"pearson": score})
    sweep.finish()
    sweep.paths.spec.write_text("name: quick\ntask: demo\nmodel: tiny\n")
    yield sweep
    sweep.log.close()
