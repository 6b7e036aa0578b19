from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
import torch

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.storage import FolderStorage
from blurb_tune.execution.cleanup import drop_weights, weights_name
from blurb_tune.execution.sweep_folder import storage_of
from blurb_tune.execution.weights import load_weights, save_weights


def test_weights_come_back_bit_by_bit(tmp_path: Path) -> None:
    weights = {"a": torch.randn(3, 4), "b": torch.tensor([float("nan"), -0.0])}
    save_weights(FolderStorage(tmp_path / "new" / "folder"), "c000-s0", weights)
    loaded = load_weights(FolderStorage(tmp_path / "new" / "folder"), "c000-s0")
    assert {name: tensor.numpy().tobytes() for name, tensor in loaded.items()} == {
        name: tensor.numpy().tobytes() for name, tensor in weights.items()
    }


def test_attempts_do_not_share_weights() -> None:
    """What an interrupted attempt left half trained must not be tested as the next one's."""
    names = [weights_name(trial, attempt) for trial in ("c000-s1", "c000-s1-f0") for attempt in range(1, 4)]
    assert names[:2] == ["c000-s1", "c000-s1-a2"]
    assert len(set(names)) == len(names)


def test_a_sweep_keeps_its_files_in_its_folder_or_in_its_part_of_the_object_store(tmp_path: Path) -> None:
    mine, yours = SweepPaths(tmp_path / "mine"), SweepPaths(tmp_path / "yours")
    assert storage_of(None, mine) == FolderStorage(mine.root)
    assert [storage_of("s3://bucket/team", paths).uri for paths in (mine, yours)] == [
        "s3://bucket/team/mine",
        "s3://bucket/team/yours",
    ]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    save_weights(FolderStorage(tmp_path), "c000-s0", {"a": torch.zeros(2)})
    with pytest.raises(Exception, match="contiguous"):
        save_weights(FolderStorage(tmp_path), "c000-s0", {"a": torch.zeros(2, 3).T})
    assert [file.name for file in tmp_path.iterdir()] == ["c000-s0.safetensors"]
    assert torch.equal(load_weights(FolderStorage(tmp_path), "c000-s0")["a"], torch.zeros(2))


def test_only_what_is_kept_stays_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for trial in ("c000-s0", "c000-s1", "c001-s0"):
        save_weights(FolderStorage(tmp_path), trial, {"a": torch.zeros(1)})
    (tmp_path / ".c002-s0.77.part").touch()
    (tmp_path / "notes.txt").touch()
    drop_weights(FolderStorage(tmp_path), {"c000-s1"})
    names = [".c002-s0.77.part", "c000-s1.safetensors", "notes.txt"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names, "another slot may be writing"
    FolderStorage(tmp_path).drop_unfinished()
    assert sorted(file.name for file in tmp_path.iterdir()) == names[1:]
    drop_weights(FolderStorage(tmp_path / "not there"), set())
    FolderStorage(tmp_path / "not there").drop_unfinished()


def test_a_full_disk_and_a_damaged_file_are_errors_of_the_system(tmp_path: Path) -> None:
    """The actor and the final test go on without the weights then."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            save_weights(FolderStorage(tmp_path), "c000-s0", {"a": torch.zeros(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())
    (tmp_path / "c000-s0.safetensors").write_bytes(b"cut")
    with pytest.raises(OSError, match="header"):
        load_weights(FolderStorage(tmp_path), "c000-s0")
