from __future__ import annotations

import time
from pathlib import Path

import pytest

from blurb_tune.core import background_copy
from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.storage import FolderStorage, Storage
from blurb_tune.log import events as ev
from blurb_tune.log import mirror
from blurb_tune.log.mirror import LogMirror, fetch_log

EVENT = ev.SweepResumed(slots=1)


def grow(log: Path, lines: int, size: int = 100) -> None:
    with log.open("ab") as file:
        for number in range(lines):
            file.write(f"{number:0{size - 1}d}\n".encode())


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "_SEGMENT_BYTES", 1000)
    monkeypatch.setattr(background_copy, "_SECONDS_BETWEEN_COPIES", 0.05)


def test_what_is_copied_comes_back_whatever_the_driver_that_wrote_it(storage: Storage, tmp_path: Path) -> None:
    log, copy = tmp_path / "events.jsonl", tmp_path / "other" / "events.jsonl"
    for lines in (0, 3, 25, 1, 40):
        grow(log, lines)
        start, drivers = fetch_log(storage, log)
        copier = LogMirror(log, storage, start, drivers + 1)
        copier.start()
        copier.notify(EVENT)
        assert copier.close(20) == ""
        fetch_log(storage, copy)
        assert (copy.read_bytes() if copy.exists() else b"") == log.read_bytes()
    assert all(len(storage.read(name)) <= 1100 for name in storage.names())


def test_it_follows_within_seconds_and_leaves_a_torn_line_out(storage: Storage, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    grow(log, 2)
    copier = LogMirror(log, storage, 0, 1)
    copier.start()
    with log.open("ab") as file:
        file.write(b"torn")
    copier.notify(EVENT)
    deadline = time.monotonic() + 10
    while not storage.names() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert b"".join(map(storage.read, storage.names())) == log.read_bytes()[:-4]
    copier.close(10)


def test_a_storage_that_is_away_for_a_while_gets_everything_later(tmp_path: Path) -> None:
    (tmp_path / "blocked").touch()
    log, storage = tmp_path / "events.jsonl", FolderStorage(tmp_path / "blocked" / "deeper")
    grow(log, 30)
    copier = LogMirror(log, storage, 0, 1)
    copier.start()
    copier.notify(EVENT)
    deadline = time.monotonic() + 10
    while not copier.fault and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "deeper" in copier.fault
    (tmp_path / "blocked").unlink()
    assert copier.close(20) == ""
    fetch_log(storage, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == log.read_bytes()


def test_the_storage_is_the_truth_and_what_only_this_machine_has_is_moved_aside(storage: Storage, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"one\ntwo\nlost\n")
    storage.write("000000000000000.000001.jsonl", b"one\ntwo\nthree\n")
    storage.write("notes.txt", b"not ours")
    assert fetch_log(storage, log) == (14, 1)
    assert log.read_bytes() == b"one\ntwo\nthree\n"
    (aside,) = tmp_path.glob("events.jsonl.*.aside")
    assert aside.read_bytes() == b"one\ntwo\nlost\n"
    log.write_bytes(b"one\ntwo\nthree\nfour\n")
    assert fetch_log(storage, log) == (14, 1)
    assert log.read_bytes().endswith(b"four\n"), "its driver goes on from there, and copies it"
    storage.write("000000000000099.000002.jsonl", b"ten\n")
    with pytest.raises(BlurbTuneError, match="lacks what stands before 000000000000099"):
        fetch_log(storage, log)


def test_a_driver_that_was_taken_for_dead_overwrites_nothing_of_its_successor(storage: Storage, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"one\n")
    first = LogMirror(old, storage, 0, 1)
    first.start()
    first.notify(EVENT)
    deadline = time.monotonic() + 10
    while not storage.names() and time.monotonic() < deadline:
        time.sleep(0.02)
    start, drivers = fetch_log(storage, new)
    second = LogMirror(new, storage, start, drivers + 1)
    with new.open("ab") as file:
        file.write(b"of the second\n")
    with old.open("ab") as file:
        file.write(b"of the first, too late\n")
    for mirror_ in (second, first):
        if mirror_ is second:
            mirror_.start()
        mirror_.notify(EVENT)
        assert mirror_.close(10) == ""
    fetch_log(storage, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"one\nof the second\n"
