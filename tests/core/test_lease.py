from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import time

import pytest

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.lease import Claim, Lease
from blurb_tune.core.storage import Storage

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


def test_what_is_no_claim_is_passed_over(storage: Storage) -> None:
    for number, data in enumerate((b"", b"\xff", b"[]", b'{"host": 1}')):
        storage.write(f"claim{number}", data)
    with lease(storage):
        pass
