"""A run of a sweep as a folder that Hugging Face's `from_pretrained` and `pipeline` load without a word of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution.cleanup import weights_name
from blurb_tune.execution.prepare import encode_for
from blurb_tune.execution.sweep_folder import storage_of
from blurb_tune.execution.weights import load_weights
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.models.encoder import build_classifier, load_pretrained, load_tokenizer, silence
from blurb_tune.models.families import family_of
from blurb_tune.models.tokens import add_tokens
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.release.calibration import temperature_of
from blurb_tune.release.card import write_card
from blurb_tune.release.choice import choose
from blurb_tune.release.folder import Facts, new_folder
from blurb_tune.release.loading import load_model
from blurb_tune.spec import load_spec
from blurb_tune.tasks.checking.task_data import load_data
from blurb_tune.tasks.encoding.cache import cache_folder
from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.kinds import REGRESSION, SPANS
from blurb_tune.tasks.scoring.metrics import evaluate
from blurb_tune.tasks.task import Task
from blurb_tune.training.batch_runner import BatchRunner

# In what a text's tokens are padded to, products are added up in another order.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Exported:
    """score: on dev, as the sweep's log has it. found: the same, by the folder that was written."""

    folder: Path
    trial: str
    why: str
    metric: str
    score: float
    found: float


def export(
    paths: SweepPaths,
    to: Path,
    *,
    trial: str | None = None,
    median: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Exported:
    """Write a run's model to the new folder `to`, with tokenizer, labels and a card; see `choice.choose` for which run.

    A regression's head gives scores in the unit of the data. The folder is read back and scored on dev before it is put in
    its place: it is what the sweep has measured, or it is not there.

    Raises InputError where the spec's data or model are gone or `to` is taken, and BlurbTuneError where the weights are gone.
    """
    record = SweepRecord.read(paths.events)
    choice = choose(record, trial, median=median)
    run = choice.trial
    judged = record.scored_measurement(run)
    assert judged is not None, "a run with a model has been measured"
    say("checking the spec and its data")
    plan = make_plan(load_spec(paths.spec, is_kept=True))
    if plan.task.kind == SPANS:
        raise BlurbTuneError(f"models for {SPANS.name} cannot be exported yet: Hugging Face has another head for them")
    info = plan.models[record.configurations[run.configuration_id].configuration.model]
    with new_folder(to) as folder:
        say(f"loading the model {info.name}")
        tokenizer = load_tokenizer(info)
        pretrained = add_tokens(load_pretrained(info), tokenizer, plan.task.markers)
        model = build_classifier(pretrained, plan.task.outputs, per_token=plan.task.per_token)
        _restore(model, _weights(plan, paths, run), run)
        dev = encode_for(plan, info, _dev(plan, run), tokenizer)
        precision = record.header.precision or "fp32"
        outputs = _outputs(model, plan.task, dev, tokenizer, precision, plan.spec.training.eval_batch_size)
        _to_the_unit_of_the_data(model, plan.task)
        _describe(model, plan.task)
        say("writing the folder")
        with silence():
            model.save_pretrained(folder)
        tokenizer.model_max_length = min(plan.spec.training.max_length or plan.task.max_length, info.max_length)
        tokenizer.save_pretrained(folder)
        facts = Facts(
            task=plan.task.name,
            kind=plan.task.kind.name,
            fields=plan.task.fields,
            labels=plan.task.labels,
            label_range=plan.task.scores.limits,
            markers=plan.task.markers,
            max_length=tokenizer.model_max_length,
            precision=precision,
            temperature=temperature_of(plan.task, outputs, dev),
            sweep=record.header.sweep_id,
            trial=run.trial_id,
        )
        facts.write(folder)
        write_card(folder, record, plan, choice, facts)
        say("reading it back")
        found = _score_of(folder, plan, dev, precision)
        if not abs(found - judged.dev_score) <= _TOLERANCE:
            raise BlurbTuneError(
                f"the weights of {run.trial_id} score {found:.4f} on dev, but the sweep measured {judged.dev_score:.4f}: they "
                "are not those of this run, or the data have changed; nothing was written"
            )
    return Exported(to, run.trial_id, choice.why, plan.metric, judged.dev_score, found)


def _weights(plan: Plan, paths: SweepPaths, run: TrialRecord) -> dict[str, torch.Tensor]:
    name = weights_name(run.trial_id, run.attempt)
    try:
        return load_weights(storage_of(plan.spec.storage, paths).child("weights"), name)
    except OSError as error:
        kept = "they are kept of the winner's runs where the spec says `final_test: true`"
        raise BlurbTuneError(f"the weights of {run.trial_id} cannot be read: {error}; {kept}") from None


def _restore(model: PreTrainedModel, weights: Mapping[str, torch.Tensor], run: TrialRecord) -> None:
    shapes = {name: tensor.shape for name, tensor in weights.items()}
    if shapes != {name: parameter.shape for name, parameter in model.named_parameters()}:
        raise BlurbTuneError(f"the weights of {run.trial_id} are not those of the model that the spec names")
    model.load_state_dict(weights, strict=False)


def _dev(plan: Plan, run: TrialRecord) -> list[Example]:
    """What the run was judged by: the dev split, or its fold."""
    data = load_data(plan.source, cache=cache_folder())
    if run.fold is None:
        return list(data.dev)
    return [data.train[row] for row in data.folds[run.fold]]


def _outputs(
    model: PreTrainedModel, task: Task, data: Encoded, tokenizer: PreTrainedTokenizerBase, precision: str, batch_size: int
) -> np.ndarray:
    runner = BatchRunner(
        model, task, tokenizer.pad_token_id, precision=precision, micro_batch_size=1, eval_batch_size=batch_size
    )
    return runner.outputs(data)


@torch.no_grad()
def _to_the_unit_of_the_data(model: PreTrainedModel, task: Task) -> None:
    """A regression learns (score - center) / scale; the head takes that back."""
    if task.kind != REGRESSION:
        return
    center, scale = task.scores.center or 0.0, task.scores.unit or 1.0
    head = model.get_submodule(family_of(model.config.model_type).head).modules()
    last = [module for module in head if isinstance(module, torch.nn.Linear)][-1]
    last.weight.mul_(scale)
    last.bias.mul_(scale).add_(center)


def _describe(model: PreTrainedModel, task: Task) -> None:
    config = model.config
    config.problem_type = task.kind.problem_type
    if task.labels:
        config.id2label = dict(enumerate(task.labels))
        config.label2id = {label: number for number, label in enumerate(task.labels)}
    else:
        config.id2label, config.label2id = {0: task.label_field}, {task.label_field: 0}


def _score_of(folder: Path, plan: Plan, dev: Encoded, precision: str) -> float:
    """The sweep's metric on dev, by the folder alone."""
    model, tokenizer, _ = load_model(folder)
    outputs = _outputs(model, plan.task, dev, tokenizer, precision, plan.spec.training.eval_batch_size)
    if plan.task.kind == REGRESSION:
        outputs = (outputs - (plan.task.scores.center or 0.0)) / (plan.task.scores.unit or 1.0)
    return evaluate(plan.task, outputs, dev.labels, dev.words).score
