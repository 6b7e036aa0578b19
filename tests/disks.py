"""A small file system of a test's own, which can be full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import require


class Disk:
    """A file system in memory that holds so many KiB."""

    def __init__(self, folder: Path):
        self.folder, self.filler = folder, folder / "filler"

    def resize(self, kib: int) -> None:
        option = f"size={kib}k,remount" if self.folder.is_mount() else f"size={kib}k"
        subprocess.run(["mount", "-t", "tmpfs", "-o", option, "tmpfs", self.folder], check=True, capture_output=True)

    def fill(self) -> None:
        with suppress(OSError), self.filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1024))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    disk.folder.mkdir()
    try:
        disk.resize(1024)
    except (OSError, subprocess.CalledProcessError):
        require(found=False, what="the right to mount a file system")
    yield disk
    subprocess.run(["umount", "--lazy", disk.folder], check=True)  # what a test has left open is closed later
