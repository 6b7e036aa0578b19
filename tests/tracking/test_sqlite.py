"""Stores whose maker was killed, and what becomes of them."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.tracking.addresses import tracking_uri
from blurb_tune.tracking.delivery import Delivery, deliver
from blurb_tune.tracking.server import dashboard_command
from blurb_tune.tracking.sqlite import copy_of, ensure_store, follow_move
from tests.tracking.conftest import EXPERIMENT, Sweep, look

# For each line of its input, a process opens a store as MLflow does, or a delivery does, and dies at one of the statements by
# which its tables are made. What they import is imported once.
_KILLER = """
import os, signal, sys
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
from mlflow.tracking import MlflowClient
from sqlalchemy import event
from sqlalchemy.engine import Engine
from blurb_tune.core.paths import SweepPaths
from blurb_tune.tasks.encoding.cache import CACHE_VARIABLE
from blurb_tune.tracking.delivery import deliver

def die(file, statement, maker, cache):
    left = int(statement)
    os.chdir(Path(file).parent)
    os.environ[CACHE_VARIABLE] = cache

    @event.listens_for(Engine, "before_cursor_execute")
    def count(connection, cursor, statement, *rest):
        nonlocal left
        if statement.split()[0] in ("CREATE", "ALTER", "INSERT", "UPDATE"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    if maker == "delivery":
        deliver(SweepPaths(Path(file).parent), f"sqlite:///{file}", "x")
    else:
        MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            die(*line.rstrip().split(chr(9)))
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
KilledAt = Callable[[int, Path, str], None]


@pytest.fixture(scope="module")
def killed_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KilledAt]:
    """Have a process end at a statement to `file`, by `MLflow` or a `delivery`."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", _KILLER], **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def kill(statement: int, file: Path, maker: str) -> None:
            no_cache = str(tmp_path_factory.mktemp("cache"))
            process.stdin.write("\t".join((str(file), str(statement), maker, no_cache)) + "\n")
            process.stdin.flush()
            assert int(process.stdout.readline()) == -signal.SIGKILL

        yield kill


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if "mlflow" in path.name}


@pytest.mark.parametrize("statement", [1, 8, 40, 200])
def test_a_store_that_is_half_made_is_made_anew(sweep: Sweep, killed_at: KilledAt, statement: int) -> None:
    """As a driver left it that was killed in MLflow's first migration; with some of them MLflow would never go on."""
    sweep.small()
    file = sweep.paths.mlflow_store
    killed_at(statement, file, "MLflow")
    assert file.exists()
    result = deliver(sweep.paths, f"sqlite:///{file}", EXPERIMENT)
    assert (result.undelivered, result.error) == (0, "")
    assert len(look(f"sqlite:///{file}")) == 5
    assert files_of(sweep.paths.root) == {"mlflow.db"}


@pytest.mark.parametrize("statement", [1, 40])
def test_a_delivery_that_is_killed_leaves_no_half_store(sweep: Sweep, killed_at: KilledAt, statement: int) -> None:
    sweep.small()
    file = sweep.paths.mlflow_store
    killed_at(statement, file, "delivery")
    assert not file.exists()
    result = deliver(sweep.paths, f"sqlite:///{file}", EXPERIMENT)
    assert (result.undelivered, result.error) == (0, "")
    assert files_of(sweep.paths.root) == {"mlflow.db"}


def test_a_store_elsewhere_is_made_whole_and_never_replaced(sweep: Sweep, killed_at: KilledAt, tmp_path: Path) -> None:
    sweep.small()
    shared = tmp_path / "shared.db"
    killed_at(8, shared, "MLflow")
    half = shared.read_bytes()
    assert deliver(sweep.paths, f"sqlite:///{shared}", EXPERIMENT, patience=0.0).error
    assert shared.read_bytes() == half, "its maker may be at work"
    new = tmp_path / "new.db"
    assert deliver(sweep.paths, f"sqlite:///{new}", EXPERIMENT).error == ""
    assert len(look(f"sqlite:///{new}")) == 5
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} >= {"shared.db", "new.db"}
    assert not list(tmp_path.glob(".*"))


def test_a_whole_store_is_left_alone(tmp_path: Path, blank_store: Path) -> None:
    def make(_: Path) -> None:
        raise BlurbTuneError("there is no need")

    file = tmp_path / "mlflow.db"
    shutil.copy(blank_store, file)
    before = file.stat()
    for is_ours in (True, False):
        ensure_store(file, make, is_ours=is_ours)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("has_links", [True, False])
