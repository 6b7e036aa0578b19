"""A trial's model on the test split, in a process of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from transformers import PreTrainedModel

from blurb_tune.core.seeds import derive
from blurb_tune.core.trial import Outcome, TrialConfig
from blurb_tune.execution.cleanup import weights_name
from blurb_tune.execution.environment import TrialEnvironment
from blurb_tune.execution.messages import EndedTrial
from blurb_tune.execution.prepare import encode_for
from blurb_tune.execution.slot import set_up_process
from blurb_tune.execution.weights import load_weights, save_weights
from blurb_tune.log import events as ev
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.models.tokens import add_tokens
from blurb_tune.preflight import Plan
from blurb_tune.tasks.checking.task_data import load_test
from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.tasks.scoring.intervals import score_interval
from blurb_tune.tasks.scoring.metrics import TrivialPredictor, evaluate
from blurb_tune.training.batch_runner import BatchRunner
from blurb_tune.training.fine_tuning import Weights
from blurb_tune.training.training_data import FoldedData


@dataclass(frozen=True, eq=False)
class TestSet:
    """The test split in a model's tokens."""

    model: str
    encoded: Encoded
    pad_token_id: int


def read_test(plan: Plan, environment: TrialEnvironment, selection: ev.SelectionMade, model: str) -> TestSet:
    """The test split, for which a selection must have been made. Raises InputError when it cannot be read."""
    examples = load_test(plan.source, selection)
    info = plan.models[model]
    tokenizer = load_tokenizer(info)
    # The model has the markers' rows already; this has the tokenizer know them.
    add_tokens(environment.models[model].pretrained, tokenizer, plan.task.markers)
    return TestSet(model, encode_for(plan, info, examples, tokenizer), tokenizer.pad_token_id)


def test_trial(environment: TrialEnvironment, test: TestSet, ended: EndedTrial) -> ev.Tested:
    """A trial's model on the test split, with the weights that it left, or trained again where those are gone."""
    if ended.outcome is Outcome.DIVERGED:
        # It has no model, and counts with the trivial predictor's scores, as it does on dev.
        metrics = dict(_trivial_metrics(environment, test))
        return ev.Tested(trial=ended.trial.trial_id, examples=len(test.encoded), metrics=metrics)
    set_up_process(environment.cpus, environment.device)
    model = environment.classifier(test.model, whole=True)
    has_weights = _restore(environment, model, ended.trial)
    if not has_weights:
        _load(model, _train_again(environment, ended))
    runner = BatchRunner(
        model,
        environment.task,
        test.pad_token_id,
        precision=environment.settings.precision,
        micro_batch_size=1,
        eval_batch_size=environment.settings.eval_batch_size,
    )
    outputs = runner.outputs(test.encoded)
    return replace(_result(ended.trial.trial_id, environment, test, outputs), trained_again=not has_weights)


def _restore(environment: TrialEnvironment, model: PreTrainedModel, trial: TrialConfig) -> bool:
    """Give the model the weights that the trial left; whether it left any that can be read and are this model's."""
    assert environment.weights is not None, "there is a test only where weights are kept"
    try:
        weights = load_weights(environment.weights, weights_name(trial.trial_id, trial.attempt))
    except OSError:
        return False
    if {name: tensor.shape for name, tensor in weights.items()} != {n: p.shape for n, p in model.named_parameters()}:
        return False
    _load(model, weights)
    return True


def _load(model: PreTrainedModel, weights: Weights) -> None:
    """Set all parameters; the buffers, which no training changes, stay as they are."""
    model.load_state_dict(weights, strict=False)


def _train_again(environment: TrialEnvironment, ended: EndedTrial) -> Weights:
    """Run a trial once more, to where it had ended, and keep its weights this time.

    They are gone where a disk was full, a driver was killed, or nobody had asked for the test when the trial ran.
    """
    trial, storage = ended.trial, environment.weights
    assert storage is not None, "there is a test only where weights are kept"
    data = environment.models[trial.configuration.model].fold(trial.fold)
    model = environment.classifier(trial.configuration.model)
    run = environment.fine_tuning(model, data, trial, environment.prefixes())
    for _ in range(ended.evaluations):
        run.advance()
    weights = run.weights()
    with suppress(OSError):
        save_weights(storage, weights_name(trial.trial_id, trial.attempt), weights)
    return weights


def _trivial_metrics(environment: TrialEnvironment, test: TestSet) -> Mapping[str, float]:
    """What the best constant predictor reaches on the test split."""
    data = environment.models[test.model].data
    train = data.examples if isinstance(data, FoldedData) else data.train
    encoded = test.encoded
    trivial = TrivialPredictor.of(environment.task, train.labels, encoded.labels, encoded.words, train.words)
    return trivial.metrics


def _result(trial_id: str, environment: TrialEnvironment, test: TestSet, outputs: np.ndarray) -> ev.Tested:
    encoded, metric = test.encoded, environment.settings.metric
    evaluation = evaluate(environment.task, outputs, encoded.labels, encoded.words)
    if math.isnan(evaluation.loss):
        is_unread = encoded.words is not None and not encoded.words.is_read.any()
        what = "the model reads no word of the test split" if is_unread else "its outputs on the test split are not all finite"
        return ev.Tested(trial=trial_id, examples=len(encoded), error=what)
    metrics = dict(evaluation.metrics)
    if any(map(math.isnan, metrics.values())):  # as on dev; what the labels leave undefined stays so
        trivial = _trivial_metrics(environment, test)
        metrics = {name: trivial[name] if math.isnan(value) else value for name, value in metrics.items()}
    interval = score_interval(
        environment.task, metric, outputs, encoded.labels, encoded.words, seed=derive(0, "test interval")
    )
    return ev.Tested(trial=trial_id, examples=len(encoded), metrics=metrics, interval=list(interval))
