"""A sweep's event log written event by event, an MLflow store to deliver it to, and a real MLflow server."""

from __future__ import annotations

import http.client
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Configuration, Measurement, Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog
from blurb_tune.tracking.delivery import open_store

EXPERIMENT = "blurb-tune/demo"
START = 1_700_000_000.0


@dataclass
class Sweep:
    """Writes a sweep's log through `EventLog`, one second between events."""

    paths: SweepPaths
    sweep_id: str = "quick-abcd"
    now: float = START
    listener: Callable[[ev.Event], None] | None = None
    written: list[ev.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.paths.root.mkdir(parents=True, exist_ok=True)
        self.open()

    def open(self) -> None:
        self.log = EventLog(self.paths.events, self.paths.lock)
        if self.listener:
            self.log.subscribe(self.listener)

    def append(self, kind: type[ev.Event], **values: Any) -> float:
        """Write an event and return its time."""
        self.now += 1.0
        event = kind(time=self.now, **values)
        self.log.append(event)
        self.written.append(event)
        return self.now

    def start(self, seeds: int = 2, **changes: Any) -> float:
        header: dict[str, Any] = {
            "sweep_id": self.sweep_id,
            "name": "quick",
            "spec_digest": "d1",
            "task": "demo",
            "metric": "pearson",
            "models": {"tiny": 4},
            "objective": "mean",
            "score": "final",
            "seeds": list(range(seeds)),
            "configurations": 2,
            "trivial_score": 0.0,
            "slots": 2,
            "versions": {"torch": "2.13.0"},
        }
        return self.append(ev.SweepStarted, **header | changes)

    def suggest(self, configuration: str, **values: Any) -> float:
        point = Configuration(**{"model": "tiny"} | values)
        return self.append(ev.ConfigurationSuggested, configuration=configuration, parameters={}, values=point.values())

    def begin(self, configuration: str, seed: int, attempt: int = 1) -> str:
        trial = f"{configuration}-s{seed}"
        self.append(ev.TrialStarted, trial=trial, configuration=configuration, seed=seed, attempt=attempt)
        return trial

    def measure(self, trial: str, step: int, score: float = 0.5, **changes: Any) -> float:
        values: dict[str, Any] = {
            "step": step,
            "epoch": step / 10,
            "dev_score": score,
            "dev_loss": 0.7,
            "train_loss": 0.6 / step,
            "grad_norm": 1.5,
            "prediction_spread": 0.9,
            "learning_rate": 5e-5,
            "train_seconds": 2.0,
            "eval_seconds": 0.5,
        }
        return self.append(ev.Measured, trial=trial, measurement=Measurement(**values | changes))

    def end(self, trial: str, outcome: Outcome, attempt: int = 1, **changes: Any) -> float:
        return self.append(ev.TrialEnded, trial=trial, attempt=attempt, outcome=str(outcome), **changes)

    def end_configuration(self, configuration: str, value: float = 0.5) -> float:
        return self.append(ev.ConfigurationEnded, configuration=configuration, state="COMPLETE", value=value, failed_share=0.0)

    def finish(self, status: str = "finished") -> float:
        return self.append(ev.SweepEnded, status=status, wall_seconds=60.0)

    def trial(self, configuration: str, seed: int, outcome: Outcome, scores: list[float], **changes: Any) -> str:
        """A trial from start to end, a measurement every ten steps."""
        trial = self.begin(configuration, seed)
        for number, score in enumerate(scores, start=1):
            self.measure(trial, 10 * number, score)
        self.end(trial, outcome, **changes)
        return trial

    def small(self) -> None:
        """Two configurations with two seeds each: completed, collapsed, pruned as unstable, diverged."""
        self.start()
        self.suggest("c000")
        self.suggest("c001", freeze_depth=2, decay_rate=0.8)
        self.trial("c000", 0, Outcome.COMPLETED, [0.4, 0.6])
        self.trial("c000", 1, Outcome.COLLAPSED, [0.1, 0.0], reason="no better than the trivial predictor")
        self.end_configuration("c000")
        self.trial("c001", 0, Outcome.PRUNED_UNSTABLE, [0.2], reason="train loss stuck")
        broken = self.begin("c001", 1)
        self.measure(broken, 10, math.nan, train_loss=math.inf, grad_norm=-math.inf)
        self.end(broken, Outcome.DIVERGED, reason="loss is not finite")
        self.end_configuration("c001")
        self.finish()


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    sweep = Sweep(SweepPaths(tmp_path / "quick-abcd"))
    yield sweep
    sweep.log.close()


@pytest.fixture(scope="session")
def blank_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables and nothing else, which takes seconds to make."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    open_store(SweepPaths(file.parent), f"sqlite:///{file}", "to be left alone", "none")
    return file


@pytest.fixture
def uri(sweep: Sweep, blank_store: Path) -> str:
    """The SQLite store in the sweep's folder."""
    shutil.copy(blank_store, sweep.paths.mlflow_store)
    return f"sqlite:///{sweep.paths.mlflow_store}"


@dataclass(frozen=True)
class SeenRun:
    """All that MLflow says about a run but its own id. `parent` is the parent's place in `look`'s answer, not its id."""

    name: str
    status: str
    start: int
    end: int | None
    parent: str | None
    params: dict[str, str]
    tags: dict[str, str]
    history: dict[str, list[tuple[int, int, str]]]


def look(uri: str, experiment: str = EXPERIMENT) -> dict[str, SeenRun]:
    """The active runs by trial (`sweep` for the parent), each with whole metric histories: (step, timestamp, value's repr)."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id], max_results=1000) if found else []
    names = {run.info.run_id: run.data.tags.get("blurb_tune.trial_id", "sweep") for run in runs}
    seen: dict[str, SeenRun] = {}
    for run in runs:
        trial, parent = names[run.info.run_id], run.data.tags.get("mlflow.parentRunId")
        assert trial not in seen, f"{trial} has more than one active run"
        seen[trial] = SeenRun(
            run.info.run_name,
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            names.get(parent, parent),
            run.data.params,
            {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")},
            {
                name: [(m.step, m.timestamp, repr(m.value)) for m in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
            },
        )
    return seen


def wait_until(holds: Callable[[], object], what: str, timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout:.0f} s in vain until {what}")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """A command that serves HTTP, in a process group of its own that ends as a whole."""

    def __init__(self, command: list[str], url: str, log: Path):
        self.command, self.url, self.log = command, url, log
        self.port = int(url.rpartition(":")[2])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, cwd=self.log.parent, env=environment, start_new_session=True
            )
        wait_until(self._answers, f"{self.command} serves; it said:\n{self.log.read_text()}")

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def stop(self) -> None:
        """End the group; fails when a process of it is left."""
        if self._process is None:
            return
        process, self._process = self._process, None
        for number in (signal.SIGCONT, signal.SIGKILL):
            os.killpg(process.pid, number)
        process.wait(30)
        wait_until(lambda: not _group_lives(process.pid), "the server's processes have ended", 30)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"the server ended by itself:\n{self.log.read_text()}")
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class Proxy:
    """Stands before an MLflow server, counts what is asked of it, and fails as `fault` says.

    fault: None; "refuse", which answers 500 and passes nothing on; "lose", which passes on and answers 500 all the same.
    """

    def __init__(self, target: str):
        self.fault: str | None = None
        self.asked: Counter[str] = Counter()
        proxy, host = self, target.removeprefix("http://")

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/")
                proxy.asked[path] += 1
                status, answer = 500, b"out of order"
                if proxy.fault != "refuse":
                    connection = http.client.HTTPConnection(host, timeout=30)
                    headers = {
                        name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")
                    }
                    connection.request(self.command, self.path, body, headers)
                    given = connection.getresponse()
                    told = given.read()
                    connection.close()
                    if proxy.fault is None:
                        status, answer = given.status, told
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names are the base class's

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def mlflow_server(tmp_path: Path, blank_store: Path) -> Iterator[ServerProcess]:
    """An MLflow server with a database of its own, not started yet."""
    server = server_in(tmp_path / "server", blank_store)
    yield server
    server.stop()


def server_in(folder: Path, blank_store: Path) -> ServerProcess:
    """An MLflow server with a database in a new folder, not started yet."""
    folder.mkdir()
    shutil.copy(blank_store, folder / "mlflow.db")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    options = ["--artifacts-destination", (folder / "files").as_uri(), "--port", str(port), "--workers", "1"]
    settings = ["env", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "MLFLOW_DISABLE_TELEMETRY=true"]
    return ServerProcess([*settings, *command, *options], f"http://127.0.0.1:{port}", folder / "server.log")
