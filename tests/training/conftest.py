from __future__ import annotations

import pytest

from blurb_tune.models.catalogue import describe_model
from blurb_tune.models.encoder import Pretrained, load_pretrained, load_tokenizer
from blurb_tune.tasks.data import load_split
from blurb_tune.tasks.features import encode
from blurb_tune.tasks.metrics import TrivialPredictor
from blurb_tune.tasks.task import find_task
from blurb_tune.training.fine_tuning import TrainingData


@pytest.fixture(scope="session")
def pretrained() -> Pretrained:
    """The tiny model's weights."""
    return load_pretrained(describe_model("tiny"))


@pytest.fixture(scope="session")
def data() -> TrainingData:
    """The demo task in the tiny model's tokens."""
    task, tokenizer = find_task("demo"), load_tokenizer(describe_model("tiny"))
    train, dev = (encode(load_split(task, None, split), tokenizer, 64, task) for split in ("train", "dev"))
    trivial = TrivialPredictor.of(task, train.labels, dev.labels)
    return TrainingData(task, train, dev, trivial, tokenizer.pad_token_id)
