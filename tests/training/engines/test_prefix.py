from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from blurb_tune.core.trial import Configuration
from blurb_tune.models.encoder import Pretrained, build_classifier
from blurb_tune.training.batch_runner import BatchRunner
from blurb_tune.training.engines.prefix import Prefixes
from blurb_tune.training.engines.states_cache import StatesCache
from blurb_tune.training.fine_tuning import FineTuning
from blurb_tune.training.training_data import FoldedData, TrainingData
from blurb_tune.training.training_settings import TrainingSettings
from tests.training.test_fine_tuning import SETTINGS, numbers

FROZEN = Configuration(freeze_depth=2, decay_rate=0.9, reinit_count=1, epochs=2, learning_rate=1e-3)


class Slot:
    """Trials on one model, with a cache that outlives it."""

    def __init__(self, pretrained: Pretrained, folder: Path | None, limit: float = 1e9):
        self.pretrained = pretrained
        self.model = build_classifier(pretrained, 1)
        self.prefixes = Prefixes(StatesCache(folder, limit))

    def run(
        self, data: TrainingData, configuration: Configuration, seed: int = 0, settings: TrainingSettings = SETTINGS
    ) -> list:
        trial = FineTuning(self.model, self.pretrained, data, settings, configuration, seed, self.prefixes)
        reports = [trial.advance()]
        while reports[-1].outcome is None:
            reports.append(trial.advance())
        return [numbers(report) for report in reports]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int | None]]:
    """Each computation of states: behind which block, and from which on."""
    done = []
    fill = BatchRunner.fill_states

    def counted(self, values, data, depth, below):  # type: ignore[no-untyped-def]
        done.append((depth, below.depth if below else None))
        fill(self, values, data, depth, below)

    monkeypatch.setattr(BatchRunner, "fill_states", counted)
    return done


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_numbers_whatever_the_cache_held(
    pretrained: Pretrained, few_data: TrainingData, tmp_path: Path, passes: list[tuple[int, int | None]], precision: str
) -> None:
    """Computed in memory, written to disk, found there by another process's slot, or begun from a lower block's."""
    settings = dataclasses.replace(SETTINGS, precision=precision)
    alone = Slot(pretrained, None).run(few_data, FROZEN, settings=settings)
    assert passes == [(2, None)] * 2, "train and dev"
    assert Slot(pretrained, tmp_path / "a").run(few_data, FROZEN, settings=settings) == alone
    passes.clear()
    assert Slot(pretrained, tmp_path / "a").run(few_data, FROZEN, settings=settings) == alone
    assert passes == []
    slot = Slot(pretrained, tmp_path / "b")
    slot.run(few_data, dataclasses.replace(FROZEN, freeze_depth=1), settings=settings)
    assert slot.run(few_data, FROZEN, settings=settings) == alone
    assert passes == [(1, None)] * 2 + [(2, 1)] * 2
    assert slot.run(few_data, FROZEN, seed=3, settings=settings) != alone
    assert len(passes) == 4, "another seed needs no other states"


def test_without_room_the_states_are_computed_in_each_step(pretrained: Pretrained, data: TrainingData, tmp_path: Path) -> None:
    kept = Slot(pretrained, tmp_path).run(data, FROZEN)
    anew = Slot(pretrained, tmp_path, limit=0).run(data, FROZEN)
    for ours, theirs in zip(anew, kept, strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-3)
        assert ours["dev_score"] == pytest.approx(theirs["dev_score"], abs=1e-2)


def test_other_weights_data_or_precision_have_states_of_their_own(
    pretrained: Pretrained, data: TrainingData, tmp_path: Path, passes: list[tuple[int, int | None]]
) -> None:
    once = dataclasses.replace(FROZEN, epochs=1)
    Slot(pretrained, tmp_path).run(data, once)
    name = next(name for name in pretrained.weights if ".layer.1." in name)
    moved = {**pretrained.weights, name: pretrained.weights[name] + np.float32(1e-3)}
    for slot, changed, settings in (
        (Slot(dataclasses.replace(pretrained, weights=moved), tmp_path), data, SETTINGS),
        (Slot(pretrained, tmp_path), TrainingData.of(data.task, data.train.take(np.arange(40)), data.dev, 0), SETTINGS),
        (Slot(pretrained, tmp_path), data, dataclasses.replace(SETTINGS, precision="bf16")),
        (Slot(pretrained, tmp_path), data, dataclasses.replace(SETTINGS, eval_batch_size=32)),
    ):
        before = len(passes)
        slot.run(changed, once, settings=settings)
        assert len(passes) > before
    above = next(name for name in pretrained.weights if ".layer.3." in name)
    moved = {**pretrained.weights, above: pretrained.weights[above] + np.float32(1e-3)}
    before = len(passes)
    Slot(dataclasses.replace(pretrained, weights=moved), tmp_path).run(data, once)
    assert len(passes) == before, "the weights above the frozen part do not matter"


def test_folds_share_the_states_of_all_examples(
    pretrained: Pretrained, data: TrainingData, tmp_path: Path, passes: list[tuple[int, int | None]]
) -> None:
    folds = tuple(np.arange(start, len(data.train), 3) for start in range(3))
    folded = FoldedData(data.task, data.train, folds, data.pad_token_id)
    once = dataclasses.replace(FROZEN, epochs=1)
    slot = Slot(pretrained, tmp_path)
    for number in range(3):
        slot.run(folded.fold(number), once)
    assert passes == [(2, None)]
    fold = folded.fold(1)
    alone = dataclasses.replace(fold, train_from=None, dev_from=None)
    ours, theirs = slot.run(fold, once)[-1], Slot(pretrained, None).run(alone, once)[-1]
    assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-3)
    assert ours["dev_score"] == pytest.approx(theirs["dev_score"], abs=1e-2)


def test_frozen_dropout_gives_frozen_blocks_dropout(
    pretrained: Pretrained, data: TrainingData, passes: list[tuple[int, int | None]]
) -> None:
    without = Slot(pretrained, None).run(data, FROZEN)
    passes.clear()
    with_dropout = Slot(pretrained, None).run(data, FROZEN, settings=dataclasses.replace(SETTINGS, frozen_dropout=True))
    assert passes == []
    assert with_dropout[0]["train_loss"] != without[0]["train_loss"]
    for module in Slot(pretrained, None).model.modules():
        assert "forward" not in module.__dict__ or not isinstance(module, torch.nn.Dropout)


def test_frozen_blocks_stay_as_they_are(pretrained: Pretrained, data: TrainingData) -> None:
    slot = Slot(pretrained, None)
    slot.run(data, FROZEN)
    for name, parameter in slot.model.named_parameters():
        if ".layer.0." in name or ".layer.1." in name or ".embeddings." in name:
            assert np.array_equal(parameter.detach().numpy(), pretrained.weights[name]), name
