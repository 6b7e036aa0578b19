"""Hidden states, in fp32, on a node's disk, mapped into the memory of all trials there.

An entry is one .npy file, named by what it was made from and by its checksum. Entries are made once, by whoever comes first,
and can be deleted at any time; those that were used least recently are, once all together are larger than the limit.
"""

from __future__ import annotations

import math
import os
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import numpy as np
import torch
from numpy.typing import NDArray

_SUFFIX = ".npy"
_LOCK = ".lock"
_MAKING = ".making-"
_CHUNK = 1 << 24
_ITEM = 4
Fill = Callable[[torch.Tensor], None]


class StatesCache:
    """folder: where entries lie, None for nowhere. limit: their size in bytes, all together."""

    def __init__(self, folder: Path | None, limit: float = math.inf):
        self._folder, self._limit = folder, limit

    def has_room_for(self, shape: tuple[int, int]) -> bool:
        """Whether an array of this shape may be kept at all."""
        return self._limit > 0 and shape[0] * shape[1] * _ITEM <= self._limit

    def find(self, key: str) -> torch.Tensor | None:
        """The entry `key`, read-only; None where there is none that is whole."""
        if self._folder is None:
            return None
        for path in self._folder.glob(f"{key}-*{_SUFFIX}"):
            try:
                array = np.load(path, mmap_mode="r", allow_pickle=False)
                if f"{key}-{_checksum(array)}{_SUFFIX}" == path.name:
                    os.utime(path)
                    return _as_tensor(array)
                path.unlink(missing_ok=True)
            except (OSError, ValueError):
                continue
        return None

    def make(self, key: str, shape: tuple[int, int], fill: Fill) -> torch.Tensor:
        """The entry `key`, which `fill` writes into a tensor of that shape where nobody has; in memory alone where the disk
        has no room.
        """
        if self._folder is not None:
            with suppress(OSError), self._lock(self._folder, key):
                found = self.find(key)
                return self._write(self._folder, key, shape, fill) if found is None else found
        made = torch.empty(shape)
        fill(made)
        return made

    def _write(self, folder: Path, key: str, shape: tuple[int, int], fill: Fill) -> torch.Tensor:
        for left in folder.glob(f"{_MAKING}{key}-*{_SUFFIX}"):  # by a process that was killed: who holds the lock is alone
            left.unlink(missing_ok=True)
        making = folder / f"{_MAKING}{key}-{os.getpid()}{_SUFFIX}"
        try:
            array = np.lib.format.open_memmap(making, mode="w+", dtype=np.float32, shape=shape)
            with making.open("r+b") as file:
                # A mapped file that finds no room on the disk when it is written to would end the process.
                os.posix_fallocate(file.fileno(), 0, making.stat().st_size)
            fill(torch.from_numpy(array))
            array.flush()
            path = folder / f"{key}-{_checksum(array)}{_SUFFIX}"
            making.rename(path)
        finally:
            making.unlink(missing_ok=True)
        self._evict(folder, path)
        return _as_tensor(np.load(path, mmap_mode="r", allow_pickle=False))

    def _evict(self, folder: Path, keep: Path) -> None:
        with suppress(OSError):
            entries = (path for path in folder.glob(f"*-*{_SUFFIX}") if not path.name.startswith(_MAKING))
            used = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in entries)
            total = sum(size for _, size, _ in used)
            for _, size, path in used:
                if total > self._limit and path != keep:
                    path.unlink(missing_ok=True)
                    total -= size

    @contextmanager
    def _lock(self, folder: Path, key: str) -> Iterator[None]:
        """Another process of this node that makes the same entry is waited for."""
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f"{key}{_LOCK}")
        try:
            lock.acquire()
        except NotImplementedError:  # a file system without locks: made twice, at worst
            yield
            return
        try:
            yield
        finally:
            lock.release()
            with suppress(OSError):
                (folder / f"{key}{_LOCK}").unlink(missing_ok=True)


def _as_tensor(array: NDArray[np.float32]) -> torch.Tensor:
    """The mapped array; nobody writes to it, which torch does not know to promise."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _checksum(array: NDArray[np.float32]) -> str:
    crc = zlib.crc32(f"{array.dtype} {array.shape}".encode())
    flat = array.reshape(-1).view(np.uint8)
    for start in range(0, len(flat), _CHUNK):
        crc = zlib.crc32(flat[start : start + _CHUNK].data, crc)
    return f"{crc:08x}"
