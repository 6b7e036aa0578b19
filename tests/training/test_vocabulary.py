"""Training with the token rows in use alone, and with all of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from blurb_tune.core.trial import Configuration
from blurb_tune.models.encoder import Pretrained, build_classifier
from blurb_tune.models.vocabulary import Vocabulary
from blurb_tune.training.fine_tuning import FineTuning, Weights
from blurb_tune.training.training_data import TrainingData
from tests.training.test_fine_tuning import SETTINGS

CONFIGURATIONS = {
    "vanilla": Configuration(epochs=2, learning_rate=1e-2, weight_decay=0.5),
    "decay": Configuration(epochs=2, learning_rate=1e-2, weight_decay=0.5, decay_rate=0.8),
    "BERTAdam": Configuration(epochs=2, learning_rate=1e-2, weight_decay=0.5, bias_correction=False),
    "freeze": Configuration(epochs=2, learning_rate=1e-2, weight_decay=0.5, freeze_depth=1),
    "mixout": Configuration(epochs=2, learning_rate=1e-2, weight_decay=0.5, mixout=0.3),
    "wdpre": Configuration(epochs=2, learning_rate=1e-2, weight_decay=0.5, pretrained_decay=0.5),
    "unfreeze": Configuration(epochs=3, learning_rate=1e-2, weight_decay=0.5, unfreeze_epochs=0.5),
}


def weights_after(
    pretrained: Pretrained, data: TrainingData, configuration: Configuration, vocabulary: Vocabulary | None, score: str
) -> Weights:
    settings = dataclasses.replace(SETTINGS, score=score, select_best_checkpoint=score == "best")
    model = build_classifier(pretrained, data.task.outputs)
    run = FineTuning(model, pretrained, data, settings, configuration, seed=1, vocabulary=vocabulary)
    while run.advance().outcome is None:
        pass
    return run.weights()


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("score", ["final", "best"])
def test_weights_are_those_of_training_with_all_rows(
    pretrained: Pretrained, demo_data: TrainingData, data: TrainingData, name: str, score: str
) -> None:
    """Rows that no text asks for have felt the weight decay of each step up to where the weights were taken, and no more."""
    if name == "unfreeze":
        data = demo_data  # half of it has too few steps behind the one at which the table joins
    vocabulary = Vocabulary.of(pretrained, (data.train.input_ids, data.dev.input_ids), data.pad_token_id)
    unused = np.setdiff1d(np.arange(len(vocabulary.table)), vocabulary.used)
    assert len(unused) > 100
    parts = (part.with_ids(vocabulary.renumber(part.input_ids)) for part in (data.train, data.dev))
    pad = int(vocabulary.renumber(np.array([data.pad_token_id]))[0])
    fewer = TrainingData.of(data.task, *parts, pad)
    whole = weights_after(pretrained, data, CONFIGURATIONS[name], None, score)
    compact = weights_after(vocabulary.compact(pretrained), fewer, CONFIGURATIONS[name], vocabulary, score)
    assert whole.keys() == compact.keys()
    for parameter, expected in whole.items():
        assert torch.allclose(compact[parameter], expected, rtol=1e-3, atol=1e-4), parameter
    table, expected = compact[vocabulary.parameter][unused], whole[vocabulary.parameter][unused]
    assert torch.allclose(table, expected, rtol=1e-6, atol=0)
    has_moved = not np.allclose(expected, vocabulary.table[unused], rtol=1e-3)
    rests = name in ("freeze", "wdpre") or (name == "unfreeze" and score == "best")  # which is before the table learns
    assert has_moved != rests, "or there is nothing to see"
