"""Entries on disk: whole or not there at all, and nothing that is not ours is touched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blurb_tune.tasks.encoding.entries import read_entry, write_entry

FILES = {"a.npy": b"content of a", "b.json": b"{}"}
MANIFEST = "manifest.json"


def _contents(entry: Path) -> dict[str, bytes] | None:
    found = read_entry(entry)
    return None if found is None else {name: file.read_bytes() for name, file in found.items()}


def test_an_entry_is_what_was_written(tmp_path: Path) -> None:
    entry = tmp_path / "cache" / "entry"
    assert read_entry(entry) is None
    assert write_entry(entry, FILES) is None
    assert _contents(entry) == FILES
    assert {path.name for path in entry.parent.iterdir()} == {"entry"}


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
@pytest.mark.parametrize("content", [None, b"", b"something else", b'{"a.npy": "00"}', b"[]", b"[" * 100_000])
def test_a_damaged_entry_is_none_and_is_replaced(tmp_path: Path, name: str, content: bytes | None) -> None:
    entry = tmp_path / "entry"
    write_entry(entry, FILES)
    (entry / name).unlink() if content is None else (entry / name).write_bytes(content)
    assert read_entry(entry) is None
    assert write_entry(entry, FILES) is None
    assert _contents(entry) == FILES
    assert list(tmp_path.iterdir()) == [entry]


def test_an_entry_with_other_files_is_replaced_and_a_whole_one_left_alone(tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    write_entry(entry, {"a.npy": b"of a hand that knows the manifest"})
    write_entry(entry, FILES)
    assert _contents(entry) == FILES
    before = (entry / MANIFEST).stat().st_ino
    write_entry(entry, FILES)
    assert (entry / MANIFEST).stat().st_ino == before


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert write_entry(tmp_path / "file" / "cache" / "entry", FILES) == "Not a directory"


def test_entries_that_nobody_asks_for_are_removed_when_another_is_made(tmp_path: Path) -> None:
    first, second, third = (tmp_path / (digit * 64) for digit in "123")
    for entry in (first, second):
        assert write_entry(entry, FILES) is None
    (tmp_path / ".making.left").mkdir()
    for folder in tmp_path.iterdir():
        os.utime(folder, (0, 0))
    read_entry(second)  # asking for it makes it young again
    write_entry(third, FILES)
    assert set(tmp_path.iterdir()) == {second, third}


HEX = "0123456789abcdef" * 4


def _old_entry(folder: Path, name: str = HEX, **files: str) -> None:
    entry = folder / name
    entry.mkdir()
    for stem, content in {"manifest": '{"labels.npy": "00"}', "labels": "x", **files}.items():
        (entry / f"{stem}.{'json' if stem == 'manifest' else 'npy'}").write_text(content)


@pytest.mark.parametrize(
    ("make", "is_ours"),
    [
        (_old_entry, True),
        (lambda folder: (folder / ".making.k1lled_0" / "made").mkdir(parents=True), True),
        (lambda folder: (folder / "my-datasets").mkdir(), False),
        (lambda folder: (folder / "precious.jsonl").write_text("data"), False),
        (lambda folder: (folder / HEX).mkdir(), False),
        (lambda folder: (folder / HEX).write_text("data"), False),
        (lambda folder: (folder / ".making.movies" / "scenes").mkdir(parents=True), False),
        (lambda folder: (folder / ".making.notes").write_text("data"), False),
        (lambda folder: _old_entry(folder, HEX[:-1]), False),
        (lambda folder: _old_entry(folder, HEX.upper()), False),
        (lambda folder: _old_entry(folder, notes="not in the manifest"), False),
        (lambda folder: _old_entry(folder, manifest='{"name": "of another tool"}'), False),
        (lambda folder: _old_entry(folder, manifest="[[]]"), False),
        (lambda folder: _old_entry(folder, manifest="3"), False),
        (lambda folder: _old_entry(folder, manifest="no JSON"), False),
        (lambda folder: _old_entry(folder, manifest="[" * 100_000), False),
    ],
)
def test_what_is_old_in_the_folder_is_removed_if_it_is_the_cache_s_own_and_only_then(
    tmp_path: Path, make: Callable[[Path], object], is_ours: bool
) -> None:
    make(tmp_path)
    before = list(tmp_path.rglob("*"))
    for path in before:
        os.utime(path, (0, 0))
    write_entry(tmp_path / ("f" * 64), FILES)
    assert [path.exists() for path in before] == [not is_ours] * len(before)


def test_a_folder_that_may_not_be_looked_into_is_not_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / HEX).mkdir()
    os.utime(tmp_path / HEX, (0, 0))
    look = Path.iterdir

    def refuse(folder: Path) -> Iterator[Path]:
        if folder.name == HEX:
            raise PermissionError(13, "Permission denied")
        return look(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
    write_entry(tmp_path / ("f" * 64), FILES)
    assert len(list(tmp_path.iterdir())) == 2
