"""What every registered kind of task promises, held to its own example rows."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import scipy
import torch
from transformers.trainer_pt_utils import LabelSmoother

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.checking.task_data import inspect
from blurb_tune.tasks.data_set import plain_name
from blurb_tune.tasks.encoding.features import Encoded, encode
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.kinds import KINDS, find_kind
from blurb_tune.tasks.scoring.intervals import score_interval
from blurb_tune.tasks.scoring.metrics import TrivialPredictor, evaluate
from blurb_tune.tasks.sources.custom import custom_source
from blurb_tune.tasks.task import Task


@dataclass(frozen=True)
class Sample:
    """The rows of a kind, read as train and dev, and what a model without skill says of them."""

    task: Task
    examples: tuple[Example, ...]
    encoded: Encoded

    def outputs(self, seed: int) -> np.ndarray:
        outputs = np.random.default_rng(seed).normal(size=(len(self.encoded.labels), self.task.outputs))
        if self.encoded.words is not None:
            outputs[~self.encoded.words.is_read] = np.nan
        return outputs.astype(np.float32)


@pytest.fixture(params=KINDS.values(), ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def sample(kind: Kind, tmp_path: Path) -> Sample:
    texts = [f"text{number}" for number in range(1, len(kind.rows[0]))]
    for split in ("train", "dev"):
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([(*texts, "label"), *kind.rows])
    settings = {"train": "train.csv", "dev": "dev.csv", "text": texts, "label": "label", "kind": kind.name}
    found = inspect(custom_source(TaskSpec.model_validate(settings), tmp_path))
    assert found.problems == ()
    assert found.data is not None
    task, examples = found.source.task, tuple(found.data.train)
    assert task.kind == kind
    return Sample(task, examples, encode(examples, load_tokenizer(describe_model("tiny")), 64, task))


def test_words_are_of_one_kind_alone() -> None:
    words = [plain_name(word) for kind in KINDS.values() for word in (kind.name, *kind.words)]
    assert sorted(words) == sorted(set(words))


def test_a_kind_is_found_by_its_words_in_any_spelling(kind: Kind) -> None:
    for word in (kind.name, *kind.words):
        assert find_kind(word) == find_kind(word.upper().replace(" ", "_")) == kind
    with pytest.raises(BlurbTuneError, match=f"did you mean {kind.name!r}"):
        find_kind(f"{kind.name}x")


def test_labels_are_written_as_they_are_read(sample: Sample) -> None:
    task, kind = sample.task, sample.task.kind
    for example in sample.examples:
        plain = len(task.fields) if kind.word_field is None else kind.word_field
        texts = [*example.texts[:plain], *([" ".join(example.texts[plain:])] if task.per_token else [])]
        row = {**dict(zip(task.fields, texts, strict=True)), task.label_field: kind.write_label(task, example)}
        row.update({name: list(example.texts[plain:]) for name in kind.word_list_fields(task)})
        assert kind.label_faults(task, row) == []
        assert kind.read_label(task, row) == example.label


def test_a_label_of_another_type_is_a_fault(sample: Sample) -> None:
    row = dict.fromkeys(sample.task.fields, "a text")
    for label in (None, {"a": 1}, math.nan):
        assert sample.task.kind.label_faults(sample.task, {**row, sample.task.label_field: label}) != []


def test_each_example_is_in_a_stratum(sample: Sample) -> None:
    assert len(sample.task.kind.strata(sample.task, sample.examples)) == len(sample.examples)
    assert len(sample.task.kind.distinct(sample.examples)) > 1


def test_every_metric_is_computed_with_its_interval(sample: Sample) -> None:
    task, encoded, outputs = sample.task, sample.encoded, sample.outputs(1)
    evaluation = evaluate(task, outputs, encoded.labels, encoded.words)
    assert set(evaluation.metrics) == set(task.kind.metric_names(task))
    assert math.isfinite(evaluation.loss)
    for name, score in evaluation.metrics.items():
        low, high = score_interval(task, name, outputs, encoded.labels, encoded.words, seed=0)
        assert low <= score <= high


def test_a_default_score_is_one_that_rises_with_skill(kind: Kind) -> None:
    assert kind.default_metric in kind.usable_metrics


def test_there_is_a_level_that_runs_must_leave(sample: Sample) -> None:
    task, encoded = sample.task, sample.encoded
    trivial = TrivialPredictor.of(task, encoded.labels, encoded.labels, encoded.words, encoded.words)
    assert math.isfinite(trivial.train_loss)
    for name in set(task.metrics) & set(task.kind.usable_metrics):
        level = trivial.level(name)
        assert math.isfinite(level.score)
        assert level.noise_bound >= level.score


@pytest.mark.parametrize("max_length", [64, 9], ids=["whole texts", "cut texts"])
def test_the_trivial_loss_is_that_of_the_best_constant_outputs(sample: Sample, max_length: int) -> None:
    task = sample.task
    encoded = encode(sample.examples, load_tokenizer(describe_model("tiny")), max_length, task)

    def loss(output: np.ndarray) -> float:
        outputs = np.broadcast_to(output, (len(encoded.labels), task.outputs))
        return evaluate(task, outputs, encoded.labels, encoded.words).loss

    best = scipy.optimize.minimize(loss, np.zeros(task.outputs))
    assert task.kind.trivial_loss(task, encoded.labels, encoded.words) == pytest.approx(best.fun, rel=1e-6)


def test_what_is_trained_on_is_the_loss_that_is_reported(sample: Sample) -> None:
    task, encoded = sample.task, sample.encoded
    rows = np.arange(len(encoded))
    outputs = sample.outputs(2)
    read = torch.from_numpy(outputs[encoded.units(rows)])
    loss = task.kind.loss(read, torch.from_numpy(encoded.labels[encoded.units(rows)]), encoded.sizes(rows))
    assert loss.item() == pytest.approx(evaluate(task, outputs, encoded.labels, encoded.words).loss, rel=1e-5)


def test_smoothed_labels_are_those_of_transformers_and_those_by_hand(sample: Sample) -> None:
    task, encoded, outputs = sample.task, sample.encoded, sample.outputs(4)
    if not task.kind.smooths_labels:
        pytest.skip("its loss is not the cross-entropy of one class among several")
    units = encoded.units(np.arange(len(encoded)))
    read, labels = torch.from_numpy(outputs[units]), torch.from_numpy(encoded.labels[units])
    shares = scipy.special.log_softmax(outputs[units].astype(np.float64), axis=1)
    for factor in (0.1, 0.6):
        found = task.kind.smoothed_loss(read, labels, factor).item()
        assert found == pytest.approx(LabelSmoother(factor)({"logits": read}, labels).item(), rel=1e-5)
        mixed = (1 - factor) * np.eye(task.outputs)[labels] + factor / task.outputs
        assert found == pytest.approx(-(mixed * shares).sum(axis=1).mean(), rel=1e-5)
    assert task.kind.smoothed_loss(read, labels, 0.0) == task.kind.loss(read, labels, encoded.sizes(np.arange(len(encoded))))


def test_losses_of_parts_add_up_to_that_of_the_whole(sample: Sample) -> None:
    task, encoded, outputs = sample.task, sample.encoded, sample.outputs(3)

    def loss_and_terms(rows: list[int]) -> tuple[float, int]:
        units, sizes = encoded.units(np.array(rows)), encoded.sizes(np.array(rows))
        labels = encoded.labels[units]
        loss = task.kind.loss(torch.from_numpy(outputs[units]), torch.from_numpy(labels), sizes)
        return loss.item(), task.kind.terms(labels, sizes)

    whole, total = loss_and_terms(list(range(len(encoded))))
    parts = [loss_and_terms(list(part)) for part in zip(range(0, len(encoded), 2), range(1, len(encoded), 2), strict=True)]
    assert sum(loss * terms for loss, terms in parts) / total == pytest.approx(whole, rel=1e-5)
    assert sum(terms for _, terms in parts) == total


def test_the_page_on_own_data_has_the_kind(kind: Kind) -> None:
    page = Path("docs/own-data.md").read_text()
    assert f"| `{kind.name}` |" in page
    assert f"`{kind.default_metric}`" in page


def test_what_is_said_to_people_is_plain_data_for_each_example(sample: Sample) -> None:
    task, words = sample.task, sample.encoded.words
    outputs = sample.outputs(0).astype(np.float64)
    found = list(task.kind.answers(task, outputs, 2.0, words))
    assert len(found) == len(sample.examples)
    assert {tuple(answer) for answer in found} == {task.kind.added}, "a table has the same columns in every row"
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for cold, hot in zip(found, task.kind.answers(task, outputs, 20.0, words), strict=True):
        assert [cold.get(name) for name in ("prediction", "tags")] == [hot.get(name) for name in ("prediction", "tags")]


def test_an_example_without_a_label_can_be_encoded(sample: Sample) -> None:
    task, plain = sample.task, sample.task.kind.word_field
    blank = [
        replace(example, label=task.kind.blank_label(task, 0 if plain is None else len(example.texts) - plain))
        for example in sample.examples
    ]
    encoded = encode(blank, load_tokenizer(describe_model("tiny")), 64, task)
    np.testing.assert_array_equal(encoded.input_ids, sample.encoded.input_ids)
    assert encoded.labels.shape == sample.encoded.labels.shape
