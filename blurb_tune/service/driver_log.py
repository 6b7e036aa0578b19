"""What a driver prints, kept beside its sweep: the machine that printed it may be lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blurb_tune.core.storage import FolderStorage, Storage
from blurb_tune.service.kept_sweeps import DRIVER_LOG, shorten

_SECONDS_BETWEEN_COPIES = 5.0
_MOST_BYTES = 5_000_000


@contextmanager
def copy_output(file: Path, storage: Storage) -> Iterator[None]:
    """Have all output of this process, of its children too, also in `file`, and of that a copy in `storage`.

    What stood there before, by earlier drivers, stays.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() and not isinstance(storage, FolderStorage):
        with suppress(OSError):
            file.write_bytes(storage.read(DRIVER_LOG))
    source, sink = os.pipe()
    before = os.dup(1), os.dup(2)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    reader = threading.Thread(target=_copy, args=(source, before[0], file), daemon=True)
    done = threading.Event()
    copier = threading.Thread(target=_upload, args=(file, storage, done), daemon=True)
    reader.start()
    if not isinstance(storage, FolderStorage):
        copier.start()
    try:
        yield
    finally:
        os.dup2(before[0], 1)
        os.dup2(before[1], 2)
        reader.join(1.0)  # a child that is left may hold the pipe open
        done.set()
        if copier.ident is not None:
            copier.join(30.0)


def _copy(source: int, terminal: int, file: Path) -> None:
    with file.open("ab", buffering=0) as log:
        while data := os.read(source, 1 << 16):
            with suppress(OSError):
                os.write(terminal, data)
            with suppress(OSError):
                log.write(data)


def _upload(file: Path, storage: Storage, done: threading.Event) -> None:
    size = -1
    while True:
        is_last = done.wait(_SECONDS_BETWEEN_COPIES)
        with suppress(OSError):
            if file.stat().st_size != size:
                data = file.read_bytes()
                storage.write(DRIVER_LOG, shorten(data, _MOST_BYTES))
                size = len(data)
        if is_last:
            return
