from __future__ import annotations

from pathlib import Path

import pytest
import torch

from blurb_tune.execution.weights import drop_weights, load_weights, save_weights


def test_weights_come_back_bit_by_bit(tmp_path: Path) -> None:
    weights = {"a": torch.randn(3, 4), "b": torch.tensor([float("nan"), -0.0])}
    save_weights(tmp_path / "new" / "folder", "c000-s0", weights)
    loaded = load_weights(tmp_path / "new" / "folder", "c000-s0")
    assert {name: tensor.numpy().tobytes() for name, tensor in loaded.items()} == {
        name: tensor.numpy().tobytes() for name, tensor in weights.items()
    }


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    save_weights(tmp_path, "c000-s0", {"a": torch.zeros(2)})
    with pytest.raises(Exception, match="contiguous"):
        save_weights(tmp_path, "c000-s0", {"a": torch.zeros(2, 3).T})
    assert [file.name for file in tmp_path.iterdir()] == ["c000-s0.safetensors"]
    assert torch.equal(load_weights(tmp_path, "c000-s0")["a"], torch.zeros(2))


def test_only_what_is_kept_stays_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for trial in ("c000-s0", "c000-s1", "c001-s0"):
        save_weights(tmp_path, trial, {"a": torch.zeros(1)})
    (tmp_path / ".c002-s0.77.part").touch()
    (tmp_path / "notes.txt").touch()
    drop_weights(tmp_path, {"c000-s1"})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c000-s1.safetensors", "notes.txt"]
    drop_weights(tmp_path / "not there", set())
