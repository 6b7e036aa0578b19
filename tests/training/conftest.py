from __future__ import annotations

import numpy as np
import pytest

from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import Pretrained, load_pretrained, load_tokenizer
from blurb_tune.tasks.blurb import demo
from blurb_tune.tasks.blurb.definitions import find_task
from blurb_tune.tasks.checking.parsing import parse
from blurb_tune.tasks.encoding.features import encode
from blurb_tune.tasks.sources.readers import read_json_lines
from blurb_tune.training.training_data import TrainingData


@pytest.fixture(scope="session")
def pretrained() -> Pretrained:
    """The tiny model's weights."""
    return load_pretrained(describe_model("tiny"))


@pytest.fixture(scope="session")
def demo_data() -> TrainingData:
    """The demo task in the tiny model's tokens: 96 examples to learn from, 48 of dev."""
    task, tokenizer = find_task("demo"), load_tokenizer(describe_model("tiny"))
    examples = {split: parse(task, read_json_lines(demo.jsonl(split).encode(), split), split)[0] for split in ("train", "dev")}
    train, dev = (encode(examples[split], tokenizer, 64, task) for split in ("train", "dev"))
    return TrainingData.of(task, train, dev, tokenizer.pad_token_id)


@pytest.fixture(scope="session")
def data(demo_data: TrainingData) -> TrainingData:
    """Half of it: six batches of eight."""
    return first(demo_data, len(demo_data.train) // 2, len(demo_data.dev) // 2)


@pytest.fixture(scope="session")
def few_data(demo_data: TrainingData) -> TrainingData:
    """Two batches of eight, and as many examples of dev."""
    return first(demo_data, 16, 16)


def first(data: TrainingData, train: int, dev: int) -> TrainingData:
    """So many of its examples."""
    parts = data.train.take(np.arange(train)), data.dev.take(np.arange(dev))
    return TrainingData.of(data.task, *parts, data.pad_token_id)
