"""Small trials in a slot, for the tests of what techniques do in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch

from blurb_tune.core.trial import Configuration
from blurb_tune.models.encoder import build_classifier, restore_weights
from blurb_tune.tasks.encoding.features import collate
from blurb_tune.training.engines.prefix import Prefixes
from blurb_tune.training.fine_tuning import FineTuning, Weights
from blurb_tune.training.training_data import TrainingData
from blurb_tune.training.training_settings import TrainingSettings
from tests.models.encoders import make_pretrained
from tests.training.engines.test_engines import TASKS, examples, pad_of

BLOCKS, STEPS = 3, 2
# An evaluation in the middle of the training: one at its end would be judged too, which takes longer than all the steps.
BASE = Configuration(epochs=2, batch_size=4, learning_rate=1e-2, warmup_share=0.0, weight_decay=0.1)


@cache
def data_of(family: str, per_token: bool) -> TrainingData:
    some = examples(per_token, has_segments=family == "bert")
    return TrainingData.of(TASKS[per_token], some, some, pad_of(family))


class Slot:
    """A model that trials run on, one after the other."""

    def __init__(self, family: str, per_token: bool):
        self.pretrained, self.data = make_pretrained(family, num_hidden_layers=BLOCKS), data_of(family, per_token)
        self.per_token = per_token
        self.settings = TrainingSettings(metric=TASKS[per_token].metrics[0], precision="fp32", eval_every=STEPS)
        self.model = self.build()

    def build(self) -> Any:
        return build_classifier(self.pretrained, 3, per_token=self.per_token)

    def start(self, seed: int = 4, prefixes: Prefixes | None = None, **axes: Any) -> FineTuning:
        configuration = replace(BASE, **axes)
        return FineTuning(self.model, self.pretrained, self.data, self.settings, configuration, seed, prefixes)

    @cached_property
    def plain(self) -> tuple[float, ...]:
        """What vanilla fine-tuning measures, in a slot of its own."""
        return measure(Slot(self.pretrained.family, self.per_token).start())

    @cached_property
    def witness(self) -> Any:
        """A model that no trial runs on."""
        return self.build()

    def outputs(self, weights: Weights) -> np.ndarray:
        """What that one says of dev with these weights, by transformers alone."""
        restore_weights(self.witness, self.pretrained)
        assert weights.keys() == dict(self.witness.named_parameters()).keys()
        self.witness.load_state_dict(weights, strict=False)
        return by_transformers(self.witness, self.data)


def by_transformers(model: Any, data: TrainingData) -> np.ndarray:
    """What a model says of all that it reads of dev, (units, outputs)."""
    dev = data.dev
    rows = np.arange(len(dev))
    batch = {name: torch.from_numpy(values) for name, values in collate(dev, rows, data.pad_token_id).items()}
    with torch.no_grad():
        logits = model.eval()(**batch).logits
    positions = dev.positions(rows)
    return (logits if positions is None else logits.flatten(0, 1)[torch.from_numpy(positions)]).numpy()


def measure(trial: FineTuning, after_step: Callable[[], None] = lambda: None) -> tuple[float, ...]:
    """What the first evaluation measures, to the last bit."""
    measured = trial.advance(after_step).measurement
    assert measured is not None
    return measured.step, measured.train_loss, measured.dev_loss, measured.dev_score, measured.grad_norm


def without_dropout(model: torch.nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
