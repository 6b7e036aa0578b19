"""An SQLite store of MLflow comes into its place whole, however its maker is interrupted."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

# What MLflow keeps as whole addresses below that of an experiment: files of runs, and models.
_ADDRESSES = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def ensure_store(file: Path, make: Callable[[Path], None], *, is_ours: bool) -> None:
    """See to it that `file` is no store that `make` was interrupted at.

    MLflow makes its tables in hundreds of statements, and takes up what a killed process left of them never again. So a store
    is made beside its place and then moved there. `is_ours`: nobody else makes a store at this place, so that one which is
    half made, by an earlier version, is replaced; it has no experiment yet, hence no run.

    Raises OSError, sqlite3.Error, and what `make` raises.
    """
    if file.exists() and (not is_ours or _is_made(file)):
        return
    if is_ours:
        for left in file.parent.glob(f".{file.name}.*"):
            left.unlink(missing_ok=True)
    made = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        make(made)
        if is_ours:
            made.replace(file)
        else:
            _move_unless_there(made, file)
    finally:
        made.unlink(missing_ok=True)


def copy_of(blank: Path, make: Callable[[Path], None]) -> Callable[[Path], None]:
    """A way to make a store: as a copy of `blank`, which has no runs. Where that is not there or not whole, `make` makes the
    store, and a copy of it becomes the new `blank`."""

    def copy(file: Path) -> None:
        try:
            if blank.exists() and _is_whole(blank):
                shutil.copyfile(blank, file)
                return
        except (OSError, sqlite3.Error):
            pass  # a cache that is of no use
        make(file)
        with suppress(OSError):
            blank.parent.mkdir(parents=True, exist_ok=True)
            here = blank.with_name(f".{blank.name}.{os.getpid()}")
            shutil.copyfile(file, here)
            here.replace(blank)

    return copy


def follow_move(file: Path, artifacts: Path) -> None:
    """Have the runs and models of the store `file` find their files in the folder `artifacts`, which was moved with the store.

    MLflow keeps whole addresses. Another folder of the same name, in which the store's experiments had theirs, is the one
    before the move. Raises sqlite3.Error.
    """
    here = artifacts.resolve().as_uri()
    with closing(sqlite3.connect(file, timeout=10)) as database, database:
        known = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        for (there,) in known:
            if there is None or there == here or Path(there).name != artifacts.name:
                continue
            database.execute("UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?", (here, there))
            prefix = f"{there}/"
            for table, column in _ADDRESSES:
                moved = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
                database.execute(moved, (f"{here}/", len(prefix) + 1, len(prefix), prefix))


def _is_made(file: Path) -> bool:
    """Whether the store has an experiment: MLflow's default one comes last, when all tables are there."""
    with closing(sqlite3.connect(file)) as database:
        has_table = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'experiments'").fetchone()
        return bool(has_table and database.execute("SELECT 1 FROM experiments LIMIT 1").fetchone())


def _is_whole(file: Path) -> bool:
    with closing(sqlite3.connect(file)) as database:
        return _is_made(file) and database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _move_unless_there(made: Path, file: Path) -> None:
    """Another process may have been faster, and have runs in its store already."""
    try:
        file.hardlink_to(made)
    except FileExistsError:
        return
    except OSError:  # there are file systems without links
        if not file.exists():
            made.replace(file)