def test_the_first_of_two_makers_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool) -> None:
    if not has_links:

        def refuse(*_: object) -> None:
            raise OSError("no links here")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    file = tmp_path / "shared.db"

    def make_late(made: Path) -> None:
        made.write_text("mine")
        file.write_text("theirs")

    ensure_store(file, make_late, is_ours=False)
    assert file.read_text() == "theirs"
    file.unlink()
    ensure_store(file, Path.touch, is_ours=False)
    assert file.read_text() == ""
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("damage", [lambda whole: None, lambda whole: whole[:100_000], lambda whole: b"a diary"])
def test_a_store_is_copied_from_one_that_is_whole(
    tmp_path: Path, blank_store: Path, damage: Callable[[bytes], bytes | None]
) -> None:
    """One that is not there, cut short or none is made, and kept; what is copied is a store as it was made."""
    blank, asked = tmp_path / "cache" / "blank.db", []

    def make(file: Path) -> None:
        asked.append(file)
        shutil.copy(blank_store, file)

    if (content := damage(blank_store.read_bytes())) is not None:
        blank.parent.mkdir()
        blank.write_bytes(content)
    for name in ("one.db", "other.db"):
        copy_of(blank, make)(tmp_path / name)
        assert (tmp_path / name).read_bytes() == blank_store.read_bytes()
    assert asked == [tmp_path / "one.db"]
    assert list(blank.parent.iterdir()) == [blank]


def test_a_cache_that_cannot_be_written_costs_nothing(tmp_path: Path, blank_store: Path) -> None:
    (tmp_path / "file").touch()
    copy_of(tmp_path / "file" / "blank.db", lambda file: shutil.copy(blank_store, file))(tmp_path / "one.db")
    assert (tmp_path / "one.db").read_bytes() == blank_store.read_bytes()


def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    file = SweepPaths(tmp_path).mlflow_store
    file.write_text("a diary, which is no database of SQLite's, however long it grows" * 20)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        ensure_store(file, Path.unlink, is_ours=True)
    assert file.read_text().startswith("a diary")


@pytest.fixture
def moved(sweep: Sweep, uri: str) -> SweepPaths:
    """A sweep's folder after a move to a place of another length, with blanks and letters that a URI encodes."""
    sweep.small()
    sweep.log.close()
    sweep.paths.summary.write_text("the summary")
    assert deliver(sweep.paths, uri, EXPERIMENT).warnings == ()
    place = sweep.paths.root.parent / "öther place #2" / "moved"
    place.parent.mkdir()
    sweep.paths.root.rename(place)
    return SweepPaths(place)


def artifacts_of(uri: str) -> dict[str, str]:
    """What MLflow finds of the files of the sweep's run."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    (run,) = client.search_runs([experiment], "tags.`blurb_tune.role` = 'sweep'")
    files = client.list_artifacts(run.info.run_id)
    return {file.path: Path(client.download_artifacts(run.info.run_id, file.path)).read_text() for file in files}


@pytest.mark.parametrize("by", ["dashboard", "delivery"])
def test_a_store_that_moved_with_its_folder_finds_its_files(moved: SweepPaths, by: str) -> None:
    uri = tracking_uri(moved, None)
    assert artifacts_of(uri) == {}
    if by == "dashboard":
        dashboard_command(moved, uri, "127.0.0.1", 5000)
    else:
        assert deliver(moved, uri, EXPERIMENT) == Delivery(0)
    assert artifacts_of(uri) == {"summary.json": "the summary"}


def test_a_delivery_goes_on_after_a_move_where_it_was(moved: SweepPaths) -> None:
    """Neither runs nor files are sent again: a file that was removed from the store since then stays away."""
    uri = tracking_uri(moved, None)
    before = look(uri)
    (stored,) = moved.mlflow_artifacts.rglob("summary.json")
    stored.unlink()
    assert deliver(moved, uri, EXPERIMENT) == Delivery(0)
    assert not stored.exists()
    assert look(uri) == before


def test_a_store_that_has_not_moved_is_left_as_it_is(sweep: Sweep, uri: str) -> None:
    sweep.small()
    assert deliver(sweep.paths, uri, EXPERIMENT).undelivered == 0
    before = sweep.paths.mlflow_store.read_bytes()
    follow_move(sweep.paths.mlflow_store, sweep.paths.mlflow_artifacts)
    assert sweep.paths.mlflow_store.read_bytes() == before
