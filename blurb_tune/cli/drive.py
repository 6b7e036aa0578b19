"""`drive`: what runs on the cluster for a submitted sweep: it does what `run` and `extend` do, and follows requests."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import yaml

from blurb_tune.cli.extend import Growth, extend_command
from blurb_tune.cli.run import run_command
from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.storage import FolderStorage, open_storage
from blurb_tune.execution.storage_session import EVENTS
from blurb_tune.log.mirror import fetch_log
from blurb_tune.service.changes import changes
from blurb_tune.service.driver_log import copy_output
from blurb_tune.service.kept_sweeps import DRIVER_LOG, PAYLOAD, End, KeptSweep, Request
from blurb_tune.service.notify import notify
from blurb_tune.service.prune import work_folder

_POLL_SECONDS = 2.0
_TRACKING = "MLFLOW_TRACKING_URI"
_ENDING = ("stop", "pause")


def drive_command(uri: str, sweep_id: str) -> ExitCode:
    """Run the sweep that lies in the storage `uri` to its end, or until somebody asks for another."""
    storage = open_storage(uri)
    sweep = KeptSweep(storage, sweep_id)
    paths = SweepPaths(_work_folder(sweep))
    with copy_output(paths.root / DRIVER_LOG, sweep.storage):
        code, message, asked = ExitCode.FAILED, "", None
        try:
            code, message, asked = _Driver(storage.uri, sweep, paths).run()
        except BlurbTuneError as error:
            code, message = ExitCode.BAD_INPUT if isinstance(error, InputError) else ExitCode.FAILED, str(error)
            print(f"error: {message}", file=sys.stderr, flush=True)
        finally:
            reason = asked[1].command if asked and code is ExitCode.INTERRUPTED else ""
            end = End(int(code), message, reason, time.time())
            with suppress(OSError):
                sweep.end(end)
                if asked:
                    sweep.answer(asked[0])
            notify(sweep, end)
        return code


def _work_folder(sweep: KeptSweep) -> Path:
    """The sweep's folder itself where it is one, else one of this machine, for this user's eyes."""
    if isinstance(sweep.storage, FolderStorage):
        return sweep.storage.root
    home = work_folder()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if home.stat().st_uid != os.getuid():
        raise BlurbTuneError(f"{home} belongs to somebody else; name another folder in BLURB_TUNE_WORK")
    return home / sweep.id


class _Driver:
    def __init__(self, uri: str, sweep: KeptSweep, paths: SweepPaths):
        self._uri, self._sweep, self._paths = uri, sweep, paths

    def run(self) -> tuple[ExitCode, str, tuple[str, Request] | None]:
        """The exit code, what is to be said, and the request that ended it."""
        self._bring()
        self._sweep.end(None)
        growth, message = Growth(), ""
        while True:
            watch = _Watch(self._sweep, self._paths.events)
            watch.start()
            try:
                code = self._run(growth, watch.interrupted)
            except KeyboardInterrupt:  # before the log could say so
                code = ExitCode.INTERRUPTED
            except InputError as error:
                if growth == Growth():
                    raise
                # A change that cannot be made changes nothing: the sweep goes on as it was.
                message = f"not changed: {error}"
                print(message, file=sys.stderr, flush=True)
                growth = Growth()
                continue
            finally:
                watch.stop()
            asked = watch.asked
            if asked is None or asked[1].command in _ENDING:
                return code, message, asked
            self._sweep.answer(asked[0])
            try:
                growth = growth_of(asked[1])
            except InputError as error:
                print(f"not changed: {error}", file=sys.stderr, flush=True)
                growth = Growth()

    def _run(self, growth: Growth, interrupted: threading.Event) -> ExitCode:
        if interrupted.wait(0.0):
            return ExitCode.INTERRUPTED
        if self._paths.events.exists():
            return extend_command(self._paths, growth, quiet=False, as_json=False, interrupted=interrupted)
        spec = self._paths.root / PAYLOAD / "spec.yaml"
        overrides = [f"storage={self._uri}", "cluster=auto"]
        if os.environ.get(_TRACKING) and yaml.safe_load(spec.read_text(encoding="utf-8"))["tracking"]["uri"] is None:
            overrides.append(f"tracking.uri=${{{_TRACKING}}}")  # the cluster has a server, and the spec names none
        return run_command(spec, overrides, self._paths.root, quiet=False, as_json=False, interrupted=interrupted)

    def _bring(self) -> None:
        """What was submitted and what earlier drivers left, where this machine has not got it."""
        place, root = self._sweep.storage, self._paths.root
        if isinstance(place, FolderStorage):
            return
        for name in place.names():
            if name.startswith(f"{PAYLOAD}/") or name == "spec.yaml":
                file = root / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(place.read(name))
        if any(name.startswith(f"{EVENTS}/") for name in place.names()):
            fetch_log(place.child(EVENTS), self._paths.events)


class _Watch:
    """Looks for requests, and interrupts what runs when there is one.

    Only a sweep that has a log can be changed: what is asked for before waits for that, unless it is to stop.
    """

    def __init__(self, sweep: KeptSweep, log: Path):
        self._sweep, self._log = sweep, log
        self.interrupted = threading.Event()
        self.asked: tuple[str, Request] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="requests", daemon=True)

    def start(self) -> None:
        self._look_once()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30.0)

    def _look(self) -> None:
        while self.asked is None and not self._stop.wait(_POLL_SECONDS):
            self._look_once()

    def _look_once(self) -> None:
        with suppress(OSError):  # the storage is away; the next look may find it
            asked = self._sweep.requests()
            self.asked = next((of for of in asked if of[1].command in _ENDING or self._log.exists()), None)
        if self.asked is not None:
            print(f"{self.asked[1].command}, asked for by {self.asked[1].by}", flush=True)
            self.interrupted.set()


def growth_of(request: Request) -> Growth:
    """What a `change` or `retry` means. Settings are by key path, as `--set` has them. Raises InputError."""
    if request.command == "retry":
        return Growth(errored_again=True)
    values = changes([f"{key}={json.dumps(value)}" for key, value in request.arguments.items()])
    return Growth(
        seeds=values.get("seeds"),
        configurations=values.get("search.configurations"),
        confirm=values.get("confirm"),
        budget=[
            f"{key.removeprefix('budget.')}={json.dumps(value)}" for key, value in values.items() if key.startswith("budget.")
        ],
        settings={key: value for key, value in values.items() if key in ("resources.concurrency", "priority")},
    )
