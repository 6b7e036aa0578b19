"""What comes from outside and means no good: specs, overrides, event logs, bookmarks, curves, data files.

Usage: python benchmarks/hostile.py [--specs N] [--overrides N] [--logs N] [--folders N] [--bookmarks N] [--tables N]

Each case must be answered within a second, by an error that a user can act on or as something valid; never by a traceback.
README.md beside this file says what is measured. `hostile_cases/` makes the cases.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

from hostile_cases.logs import LOGS, bookmark, log
from hostile_cases.specs import hypothetical, override, spec
from hostile_cases.tables import curves, table
from hostile_cases.tally import Tally
from hostile_cases.values import SPEC, as_yaml

from blurb_tune.cli.extend import Growth, extend_command
from blurb_tune.cli.plan import print_plan
from blurb_tune.cli.tracking import spec_of, tracking_target
from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution.sweep_folder import check_folder
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import find_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.replay.curve_files import read_curves
from blurb_tune.report.summary import summarize
from blurb_tune.spec import load_spec
from blurb_tune.tasks.sources.readers import read_conll, read_table
from blurb_tune.tracking.backlog import Backlog
from blurb_tune.tracking.bookmark import Bookmark
from blurb_tune.tracking.server import dashboard_command, dashboard_url


def _validate(file: Path, overrides: list[str]) -> None:
    print_plan(make_plan(load_spec(file, overrides)))


def _read_log(folder: Path) -> None:
    paths = SweepPaths(folder)
    find_events(paths.events, ev.SweepExtended)
    record = SweepRecord.read(paths.events)
    if record.started is not None:
        summarize(record)
    backlog = Backlog(paths.events)
    if backlog.size:
        backlog.sweep_id()
    while backlog.next_piece() is not None:
        backlog.advance()


def _read_bookmark(folder: Path) -> None:
    paths = SweepPaths(folder)
    mark = Bookmark.load(paths.delivered)
    dashboard_url(paths, "http://127.0.0.1:5000")
    if mark is not None:
        Backlog(paths.events).skip_to(mark.offset)
        if mark.is_for(mark, "s"):
            mark.save(folder / "again.json")


def _readers(folder: Path, plan: Plan) -> dict[str, Callable[[], object]]:
    """What `ui` and `sync`, `run --output`, and `extend` read of a folder before they do anything."""
    paths = SweepPaths(folder)
    growth = Growth(seeds=None, configurations=None, confirm=None, budget=(), only=None)
    return {
        "ui": lambda: dashboard_command(paths, tracking_target(paths, spec_of(paths))[0], "127.0.0.1", 5000),
        "run": lambda: check_folder(plan, paths),
        "extend": lambda: extend_command(paths, growth, quiet=True, as_json=False),
    }


def _read_tables(file: Path) -> None:
    content = file.read_bytes()
    if file.suffix == ".conll":
        list(read_conll(content, str(file), "text", "label"))
        return
    list(read_table(content, file))
    for kind in ("classification", "regression", "multi-label", "token classification"):
        task = {"train": file.name, "text": "text", "label": "label", "kind": kind}
        own = file.parent / "own.yaml"
        own.write_bytes(as_yaml({"task": task, "model": "tiny"}))
        with contextlib.suppress(BlurbTuneError):
            make_plan(load_spec(own))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in {
        "specs": 20_000,
        "overrides": 2_000,
        "logs": 5_000,
        "folders": 1_000,
        "bookmarks": 1_000,
        "tables": 2_000,
        "seed": 0,
        "only": -1,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    wanted = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "COLUMNS": "200", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    warnings.simplefilter("ignore")
    has_failed = False
    with tempfile.TemporaryDirectory(prefix="blurb-tune-hostile-") as scratch:
        folder = Path(scratch)
        os.chdir(folder)
        os.mkfifo(folder / "fifo.csv")
        (folder / "zero.csv").symlink_to("/dev/zero")
        for trap, file in {"model-zero": "config.json", "warm-zero": "events.jsonl"}.items():
            (folder / trap).mkdir()
            (folder / trap / file).symlink_to("/dev/zero")
        file = folder / "s.yaml"

        def numbered(count: int) -> list[int]:
            return range(count) if wanted.only < 0 else [wanted.only] if count else []  # type: ignore[return-value]

        specs = Tally("specs")
        for number in numbered(wanted.specs * 3 // 4):
            file.write_bytes(spec(Random(f"{wanted.seed} spec {number}")))
            specs.run(f"spec {number}", lambda: _validate(file, []))
        for number, content in enumerate(
            hypothetical(wanted.specs // 4, wanted.seed) if wanted.specs and wanted.only < 0 else ()
        ):
            file.write_bytes(content)
            specs.run(f"hypothesis {number}", lambda: _validate(file, []))
        overrides = Tally("overrides")
        file.write_bytes(as_yaml(SPEC))
        for number in numbered(wanted.overrides):
            random = Random(f"{wanted.seed} override {number}")
            given_ones = [override(random) for _ in range(random.randint(1, 3))]
            overrides.run(f"override {number}", lambda given_ones=given_ones: _validate(file, given_ones))  # type: ignore[misc]
        logs = Tally("logs")
        for number in numbered(wanted.logs):
            (folder / "events.jsonl").write_bytes(log(Random(f"{wanted.seed} log {number}")))
            logs.run(f"log {number}", lambda: _read_log(folder))
        folders = Tally("folders")
        (folder / "good.yaml").write_bytes(as_yaml(SPEC))
        plan = make_plan(load_spec(folder / "good.yaml"))
        shutil.copy(LOGS[0], folder / "events.jsonl")
        (folder / "spec.yaml").write_bytes(as_yaml(SPEC))
        for read in _readers(folder, plan).values() if wanted.folders else ():
            with contextlib.suppress(BlurbTuneError):  # what they import is none of the cases' time
                read()
        for number in numbered(wanted.folders):
            (folder / "spec.yaml").write_bytes(spec(Random(f"{wanted.seed} folder {number}")))
            for name, read in _readers(folder, plan).items():
                folders.run(f"folder {number} {name}", read)
        bookmarks = Tally("bookmarks")
        shutil.copy(LOGS[0], folder / "events.jsonl")
        for number in numbered(wanted.bookmarks):
            (folder / "tracking.json").write_bytes(bookmark(Random(f"{wanted.seed} bookmark {number}")))
            bookmarks.run(f"bookmark {number}", lambda: _read_bookmark(folder))
        tables = Tally("tables")
        for number in numbered(wanted.tables):
            random = Random(f"{wanted.seed} table {number}")
            if number % 2:
                content, about = curves(random)
                (folder / "c.csv").write_bytes(content)
                (folder / "c.json").write_bytes(about)
                tables.run(f"curves {number}", lambda: read_curves(folder / "c.csv") and None)
            else:
                ending, content = table(random)
                (folder / f"t{ending}").write_bytes(content)
                tables.run(f"table {number}", lambda ending=ending: _read_tables(folder / f"t{ending}"))  # type: ignore[misc]
        for tally in (specs, overrides, logs, folders, bookmarks, tables):
            has_failed |= bool(tally.counts) and tally.show()
        os.chdir("/")
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
