"""A few steps on the real files of every BLURB data set that is at hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from blurb_tune.core.trial import Configuration, Outcome
from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import Pretrained, build_classifier, load_tokenizer
from blurb_tune.models.tokens import add_tokens
from blurb_tune.tasks.blurb.definitions import BLURB
from blurb_tune.tasks.checking.task_data import load_data
from blurb_tune.tasks.encoding.features import encode
from blurb_tune.tasks.sources.data_source import find_source
from blurb_tune.tasks.task import Task
from blurb_tune.training.fine_tuning import FineTuning
from blurb_tune.training.training_data import TrainingData
from blurb_tune.training.training_settings import TrainingSettings
from tests.conftest import require_data

TRAIN, DEV = 16, 12

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("task", BLURB, ids=lambda task: task.name)
def test_every_data_set_can_be_learned_from(task: Task, pretrained: Pretrained, blurb_data: Path) -> None:
    source = find_source(task, str(blurb_data))
    require_data(source)
    data, tokenizer = load_data(source), load_tokenizer(describe_model("tiny"))
    grown = add_tokens(pretrained, tokenizer, task.markers)
    train, dev = (
        encode(examples[:size], tokenizer, task.max_length, task) for examples, size in ((data.train, TRAIN), (data.dev, DEV))
    )
    for marker in task.markers:
        number = tokenizer.convert_tokens_to_ids(marker)
        in_texts = sum(text.count(marker) for example in data.train[:TRAIN] for text in example.texts)
        assert np.count_nonzero(train.input_ids == number) == in_texts, f"{marker} is one token, and none is cut off"
    model = build_classifier(grown, task.outputs, per_token=task.per_token)
    trial = FineTuning(
        model,
        grown,
        TrainingData.of(task, train, dev, tokenizer.pad_token_id),
        TrainingSettings(metric=task.metric, precision="fp32", eval_every=2),
        Configuration(freeze_depth=1, decay_rate=0.9, reinit_count=1, batch_size=4, epochs=1, learning_rate=1e-3),
        seed=0,
    )
    first, last = trial.advance(), trial.advance()
    assert first.measurement is not None
    assert last.measurement is not None
    assert (first.measurement.step, last.measurement.step) == (2, 4)
    assert last.outcome in (Outcome.COMPLETED, Outcome.COLLAPSED)
    assert math.isfinite(last.measurement.train_loss)
    assert math.isfinite(last.measurement.dev_loss)
    assert {task.metric, *last.measurement.extra} == set(task.metrics)
