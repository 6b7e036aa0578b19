from __future__ import annotations

import json
import os
import time
from pathlib import Path

from blurb_tune.core.lease import Lease
from blurb_tune.core.storage import Storage
from blurb_tune.service.kept_sweeps import End, KeptSweep, Submission
from blurb_tune.service.prune import leftovers, remove


def test_only_what_no_sweep_needs_goes(storage: Storage, tmp_path: Path) -> None:
    def sweep(name: str, code: int | None) -> KeptSweep:
        made = KeptSweep(storage, name)
        made.submit(Submission(name, name, "ada", 1.0))
        for file in ("events.jsonl", "weights/c000-s0.safetensors", "checkpoints/c000-s1/000000005.safetensors"):
            made.storage.write(file, b"x" * 100)
        made.storage.write("status.json", json.dumps({"state": "running"}).encode())
        if code is not None:
            made.end(End(code, "", "pause" if code == 130 else "", 1.0))
        return made

    sweep("ended", 0)
    sweep("paused", 130)
    sweep("lost", None)
    storage.write("declined/submitted/spec.yaml", b"task: demo")
    storage.write("notes/readme.txt", b"of somebody else")
    before = set(storage.names())
    cache = tmp_path / "cache"
    cache.mkdir()
    for name, age in (("old", 40), ("new", 1)):
        (cache / name).write_bytes(b"x" * 7)
        os.utime(cache / name, (time.time() - age * 86400,) * 2)
    with Lease(sweep("at-work", 0).storage.child("claims")):
        found = list(leftovers(storage, [cache, tmp_path / "not there"], days=30))
    assert [(leftover.storage.uri.rpartition("/")[2], leftover.size) for leftover in found] == [
        ("declined", 10),
        ("checkpoints", 100),
        ("old", 7),
    ]
    for leftover in found:
        remove(leftover)
    gone = {"ended/checkpoints/c000-s1/000000005.safetensors", "declined/submitted/spec.yaml"}
    assert before - set(storage.names()) == gone
    assert [file.name for file in cache.iterdir()] == ["new"]
