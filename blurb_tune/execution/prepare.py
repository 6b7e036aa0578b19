"""What the actors need, made once: pretrained weights and encoded examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.execution.environment import ModelEnvironment, TrialEnvironment
from blurb_tune.models.catalog import ModelInfo
from blurb_tune.models.encoder import load_pretrained, load_tokenizer
from blurb_tune.models.tokens import add_tokens
from blurb_tune.models.vocabulary import Vocabulary
from blurb_tune.preflight import Plan
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.tasks.checking.inspection import TaskData
from blurb_tune.tasks.checking.task_data import load_data
from blurb_tune.tasks.encoding.cache import cache_folder, cached_encode
from blurb_tune.tasks.encoding.features import Encoded, Tokenizer
from blurb_tune.tasks.examples import Example
from blurb_tune.training.training_data import FoldedData, TrainingData
from blurb_tune.training.training_settings import TrainingSettings


def prepare_environment(plan: Plan, say: Callable[[str], None] = lambda text: None) -> TrialEnvironment:
    """Load the models' weights, read train and dev (never test) and turn them into tokens. It keeps no trial's weights yet.

    say: called with what comes next. Raises InputError with every model whose weights cannot be used.
    """
    spec = plan.spec
    every = spec.training.eval_every
    say("reading the data")
    data = load_data(plan.source, cache=cache_folder())
    return TrialEnvironment(
        task=plan.task,
        models=_prepare_models(plan, data, say),
        settings=TrainingSettings(
            metric=plan.metric,
            score=spec.score,
            precision=spec.training.precision,
            eval_every=None if every == "epoch" else every,
            micro_batch_size=spec.training.micro_batch_size,
            eval_batch_size=spec.training.eval_batch_size,
            gradient_checkpointing=spec.training.gradient_checkpointing,
            select_best_checkpoint=spec.score == "best" and spec.keeps_weights,
            frozen_dropout=spec.training.frozen_dropout,
            early_stopping_patience=spec.training.early_stopping_patience,
            early_stopping_threshold=spec.training.early_stopping_threshold,
            crossed=(spec.crossed[0], spec.crossed[1]) if spec.crossed else None,
            cuda_graphs=spec.training.cuda_graphs,
        ),
        cpus=spec.resources.cpus,
        device="cuda" if spec.resources.gpus else "cpu",
        states_bytes=spec.training.prefix_cache_gb * 1e9,
        device_states_bytes=spec.training.prefix_gpu_gb * 1e9,
    )


def encode_for(plan: Plan, info: ModelInfo, examples: Sequence[Example], tokenizer: Tokenizer) -> Encoded:
    """Examples in a model's tokens, from the cache where they have been encoded before."""
    length = min(plan.spec.training.max_length or plan.task.max_length, info.max_length)
    return cached_encode(examples, tokenizer, length, plan.task, cache=cache_folder())


def _prepare_models(plan: Plan, data: TaskData, say: Callable[[str], None]) -> dict[str, ModelEnvironment]:
    models: dict[str, ModelEnvironment] = {}
    problems: list[Problem] = []
    for name, info in plan.models.items():
        try:
            models[name] = _prepare_model(plan, info, data, say)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return models


def _prepare_model(plan: Plan, info: ModelInfo, data: TaskData, say: Callable[[str], None]) -> ModelEnvironment:
    say(f"loading the model {info.name}")
    tokenizer = load_tokenizer(info)
    pretrained = add_tokens(load_pretrained(info), tokenizer, plan.task.markers)
    say(f"tokenizing {len(data.train) + len(data.dev):,} examples for {info.name}")
    parts = [encode_for(plan, info, part, tokenizer) for part in ((data.train,) if data.folds else (data.train, data.dev))]
    vocabulary = Vocabulary.of(pretrained, (part.input_ids for part in parts), tokenizer.pad_token_id)
    pad = int(vocabulary.renumber(np.array([tokenizer.pad_token_id]))[0])
    parts = [part.with_ids(vocabulary.renumber(part.input_ids)) for part in parts]
    if data.folds:
        folds = tuple(np.array(fold, dtype=np.int64) for fold in data.folds)
        return ModelEnvironment(pretrained, vocabulary, FoldedData(plan.task, parts[0], folds, pad))
    return ModelEnvironment(pretrained, vocabulary, TrainingData.of(plan.task, parts[0], parts[1], pad))


def facts_of(plan: Plan, environment: TrialEnvironment) -> SweepFacts:
    """The numbers from models and data by which the driver judges trials."""
    data = next(iter(environment.models.values())).data
    sizes: list[int] = []
    levels: list[TrivialLevel] = []
    if isinstance(data, FoldedData):
        for number in range(len(data.folds)):
            fold = data.fold(number)
            sizes.append(len(fold.train))
            levels.append(fold.trivial.level(plan.metric))
        everything = TrainingData.of(data.task, data.examples, data.examples, data.pad_token_id)
    else:
        everything = data
    level = everything.trivial.level(plan.metric)
    return SweepFacts(
        blocks={name: info.blocks for name, info in plan.models.items()},
        train_examples=sizes or [len(everything.train)],
        trivial_loss=level.loss,
        trivial_score=level.score,
        noise_bound=level.noise_bound,
        folds=len(sizes),
        levels=levels,
    )


def notes_of(plan: Plan, environment: TrialEnvironment, nodes: int) -> list[str]:
    """Non-fatal findings about the data, in the files and in each model's tokens, and about the cluster."""
    notes = list(plan.notes)
    if nodes > 1 and plan.spec.storage is None:
        notes.append(
            f"the cluster has {nodes} nodes, and `storage` names no place that all reach: a lost trial starts from scratch "
            "on another node, and the final test trains it again"
        )
    for name, model in environment.models.items():
        data = model.data
        parts = {"all": data.examples} if isinstance(data, FoldedData) else {"train": data.train, "dev": data.dev}
        for split, encoded in parts.items():
            if encoded.truncated:
                share = f"{encoded.truncated} of {len(encoded)} {split} examples ({encoded.truncated / len(encoded):.1%})"
                notes.append(f"{share} are longer than {name} reads here, and cut")
    return notes
