"""What sweeps have left behind that nobody needs: checkpoints of those that have ended, folders of those that never began."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.storage import FolderStorage, Storage
from blurb_tune.service.kept_sweeps import PAYLOAD, KeptSweep, Sweeps

_ENDED = ("finished", "no result")


@dataclass(frozen=True)
class Leftover:
    """What can go. why: in a few words."""

    storage: Storage
    size: int
    why: str = field(compare=False)


def work_folder() -> Path:
    """Where drivers on this machine work on sweeps that are kept in an object store."""
    return Path(os.environ.get("BLURB_TUNE_WORK", Path(tempfile.gettempdir()) / f"blurb-tune-{os.getuid()}"))


def leftovers(storage: Storage | None, caches: Sequence[Path], days: float) -> Iterator[Leftover]:
    """Of the sweeps in a storage, and of the folders of this machine. Each is looked at when it is asked for.

    days: files of this machine go when nobody has used them for so long, those of a `submit` that has not come to its end when
    none was written for so long. A sweep's log, tables, plot and the winner's weights are never among them.
    """
    for sweep in Sweeps(storage).all() if storage is not None else ():
        yield from _of_sweep(sweep, days)
    for folder in caches:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path not in caches:  # one may lie within another
                yield from _of_cache(path, days)


def remove(shown: Sequence[Leftover], storage: Storage | None, caches: Sequence[Path], days: float) -> list[Leftover]:
    """Remove of `shown` what still is a leftover, of the same size; the rest, which somebody has taken up since.

    Raises BlurbTuneError where one cannot be removed.
    """
    left = list(shown)
    for leftover in leftovers(storage, caches, days):
        if leftover in left:
            try:
                _remove(leftover)
            except OSError as error:
                raise BlurbTuneError(f"{leftover.storage.uri} cannot be removed: {error}") from None
            left.remove(leftover)
    return left


def _remove(leftover: Leftover) -> None:
    if isinstance(leftover.storage, FolderStorage) and leftover.storage.root.is_file():
        leftover.storage.root.unlink()
    elif isinstance(leftover.storage, FolderStorage):
        shutil.rmtree(leftover.storage.root)
    else:
        leftover.storage.clear()


def _of_sweep(sweep: KeptSweep, days: float) -> Iterator[Leftover]:
    sizes = sweep.storage.sizes()
    if sizes and all(name.startswith(f"{PAYLOAD}/") for name in sizes):
        written = sweep.storage.last_write()
        if written is not None and _days_since(written) > days:
            yield Leftover(sweep.storage, sum(sizes.values()), "was never submitted")
        return
    checkpoints = sum(size for name, size in sizes.items() if name.startswith("checkpoints/"))
    if checkpoints and not sweep.has_driver() and (state := sweep.status()["state"]) in _ENDED:
        yield Leftover(sweep.storage.child("checkpoints"), checkpoints, f"checkpoints of a sweep that is {state}")


def _of_cache(path: Path, days: float) -> Iterator[Leftover]:
    size = 0
    ages: list[float] = []
    for file in (path, *path.rglob("*")):
        with suppress(FileNotFoundError):  # removed meanwhile
            stat = file.stat()
            # That a folder was read says nothing: this look has read it.
            ages.append(_days_since(stat.st_mtime if file.is_dir() else max(stat.st_atime, stat.st_mtime)))
            size += 0 if file.is_dir() else stat.st_size
    age = min(ages, default=0.0)
    if age > days:
        yield Leftover(FolderStorage(path), size, f"not used for {age:.0f} days")


def _days_since(moment: float) -> float:
    return (time.time() - moment) / 86400
