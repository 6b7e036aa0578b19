from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.lease import Claim, Lease
from blurb_tune.core.storage import FolderStorage, Storage

PATIENCE = 1.5


def lease(storage: Storage, **options: object) -> Lease:
    return Lease(storage, patience=PATIENCE, **options)  # type: ignore[arg-type]


def claim_of_another_host(storage: Storage, name: str = "other", **values: object) -> Claim:
    claim = dataclasses.replace(Claim("far away", 1, "boot", True, 7, 0.0), **values)  # type: ignore[arg-type]
    storage.write(name, claim.to_json())
    return claim


def test_one_holds_it_and_the_next_comes_when_it_is_given_back(storage: Storage) -> None:
    with lease(storage), pytest.raises(BlurbTuneError, match="is running this sweep"), lease(storage):
        pass
    assert storage.names() == []
    with lease(storage):
        assert len(storage.names()) == 1


def test_of_many_at_once_one_gets_it(storage: Storage) -> None:
    held, refused, together = [], [], threading.Barrier(5)

    def try_it() -> None:
        together.wait()
        try:
            with lease(storage):
                held.append(time.monotonic())
                time.sleep(3 * PATIENCE)
        except BlurbTuneError:
            refused.append(1)

    threads = [threading.Thread(target=try_it) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 4)
    assert storage.names() == []


def test_a_silent_driver_of_another_machine_loses_it(storage: Storage) -> None:
    """Whatever its clock says."""
    claim_of_another_host(storage, renewed=time.time() + 1e6)
    started = time.monotonic()
    with lease(storage):
        assert time.monotonic() - started > PATIENCE
    assert storage.names() == []


def test_a_process_of_this_machine_that_is_gone_is_not_waited_for(storage: Storage) -> None:
    code = "import os, sys; from blurb_tune.core.lease import *; from blurb_tune.core.storage import open_storage;"
    code += "Lease(open_storage(sys.argv[1])).__enter__(); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, storage.uri], check=False)
    assert len(storage.names()) == 1
    with Lease(storage, patience=1000):
        pass


def test_who_was_taken_for_dead_hears_of_it(storage: Storage) -> None:
    lost = threading.Event()
    with lease(storage, lost=lost.set):
        storage.delete(storage.names()[0])
        assert lost.wait(2 * PATIENCE)


@dataclasses.dataclass(frozen=True)
class TroubledStorage(FolderStorage):
    """A folder that cannot be written to while it is `away`, and where a write waits while the `gate` is closed."""

    away: threading.Event = dataclasses.field(default_factory=threading.Event)
    gate: threading.Event = dataclasses.field(default_factory=threading.Event)
    waits: threading.Event = dataclasses.field(default_factory=threading.Event)

    def write(self, name: str, data: bytes) -> None:
        if self.away.is_set():
            raise OSError("away")
        if not self.gate.is_set():
            self.waits.set()
            self.gate.wait()
        super().write(name, data)


@pytest.fixture
def troubled(tmp_path: Path) -> TroubledStorage:
    storage = TroubledStorage(tmp_path)
    storage.gate.set()
    return storage


def wait_for_one_claim(storage: Storage) -> None:
    end = time.monotonic() + PATIENCE
    while len(storage.names()) != 1:
        assert time.monotonic() < end, "the claim that came back is still there"
        time.sleep(0.02)


def test_a_write_that_ends_after_another_has_come_does_not_take_the_lease_back(troubled: TroubledStorage) -> None:
    lost = threading.Event()
    with lease(troubled, lost=lost.set):
        troubled.gate.clear()
        assert troubled.waits.wait(PATIENCE)
        with lease(FolderStorage(troubled.root)):
            troubled.gate.set()
            assert lost.wait(PATIENCE)
            wait_for_one_claim(troubled)
    assert troubled.names() == []


def test_nor_does_a_short_one_after_a_long_silence(troubled: TroubledStorage) -> None:
    """The claim is there still when the silent driver looks, and is gone when it writes."""
    lost = threading.Event()
    with lease(troubled, lost=lost.set):
        troubled.away.set()

        def break_silence() -> None:
            time.sleep(0.5 * PATIENCE)
            troubled.gate.clear()
            troubled.away.clear()

        breaking = threading.Thread(target=break_silence)
        breaking.start()
        with lease(FolderStorage(troubled.root)):
            breaking.join()
            assert troubled.waits.is_set()
            troubled.gate.set()
            assert lost.wait(PATIENCE)
            wait_for_one_claim(troubled)


def test_a_storage_that_was_away_for_everybody_takes_the_lease_from_nobody(troubled: TroubledStorage) -> None:
    lost = threading.Event()
    with lease(troubled, lost=lost.set):
        troubled.away.set()
        time.sleep(1.5 * PATIENCE)
        troubled.away.clear()
        assert not lost.wait(PATIENCE)
        with pytest.raises(BlurbTuneError, match="is running this sweep"), lease(FolderStorage(troubled.root)):
            pass


def test_who_cannot_say_in_time_that_it_holds_the_lease_does_not_begin(troubled: TroubledStorage) -> None:
    claim_of_another_host(troubled)  # for whom it waits, and meanwhile nothing can be written any more
    threading.Timer(0.5 * PATIENCE, troubled.gate.clear).start()
    threading.Timer(3 * PATIENCE, troubled.gate.set).start()
    with pytest.raises(OSError, match="took longer"), lease(troubled):
        pass
    assert troubled.names() == []


def test_what_is_no_claim_is_passed_over(storage: Storage) -> None:
    for number, data in enumerate((b"", b"\xff", b"[]", b'{"host": 1}')):
        storage.write(f"claim{number}", data)
    with lease(storage):
        pass
