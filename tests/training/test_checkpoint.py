from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from blurb_tune.core.trial import Configuration
from blurb_tune.models.encoder import Pretrained, build_classifier
from blurb_tune.training.checkpoint import Checkpoint, DamagedError
from blurb_tune.training.fine_tuning import FineTuning
from blurb_tune.training.training_data import TrainingData
from tests.training.test_fine_tuning import MIXED, SETTINGS, numbers

PLAIN = Configuration(epochs=2, batch_size=8, learning_rate=1e-3)
STRATEGIES = {
    "vanilla": PLAIN,
    "mixed": dataclasses.replace(MIXED, epochs=2),
    "all blocks frozen": dataclasses.replace(PLAIN, freeze_depth=4),
    "BERTAdam": dataclasses.replace(MIXED, epochs=2, bias_correction=False, warmup_share=0.0, max_grad_norm=None),
}

KEEPING = {"precision": "bf16", "score": "best", "select_best_checkpoint": True, "eval_every": 4}


class Run:
    """A trial on a model of its own: nothing of the process that was lost is left."""

    def __init__(self, pretrained: Pretrained, data: TrainingData, configuration: Configuration, **settings: Any):
        torch.manual_seed(0)
        self.model = build_classifier(pretrained, data.task.outputs)
        self.trial = FineTuning(self.model, pretrained, data, dataclasses.replace(SETTINGS, **settings), configuration, seed=5)

    def to_its_end(self) -> list[dict[str, Any]]:
        reports = [self.trial.advance()]
        while reports[-1].outcome is None:
            reports.append(self.trial.advance())
        return [numbers(report) | {"outcome": report.outcome} for report in reports]


def kept(trial: FineTuning, file: Path) -> Checkpoint:
    """What a checkpoint is when it has been on a disk."""
    trial.checkpoint().save(file)
    return Checkpoint.load(file)


@pytest.mark.parametrize(
    ("name", "settings"), [*((name, {}) for name in STRATEGIES), ("mixed", KEEPING), ("all blocks frozen", KEEPING)]
)
def test_a_resumed_trial_gives_the_same_numbers_bit_for_bit(
    pretrained: Pretrained, data: TrainingData, tmp_path: Path, name: str, settings: dict[str, Any]
) -> None:
    """From after every step, at an evaluation and between two."""
    whole = Run(pretrained, data, STRATEGIES[name], **settings)
    saved: list[Path] = [tmp_path / "0"]
    whole.trial.checkpoint().save(saved[0])

    def save() -> None:
        saved.append(tmp_path / str(len(saved)))
        whole.trial.checkpoint().save(saved[-1])

    expected, ends = [], []
    while not expected or expected[-1]["outcome"] is None:
        report = whole.trial.advance(save)
        expected.append(numbers(report) | {"outcome": report.outcome})
        save()
        ends.append(len(saved))
    assert len(saved) == 12 + 1
    for number in (0, 4, 6, 9):
        again = Run(pretrained, data, STRATEGIES[name], **settings)
        again.trial.resume(Checkpoint.load(saved[number]))
        done = sum(end <= number + 1 for end in ends)
        assert again.to_its_end() == expected[done:], f"from step {number}"
        of_whole, of_again = whole.trial.weights(), again.trial.weights()
        assert of_whole.keys() == of_again.keys()
        assert all(torch.equal(of_whole[key], of_again[key]) for key in of_whole)


def test_a_checkpoint_does_not_change_when_training_goes_on(pretrained: Pretrained, data: TrainingData) -> None:
    run = Run(pretrained, data, MIXED)
    run.trial.advance()
    checkpoint = run.trial.checkpoint()
    before = {name: tensor.clone() for name, tensor in checkpoint.tensors.items()}
    run.trial.advance()
    assert all(torch.equal(before[name], checkpoint.tensors[name]) for name in before)


def test_seconds_add_up_over_the_parts(pretrained: Pretrained, data: TrainingData, tmp_path: Path) -> None:
    first = Run(pretrained, data, MIXED)
    measured = first.trial.advance().measurement
    again = Run(pretrained, data, MIXED)
    again.trial.resume(kept(first.trial, tmp_path / "file"))
    later = again.trial.advance().measurement
    assert measured is not None
    assert later is not None
    assert later.train_seconds > measured.train_seconds > 0
    assert later.eval_seconds > measured.eval_seconds > 0


def test_every_flipped_bit_and_every_cut_is_found(pretrained: Pretrained, data: TrainingData, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    small = Run(pretrained, data, Configuration(freeze_depth=4, epochs=3))
    small.trial.advance()
    small.trial.checkpoint().save(file)
    good = file.read_bytes()
    Checkpoint.load(file)
    positions = sorted({*range(0, len(good), max(1, len(good) // 200)), 0, 7, 8, 9, len(good) - 1})
    for position in positions:
        file.write_bytes(good[:position] + bytes([good[position] ^ 1 << position % 8]) + good[position + 1 :])
        with pytest.raises(DamagedError):
            Checkpoint.load(file)
    for length in (0, 1, 8, 100, len(good) // 2, len(good) - 1):
        file.write_bytes(good[:length])
        with pytest.raises(DamagedError):
            Checkpoint.load(file)


def test_the_checkpoint_of_another_strategy_is_refused(pretrained: Pretrained, data: TrainingData) -> None:
    other = Run(pretrained, data, Configuration(freeze_depth=2, epochs=3))
    other.trial.advance()
    with pytest.raises(KeyError):
        Run(pretrained, data, Configuration(epochs=3)).trial.resume(other.trial.checkpoint())
