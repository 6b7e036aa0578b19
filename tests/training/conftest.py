from __future__ import annotations

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
def data() -> TrainingData:
    """The demo task in the tiny model's tokens."""
    task, tokenizer = find_task("demo"), load_tokenizer(describe_model("tiny"))
    examples = {split: parse(task, read_json_lines(demo.jsonl(split).encode(), split), split)[0] for split in ("train", "dev")}
    train, dev = (encode(examples[split], tokenizer, 64, task) for split in ("train", "dev"))
    return TrainingData.of(task, train, dev, tokenizer.pad_token_id)
