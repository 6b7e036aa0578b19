from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from blurb_tune.training.engines.states_cache import StatesCache
from tests.disks import Disk

SHAPE = (50, 8)


def filled(value: float, calls: list[float] | None = None) -> Callable[[torch.Tensor], None]:
    def fill(values: torch.Tensor) -> None:
        values.fill_(value)
        if calls is not None:
            calls.append(value)

    return fill


def entries(folder: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in folder.glob("*.npy"))


def test_an_entry_is_made_once_and_mapped_after_that(tmp_path: Path) -> None:
    calls: list[float] = []
    cache = StatesCache(tmp_path / "states", 1e6)
    assert cache.find("a") is None
    assert torch.equal(cache.make("a", SHAPE, filled(1.5, calls)), torch.full(SHAPE, 1.5))
    assert torch.equal(StatesCache(tmp_path / "states", 1e6).make("a", SHAPE, filled(2.5, calls)), torch.full(SHAPE, 1.5))
    assert calls == [1.5]
    assert list((tmp_path / "states").iterdir()) == list((tmp_path / "states").glob("a-*.npy")), "nothing else is left"


def test_a_damaged_entry_is_made_anew(tmp_path: Path) -> None:
    cache = StatesCache(tmp_path, 1e6)
    cache.make("a", SHAPE, filled(1.0))
    (file,) = tmp_path.glob("a-*.npy")
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert cache.find("a") is None
    file.write_bytes(content[:100])
    assert torch.equal(cache.make("a", SHAPE, filled(3.0)), torch.full(SHAPE, 3.0))


def test_those_used_least_recently_go_first(tmp_path: Path) -> None:
    size = SHAPE[0] * SHAPE[1] * 4 + 128  # a header
    cache = StatesCache(tmp_path, 2.5 * size)
    for age, name in enumerate("ab"):
        cache.make(name, SHAPE, filled(0.0))
        (file,) = tmp_path.glob(f"{name}-*")
        os.utime(file, (1000 + age, 1000 + age))
    assert cache.find("a") is not None, "now the newer one"
    cache.make("c", SHAPE, filled(0.0))
    assert entries(tmp_path) == ["a", "c"]


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    assert StatesCache(tmp_path, 1600).has_room_for((50, 8))
    assert not StatesCache(tmp_path, 1599).has_room_for((50, 8))
    assert not StatesCache(tmp_path, 0).has_room_for((0, 8))


def test_without_a_disk_an_entry_is_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (None, tmp_path / "file" / "below"):
        cache = StatesCache(folder, 1e6)
        assert torch.equal(cache.make("a", SHAPE, filled(4.0)), torch.full(SHAPE, 4.0))
        assert cache.find("a") is None


def test_a_disk_without_room_is_noticed_before_it_is_written(disk: Disk) -> None:
    """A mapped file that cannot grow would end the process."""
    disk.fill()
    assert torch.equal(StatesCache(disk.folder, 1e6).make("a", SHAPE, filled(4.0)), torch.full(SHAPE, 4.0))
    assert [path.name for path in disk.folder.iterdir()] == ["filler"]


def test_an_error_while_an_entry_is_computed_goes_on_and_leaves_nothing(tmp_path: Path) -> None:
    def fail(values: torch.Tensor) -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        StatesCache(tmp_path, 1e6).make("a", SHAPE, fail)
    assert list(tmp_path.iterdir()) == []


def _make(folder: Path, started: str) -> float:
    def fill(values: torch.Tensor) -> None:
        with Path(started).open("a") as file:
            file.write("x")
        values.fill_(float(np.float32(os.getpid())))

    return float(StatesCache(folder, 1e9).make("a", (2000, 100), fill)[0, 0])


def test_processes_of_a_node_make_an_entry_together_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        values = pool.starmap(_make, [(tmp_path / "states", str(tmp_path / "started"))] * 4)
    assert len(set(values)) == 1
    assert (tmp_path / "started").read_text() == "x"


def test_what_a_killed_process_has_left_is_removed_and_counts_for_nothing(tmp_path: Path) -> None:
    size = SHAPE[0] * SHAPE[1] * 4 + 128
    cache = StatesCache(tmp_path, 2.5 * size)
    for name in "ab":
        (tmp_path / f".making-{name}-999999.npy").write_bytes(b"0" * 3 * size)
    cache.make("a", SHAPE, filled(1.0))
    cache.make("c", SHAPE, filled(2.0))
    assert entries(tmp_path) == [".making", "a", "c"], "that of b is for whoever makes b"
    cache.make("b", SHAPE, filled(3.0))
    assert ".making" not in entries(tmp_path)
