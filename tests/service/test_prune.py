from __future__ import annotations

import json
import os
import time
from pathlib import Path

from blurb_tune.core.lease import Lease
from blurb_tune.core.storage import Storage
from blurb_tune.service.kept_sweeps import End, KeptSweep, Submission
from blurb_tune.service.prune import leftovers, remove


def kept(storage: Storage, name: str, code: int | None, state: str = "running") -> KeptSweep:
    """A sweep of which a trial has left a checkpoint."""
    made = KeptSweep(storage, name)
    made.submit(Submission(name, name, "ada", 1.0))
    for file in ("events.jsonl", "weights/c000-s0.safetensors", "checkpoints/c000-s1/000000005.safetensors"):
        made.storage.write(file, b"x" * 100)
    made.storage.write("status.json", json.dumps({"state": state}).encode())
    if code is not None:
        made.end(End(code, "", "pause" if code == 130 else "", 1.0))
    return made


def test_only_what_no_sweep_needs_goes(storage: Storage, tmp_path: Path) -> None:
    kept(storage, "ended", 0)
    kept(storage, "paused", 130)
    kept(storage, "lost", None)
    storage.write("declined/submitted/spec.yaml", b"task: demo")
    storage.write("notes/readme.txt", b"of somebody else")
    before = set(storage.names())
    cache = tmp_path / "cache"
    for name, age in (("old", 40), ("new", 1), ("within/old", 40)):
        entry = cache / name
        entry.mkdir(parents=True)
        (entry / "file").write_bytes(b"x" * 7)
        for path in (entry / "file", entry, entry.parent):
            os.utime(path, (time.time() - age * 86400,) * 2)
    caches = [cache, cache / "within", tmp_path / "not there"]
    with Lease(kept(storage, "at-work", 0).storage.child("claims")):
        found = [*leftovers(storage, [], days=0), *leftovers(None, caches, days=30)]
        assert list(leftovers(storage, caches, days=30)) == found[1:], "a `submit` may still be at work"
    assert [(leftover.storage.uri.rpartition("/")[2], leftover.size) for leftover in found] == [
        ("declined", 10),
        ("checkpoints", 100),
        ("old", 7),
        ("old", 7),
    ]
    assert remove(found[:2], storage, [], days=0) == remove(found[2:], None, caches, days=30) == []
    gone = {"ended/checkpoints/c000-s1/000000005.safetensors", "declined/submitted/spec.yaml"}
    assert before - set(storage.names()) == gone
    assert sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*")) == ["new", "new/file", "within"]


def test_what_somebody_takes_up_after_it_was_shown_stays(storage: Storage, tmp_path: Path) -> None:
    goes_on = kept(storage, "changed", 0, "finished")
    kept(storage, "ended", 0, "finished")
    begun = KeptSweep(storage, "begun")
    begun.storage.write("submitted/spec.yaml", b"task: demo")
    (tmp_path / "cache").mkdir()
    idle, used = (tmp_path / "cache" / name for name in ("idle", "used"))
    for file in (idle, used):
        file.write_bytes(b"x" * 7)
    shown = list(leftovers(storage, [tmp_path / "cache"], days=0))
    assert len(shown) == 5
    begun.submit(Submission("begun", "begun", "ada", 1.0))
    used.write_bytes(b"more than it was")
    before = set(storage.names())
    with Lease(goes_on.storage.child("claims")):
        left = remove(shown, storage, [tmp_path / "cache"], days=0)
    assert [leftover.storage.uri.rpartition("/")[2] for leftover in left] == ["begun", "checkpoints", "used"]
    assert before - set(storage.names()) == {"ended/checkpoints/c000-s1/000000005.safetensors"}
    assert (idle.exists(), used.exists()) == (False, True)
