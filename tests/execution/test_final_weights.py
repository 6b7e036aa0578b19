"""What one trial's final test does with the weights that it finds, in one process."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from blurb_tune.core.storage import FolderStorage
from blurb_tune.core.trial import Configuration, Outcome, TrialConfig
from blurb_tune.execution.environment import TrialEnvironment
from blurb_tune.execution.messages import EndedTrial
from blurb_tune.execution.prepare import encode_for, prepare_environment
from blurb_tune.execution.testing import TestSet as EncodedTest
from blurb_tune.execution.testing import test_trial as outcome_on_test
from blurb_tune.execution.weights import load_weights, save_weights
from blurb_tune.log import events as ev
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.preflight import make_plan
from blurb_tune.spec import load_spec
from blurb_tune.tasks.checking.task_data import load_data
from blurb_tune.tasks.scoring.metrics import TrivialPredictor
from blurb_tune.training.fine_tuning import Weights

CONFIGURATION = Configuration(model="tiny", learning_rate=0.001, epochs=1)
ENDED = EndedTrial(TrialConfig("c000-s0", "c000", CONFIGURATION, 0), Outcome.COMPLETED, evaluations=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialEnvironment, EncodedTest]:
    """The demo task, whose dev examples stand for a test split."""
    file = tmp_path_factory.mktemp("spec") / "s.yaml"
    file.write_text(yaml.safe_dump({"task": "demo", "model": "tiny", "training": {"precision": "fp32"}}))
    plan = make_plan(load_spec(file))
    tokenizer = load_tokenizer(plan.models["tiny"])
    encoded = encode_for(plan, plan.models["tiny"], load_data(plan.source).dev, tokenizer)
    return prepare_environment(plan), EncodedTest("tiny", encoded, tokenizer.pad_token_id)


@pytest.fixture
def environment(prepared: tuple[TrialEnvironment, EncodedTest], tmp_path: Path) -> TrialEnvironment:
    return dataclasses.replace(prepared[0], weights=FolderStorage(tmp_path))


@pytest.fixture
def trained(environment: TrialEnvironment) -> Weights:
    """The weights that the trial had when it ended."""
    model, data = environment.classifier("tiny"), environment.models["tiny"].fold(None)
    run = environment.fine_tuning(model, data, ENDED.trial)
    run.advance()
    return {name: tensor.clone() for name, tensor in run.weights().items()}


def outcome_of(environment: TrialEnvironment, test: EncodedTest, weights: Weights) -> ev.Tested:
    assert environment.weights is not None
    save_weights(environment.weights, ENDED.trial.trial_id, weights)
    return outcome_on_test(environment, test, ENDED)


def without(weights: Weights, name: str) -> Weights:
    return {n: tensor for n, tensor in weights.items() if n != name}


def test_weights_that_were_kept_are_tested_as_they_are(
    prepared: tuple[TrialEnvironment, EncodedTest], environment: TrialEnvironment, trained: Weights
) -> None:
    """Also in a model that stands elsewhere: nothing of it remains."""
    found = outcome_of(environment, prepared[1], trained)
    assert (found.trained_again, found.error, found.examples) == (False, "", len(prepared[1].encoded))
    changed = outcome_of(environment, prepared[1], {name: tensor * 1.5 for name, tensor in trained.items()})
    assert not changed.trained_again
    assert changed.metrics != found.metrics


DAMAGES: dict[str, Any] = {
    "no head": lambda weights: without(weights, "classifier.weight"),
    "nothing": lambda weights: {"other": torch.zeros(1)},
    "one tensor more": lambda weights: weights | {"other": torch.zeros(1)},
    "another name": lambda weights: without(weights, "classifier.bias") | {"head.bias": weights["classifier.bias"]},
    "another shape": lambda weights: weights | {"classifier.weight": torch.zeros(7, 32)},
    "as many numbers in another shape": lambda weights: (
        weights | {"classifier.weight": weights["classifier.weight"].T.contiguous()}
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_weights_that_are_not_the_model_s_are_trained_again(
    prepared: tuple[TrialEnvironment, EncodedTest], environment: TrialEnvironment, trained: Weights, damage: Any
) -> None:
    """Bit for bit, and are kept then."""
    assert environment.weights is not None
    expected = outcome_of(environment, prepared[1], trained)
    found = outcome_of(environment, prepared[1], damage(trained))
    assert found.trained_again
    assert (found.metrics, found.interval, found.error) == (expected.metrics, expected.interval, "")
    again = load_weights(environment.weights, ENDED.trial.trial_id)
    assert again.keys() == trained.keys()
    assert all(torch.equal(again[name], trained[name]) for name in trained)


def test_an_undefined_score_is_the_trivial_predictor_s_where_the_labels_leave_it_any(
    prepared: tuple[TrialEnvironment, EncodedTest], environment: TrialEnvironment, trained: Weights
) -> None:
    task, test, train = environment.task, prepared[1], environment.models["tiny"].fold(None).train
    constant = trained | {"classifier.weight": torch.zeros_like(trained["classifier.weight"])}
    found = outcome_of(environment, test, constant)
    trivial = TrivialPredictor.of(task, train.labels, test.encoded.labels)
    assert found.metrics["pearson"] == trivial.score == 0.0
    assert found.metrics["mse"] > trivial.metrics["mse"], "what is defined is the run's own"
    alike = dataclasses.replace(test.encoded, labels=np.full_like(test.encoded.labels, 2.0))
    found = outcome_of(environment, dataclasses.replace(test, encoded=alike), trained)
    assert math.isnan(found.metrics["pearson"])
    assert math.isnan(TrivialPredictor.of(task, train.labels, alike.labels).score)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_outputs_that_are_not_finite_are_a_fault_and_not_a_score(
    prepared: tuple[TrialEnvironment, EncodedTest], environment: TrialEnvironment, trained: Weights, value: float
) -> None:
    """The run was finite on dev, so this says nothing of its recipe."""
    found = outcome_of(environment, prepared[1], trained | {"classifier.bias": torch.tensor([value])})
    assert found.error == "its outputs on the test split are not all finite"
    assert (found.metrics, found.interval, found.trained_again) == ({}, [], False)
