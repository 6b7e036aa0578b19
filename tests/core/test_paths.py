from __future__ import annotations

import os
from pathlib import Path

import pytest

from blurb_tune.core.paths import read_file


def test_a_file_is_read_and_nothing_that_may_have_no_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "file") == read_file(tmp_path / "link") == b"abc"
    os.mkfifo(tmp_path / "pipe")  # which nobody writes to
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(OSError, match="a pipe or a device"):
            read_file(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)
