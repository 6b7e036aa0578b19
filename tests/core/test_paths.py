from __future__ import annotations

import os
from pathlib import Path

import pytest

from blurb_tune.core.paths import read_file, whole_address, whole_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/../b", "/base/b"),
        ("/there/b", "/there/b"),
        ("~/b", "/home/me/b"),
        ("s3://bucket/b", "s3://bucket/b"),
        ("sqlite:///m.db", "sqlite:////base/m.db"),
        ("sqlite:///m.db?mode=ro", "sqlite:////base/m.db?mode=ro"),
        ("sqlite:////there/m.db", "sqlite:////there/m.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///${STORE}", "sqlite:///${STORE}"),
        ("postgresql://h/m", "postgresql://h/m"),
        ("http://h:5000", "http://h:5000"),
    ],
)
def test_paths_and_addresses_with_a_path_begin_at_a_base(monkeypatch: pytest.MonkeyPatch, name: str, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    whole = whole_path if name.startswith(("a", "/", "~", "s3")) else whole_address
    assert whole(name, Path("/base")) == expected


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
