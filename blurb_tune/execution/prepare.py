"""What the actors need, made once in the driver: pretrained weights and encoded examples."""

from __future__ import annotations

import math

import numpy as np

from blurb_tune.execution.actor import TrialEnvironment
from blurb_tune.execution.sweep import SweepFacts
from blurb_tune.models.encoder import load_pretrained, load_tokenizer
from blurb_tune.preflight import Plan
from blurb_tune.tasks.data import load_split
from blurb_tune.tasks.features import encode
from blurb_tune.tasks.metrics import TrivialPredictor, evaluate
from blurb_tune.tasks.task import Kind
from blurb_tune.training.fine_tuning import TrainingData, TrainingSettings


def prepare_environment(plan: Plan) -> TrialEnvironment:
    """Load the model's weights, read train and dev (never test) and turn them into tokens."""
    spec, task = plan.spec, plan.task
    tokenizer = load_tokenizer(plan.model)
    length = min(spec.training.max_length or task.max_length, plan.model.max_length)
    train = encode(load_split(task, plan.folder, "train"), tokenizer, length, task)
    dev = encode(load_split(task, plan.folder, "dev"), tokenizer, length, task)
    every = spec.training.eval_every
    return TrialEnvironment(
        pretrained=load_pretrained(plan.model),
        data=TrainingData(task, train, dev, TrivialPredictor.of(task, train.labels, dev.labels), tokenizer.pad_token_id),
        settings=TrainingSettings(
            metric=plan.metric,
            precision=spec.training.precision,
            eval_every=None if every == "epoch" else every,
            micro_batch_size=spec.training.micro_batch_size,
            eval_batch_size=spec.training.eval_batch_size,
        ),
        cpus=spec.resources.cpus,
        device="cuda" if spec.resources.gpus else "cpu",
    )


def facts_of(plan: Plan, environment: TrialEnvironment) -> SweepFacts:
    """The numbers from model and data by which the driver judges trials."""
    data = environment.data
    return SweepFacts(
        blocks=plan.model.blocks,
        train_examples=len(data.train.labels),
        trivial_loss=data.trivial.train_loss,
        trivial_score=_trivial_score(plan, data),
    )


def _trivial_score(plan: Plan, data: TrainingData) -> float:
    """The trivial predictor's dev score in the metric that the sweep maximises; 0 where that is undefined."""
    if plan.metric == plan.task.metric:
        return data.trivial.score
    outputs = np.zeros((len(data.dev.labels), plan.task.outputs))
    if plan.task.kind is Kind.CLASSIFICATION:
        outputs[:, np.bincount(data.train.labels).argmax()] = 1
    score = evaluate(plan.task, outputs, data.dev.labels).extra[plan.metric]
    return 0.0 if math.isnan(score) else score
