"""One suite over every kind of storage, on a real S3 server too."""

from __future__ import annotations

import pickle
import threading
import time
from pathlib import Path

import pytest

from blurb_tune.core.storage import FolderStorage, Storage, fault_of_uri, open_storage


def test_what_is_written_is_read_by_another_process(storage: Storage) -> None:
    assert (storage.names(), storage.folders()) == ([], [])
    with pytest.raises(FileNotFoundError):
        storage.read("a")
    storage.write("a", b"1")
    storage.write("a", b"22")
    storage.child("b").write("c/d.x", b"")
    other: Storage = pickle.loads(pickle.dumps(storage))
    assert other.read("a") == b"22"
    assert other.read("b/c/d.x") == b""
    assert open_storage(other.uri).names() == ["a", "b/c/d.x"]
    assert storage.folders() == ["b"]
    assert storage.child("b").names() == ["c/d.x"]


def test_a_file_is_there_whole_or_not_at_all(storage: Storage) -> None:
    with storage.writing("big") as path:
        path.write_bytes(b"x" * 9_000_000)
        assert storage.names() == []
    with storage.reading("big") as path:
        assert path.stat().st_size == 9_000_000

    def fail() -> None:
        with storage.writing("big") as path:
            path.write_bytes(b"half")
            raise KeyError("the writer fails")

    with pytest.raises(KeyError):
        fail()
    assert storage.names() == ["big"]
    assert len(storage.read("big")) == 9_000_000
    with pytest.raises(FileNotFoundError), storage.reading("nothing"):
        pass


def test_the_newest_write_is_known(storage: Storage) -> None:
    assert storage.last_write() is None
    before = time.time()
    storage.write("a/b", b"1")
    written = storage.last_write()
    assert written is not None
    assert before - 1 <= written <= time.time() + 1, "in an object store whole seconds"
    assert storage.child("a").last_write() == written


def test_two_writers_of_one_name_leave_one_whole_file(storage: Storage) -> None:
    texts = [bytes([65 + k]) * 200_000 for k in range(4)]
    threads = [threading.Thread(target=storage.write, args=("same", text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.read("same") in texts
    assert storage.names() == ["same"]


def test_what_is_deleted_is_gone_and_may_be_so_already(storage: Storage) -> None:
    storage.write("a/b", b"1")
    storage.write("a/c", b"1")
    storage.write("d", b"1")
    storage.delete("a/b")
    storage.delete("a/b")
    storage.child("a").clear()
    assert storage.names() == ["d"]
    storage.clear()
    storage.clear()
    assert storage.names() == []


def test_a_place_that_cannot_be_written_raises_oserror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        FolderStorage(tmp_path / "file").write("a", b"")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(OSError, match="AWS Error"):
        open_storage("s3://sweeps/x").write("a", b"")


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("folder/of mine", None),
        ("file:///data", None),
        ("s3://bucket/path", None),
        ("gs://bucket", None),
        ("s4://bucket", "expected a folder, s3://"),
        ("s3:///path", "expected a bucket"),
        ("s3://key:secret@bucket/path", "come from the environment"),
    ],
)
def test_a_name_that_is_no_storage(uri: str, fault: str | None) -> None:
    found = fault_of_uri(uri)
    assert (found is None) if fault is None else (fault in (found or ""))
    assert "secret@" not in (found or "")
