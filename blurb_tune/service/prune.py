"""What sweeps have left behind that nobody needs: checkpoints of those that have ended, folders of those that never began."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blurb_tune.core.storage import FolderStorage, Storage
from blurb_tune.service.kept_sweeps import SUBMITTED, KeptSweep, Sweeps

_ENDED = ("finished", "no result")


@dataclass(frozen=True)
class Leftover:
    """What can go. why: in a few words."""

    storage: Storage
    size: int
    why: str


def work_folder() -> Path:
    """Where drivers on this machine work on sweeps that are kept in an object store."""
    return Path(os.environ.get("BLURB_TUNE_WORK", Path(tempfile.gettempdir()) / f"blurb-tune-{os.getuid()}"))


def leftovers(storage: Storage | None, caches: list[Path], days: float) -> Iterator[Leftover]:
    """Of the sweeps in a storage, and of the folders of this machine whose files nobody has used for so many days.

    A sweep's log, tables, plot and the winner's weights are never among them.
    """
    for sweep in Sweeps(storage).all() if storage is not None else ():
        yield from _of_sweep(sweep)
    for folder in caches:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            age = (time.time() - _last_use(path)) / 86400
            if age > days:
                size = sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else (path,)) if file.is_file())
                yield Leftover(FolderStorage(path), size, f"not used for {age:.0f} days")


def remove(leftover: Leftover) -> None:
    """Raises OSError."""
    if isinstance(leftover.storage, FolderStorage) and leftover.storage.root.is_file():
        leftover.storage.root.unlink()
    elif isinstance(leftover.storage, FolderStorage):
        shutil.rmtree(leftover.storage.root)
    else:
        leftover.storage.clear()


def _of_sweep(sweep: KeptSweep) -> Iterator[Leftover]:
    if sweep.has_driver():
        return
    sizes = sweep.storage.sizes()
    status = sweep.status()
    is_sweep = SUBMITTED in sizes or "events.jsonl" in sizes or any(name.startswith("events/") for name in sizes)
    if not is_sweep and sizes and all(name.startswith("submitted/") for name in sizes):
        yield Leftover(sweep.storage, sum(sizes.values()), "was never submitted")
    if status["state"] in _ENDED:
        checkpoints = sum(size for name, size in sizes.items() if name.startswith("checkpoints/"))
        if checkpoints:
            yield Leftover(
                sweep.storage.child("checkpoints"), checkpoints, f"checkpoints of a sweep that is {status['state']}"
            )


def _last_use(path: Path) -> float:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return max(max(file.stat().st_atime, file.stat().st_mtime) for file in files)
