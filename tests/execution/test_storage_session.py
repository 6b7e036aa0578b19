"""What a driver keeps in the storage, and what becomes of it where the storage is away."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.storage import open_storage
from blurb_tune.execution import storage_session
from blurb_tune.execution.storage_session import STATUS, StorageSession
from blurb_tune.log.event_log import EventLog
from tests.report.sweeps import SweepWriter


def test_the_status_goes_on_when_the_storage_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_session, "_SECONDS_BETWEEN_STATUS", 0.0)
    sweep = SweepWriter(seeds=range(10), configurations=1)
    name = sweep.configuration("c000")
    for seed in range(10):
        sweep.trial(name, seed, [0.5])
    store, away, paths = tmp_path / "store", tmp_path / "away", SweepPaths(tmp_path / "run")
    paths.root.mkdir()
    session = StorageSession(open_storage(str(store)), paths, threading.Event())
    with EventLog(paths.events, paths.lock) as log:
        log.observe(session.on_event)
        for number, event in enumerate(sweep.events):
            if number == 3:
                store.rename(away)
                store.touch()  # nothing can be written below a file
            if number == len(sweep.events) - 1:
                store.unlink()
                away.rename(store)
            log.append(event)
    status = json.loads((store / STATUS).read_text())
    assert status["trials"]["completed"] == 10


def test_a_lease_cannot_be_given_back_to_a_storage_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "claims").touch()
    StorageSession(open_storage(str(tmp_path)), SweepPaths(tmp_path / "run"), threading.Event()).release_lease()
