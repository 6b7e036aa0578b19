"""The final numbers: the test split is read once, when the search is over, for the winner and for vanilla."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import ray
from transformers import PreTrainedModel

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.core.seeds import derive
from blurb_tune.core.trial import Outcome, TrialConfig
from blurb_tune.execution.environment import TrialEnvironment
from blurb_tune.execution.prepare import encode_for
from blurb_tune.execution.slot import set_up_process
from blurb_tune.execution.weights import (
    drop_weights,
    load_weights,
    save_weights,
    weights_name,
)
from blurb_tune.log import events as ev
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.models.tokens import add_tokens
from blurb_tune.preflight import Plan
from blurb_tune.sweep.sweep import Sweep
from blurb_tune.tasks.data import load_test
from blurb_tune.tasks.features import Encoded
from blurb_tune.tasks.intervals import score_interval
from blurb_tune.tasks.metrics import TrivialPredictor, evaluate
from blurb_tune.training.data import FoldedData
from blurb_tune.training.fine_tuning import Weights
from blurb_tune.training.forward import Forward

# A Ctrl-C does not wait for the next result.
_SECONDS_PER_LOOK = 0.5


@dataclass(frozen=True)
class EndedTrial:
    """A trial whose model is to be tested, and how many evaluations it had when it ended."""

    trial: TrialConfig
    outcome: Outcome | None
    evaluations: int


@dataclass(frozen=True, eq=False)
class TestSet:
    """The test split in a model's tokens."""

    model: str
    encoded: Encoded
    pad_token_id: int


def run_final_test(plan: Plan, sweep: Sweep, environment: TrialEnvironment, interrupted: threading.Event) -> bool:
    """Test what has not been tested yet of the winner's and the reference's trials; whether all of it is done.

    Those of the confirmation seeds, where there are any: the other seeds were part of the choice.

    In the end only the winner's weights are left. Raises BlurbTuneError when the test split cannot be read.
    """
    selection = sweep.select()
    if selection is None or environment.weights is None:
        return True
    names = [name for name in (selection.configuration, selection.reference) if name]
    trials = [
        EndedTrial(sweep.config_of(trial), trial.outcome, len(trial.measurements))
        for name in names
        for trial in sweep.record.judged_apart(name)
        if sweep.record.score(trial) is not None and trial.trial_id not in sweep.record.tests
    ]
    if trials and plan.has_test:
        model = sweep.record.configurations[selection.configuration].configuration.model
        test = _test_set(plan, environment, selection, model)
        for event in _test_all(plan, environment, test, trials, interrupted):
            sweep.tested(event)
        if interrupted.is_set():
            return False
    winners = [*sweep.record.trials_of(selection.configuration), *sweep.record.confirmations_of(selection.configuration)]
    drop_weights(environment.weights, {weights_name(trial.trial_id, trial.attempt) for trial in winners})
    environment.weights.drop_unfinished()
    return True


def _test_set(plan: Plan, environment: TrialEnvironment, selection: ev.SelectionMade, model: str) -> TestSet:
    try:
        examples = load_test(plan.source, selection)
    except InputError as error:
        raise BlurbTuneError(
            f"the test split cannot be read:\n{error}\nThe search is over and nothing is lost: mend the data and run the same "
            "command again, or leave the test out with --set final_test=false"
        ) from None
    info = plan.models[model]
    tokenizer = load_tokenizer(info)
    # The model has the markers' rows already; this has the tokenizer know them.
    add_tokens(environment.models[model].pretrained, tokenizer, plan.task.markers)
    return TestSet(model, encode_for(plan, info, examples, tokenizer), tokenizer.pad_token_id)


def _test_all(
    plan: Plan, environment: TrialEnvironment, test: TestSet, trials: list[EndedTrial], interrupted: threading.Event
) -> Iterator[ev.Tested]:
    """Each trial's result as it comes in, from as many processes as there is room for, until `interrupted` is set."""
    alone = replace(environment, models={test.model: environment.models[test.model]})
    shared, on_test = ray.put(alone), ray.put(test)
    resources = plan.spec.resources
    tester = ray.remote(_test_trial).options(
        num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=1, retry_exceptions=True
    )
    running = {}
    for ended in trials:
        if ended.outcome is Outcome.DIVERGED:
            # It has no model, and counts with the trivial predictor's scores, as it does on dev.
            metrics = dict(_trivial_metrics(environment, test))
            yield ev.Tested(trial=ended.trial.trial_id, examples=len(test.encoded), metrics=metrics)
        else:
            running[tester.remote(shared, on_test, ended)] = ended.trial.trial_id
    while running and not interrupted.is_set():
        done, _ = ray.wait(list(running), timeout=_SECONDS_PER_LOOK)
        for reference in done:
            trial_id = running.pop(reference)
            try:
                yield ray.get(reference)
            except ray.exceptions.RayError as error:
                cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
                yield ev.Tested(trial=trial_id, examples=len(test.encoded), error=_in_a_line(cause))


def _in_a_line(error: BaseException) -> str:
    """What an error says, or its type where it says nothing, as a MemoryError does."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _test_trial(environment: TrialEnvironment, test: TestSet, ended: EndedTrial) -> ev.Tested:
    """Runs on the cluster: a trial's model on the test split."""
    set_up_process(environment.cpus, environment.device)
    model = environment.classifier(test.model, whole=True)
    has_weights = _restore(environment, model, ended.trial)
    if not has_weights:
        _load(model, _train_again(environment, ended))
    forward = Forward(
        model,
        environment.task,
        test.pad_token_id,
        precision=environment.settings.precision,
        micro_batch_size=1,
        eval_batch_size=environment.settings.eval_batch_size,
    )
    outputs = forward.outputs(test.encoded)
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
    trivial = TrivialPredictor.of(environment.task, train.labels, encoded.labels, encoded.words)
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
