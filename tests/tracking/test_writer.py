from __future__ import annotations

import base64
import contextlib
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.tracking.delivery import Delivery, deliver
from blurb_tune.tracking.server import check_server
from blurb_tune.tracking.writer import TrackingWriter
from tests.tracking.conftest import EXPERIMENT, ServerProcess, Sweep, free_port, look, wait_until


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second for a request, as a user may set it."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


def follow(sweep: Sweep, uri: str) -> TrackingWriter:
    writer = TrackingWriter(sweep.paths, uri, EXPERIMENT, period=0.05, patience=0.0)
    sweep.log.observe(writer.notify)
    writer.start()
    return writer


def offset(sweep: Sweep) -> int:
    return int(json.loads(sweep.paths.delivered.read_text())["offset"]) if sweep.paths.delivered.exists() else 0


def has_caught_up(sweep: Sweep) -> bool:
    return offset(sweep) == sweep.paths.events.stat().st_size


def test_runs_are_there_while_the_sweep_goes_on(sweep: Sweep, uri: str) -> None:
    writer = follow(sweep, uri)
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    sweep.measure(trial, 10, 0.4)
    wait_until(lambda: has_caught_up(sweep), "the measurement is in MLflow")
    assert look(uri)[trial].status == "RUNNING"
    sweep.measure(trial, 20, 0.6)
    wait_until(lambda: has_caught_up(sweep), "the next one is as well")
    sweep.end(trial, Outcome.COMPLETED)
    sweep.finish()
    sweep.paths.summary.write_text("{}")
    delivery = writer.close(30.0)
    assert (delivery.undelivered, delivery.error, delivery.warnings) == (0, "", ())
    runs = look(uri)
    assert {run.status for run in runs.values()} == {"FINISHED"}
    assert [value for _, _, value in runs[trial].history["dev/score"]] == ["0.4", "0.6"]
    assert len(list(sweep.paths.mlflow_artifacts.rglob("summary.json"))) == 1


def test_without_a_word_from_the_driver_the_log_is_looked_at(sweep: Sweep, uri: str) -> None:
    writer = TrackingWriter(sweep.paths, uri, EXPERIMENT, period=0.05, patience=0.0)
    writer.start()
    sweep.start()
    wait_until(lambda: has_caught_up(sweep), "the log was looked at")
    assert writer.close(30.0).undelivered == 0


def test_a_closed_writer_lets_the_next_one_in(sweep: Sweep, uri: str) -> None:
    sweep.start()
    assert follow(sweep, uri).close(30.0).undelivered == 0
    sweep.suggest("c000")
    assert follow(sweep, uri).close(30.0).undelivered == 0


class MuteServer:
    """Takes connections and never answers, until it hangs up."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.has_taken_one = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._connections.append(self._listener.accept()[0])
                self.has_taken_one.set()

    def hang_up(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        for open_socket in (self._listener, *self._connections):
            open_socket.close()


def test_a_server_that_does_not_answer_holds_up_neither_the_log_nor_the_end(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server never answers the request that the thread waits on: whatever waited for the thread would wait for ever."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "600")
    server = MuteServer()
    writer = follow(sweep, server.url)
    sweep.start()
    sweep.suggest("c000")
    assert server.has_taken_one.wait(60)
    trial = sweep.begin("c000", 0)
    for step in range(1, 1001):
        sweep.measure(trial, step)
    delivery = writer.close(0.2)
    assert writer._thread.is_alive()
    assert delivery.undelivered == len(sweep.written) == 1003
    assert "took too long" in delivery.error
    assert sweep.paths.events.read_bytes().count(b"\n") == 1003
    server.hang_up()
    writer._thread.join(30)
    assert not writer._thread.is_alive()


def test_the_end_waits_no_longer_for_a_server_that_takes_nothing(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blurb_tune.tracking.writer._LONGEST_SILENCE", 0.5)
    writer = follow(sweep, f"http://127.0.0.1:{free_port()}")
    sweep.start()
    wait_until(lambda: writer.error, "the writer misses its server")
    found: list[Delivery] = []
    threading.Thread(target=lambda: found.append(writer.close(3600.0)), daemon=True).start()
    wait_until(lambda: found, "the writer gives up")
    assert found[0].undelivered == 1
    assert "refused" in found[0].error


def test_secrets_stay_out_of_errors_logs_and_files(
    sweep: Sweep, tell_tale: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server repeats the credentials it was sent, in clear and encoded."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tok-4711")
    caplog.set_level(logging.DEBUG)
    writer = follow(sweep, tell_tale.replace("://", "://me:hunt%40er2@"))
    sweep.start()
    wait_until(lambda: writer.error, "the refusal is known")
    delivery = writer.close(0.5)
    assert delivery.undelivered == 1
    assert "401" in delivery.error
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("blurb_tune")]
    assert len(ours) == 1
    files = [path.read_text() for path in sweep.paths.root.iterdir()]
    encoded = base64.b64encode(b"me:hunt@er2").decode()
    for said in (delivery.error, *ours, *files):
        assert not [secret for secret in ("hunt", "er2", "tok-4711", encoded) if secret in said], said


@pytest.fixture
def tell_tale() -> Iterator[str]:
    """A server that refuses everything and says what it was sent."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.headers["Authorization"]
            clear = base64.b64decode(sent.split()[1]).decode() if sent.startswith("Basic") else sent
            body = f"refused: {sent} ({clear}), also tok-4711".encode()
            self.send_response(401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name is the base class's

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_users_settings_are_left_as_they_are(sweep: Sweep, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    sweep.start()
    assert deliver(sweep.paths, uri, EXPERIMENT).undelivered == 0
    assert (os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"], os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]) == ("3", "10")


def test_importing_the_package_and_making_a_writer_does_not_import_mlflow(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from blurb_tune.core.paths import SweepPaths
from blurb_tune.tracking.server import check_server
from blurb_tune.tracking.writer import TrackingWriter
check_server("sqlite:///{tmp_path}/m.db")
TrackingWriter(SweepPaths(Path({str(tmp_path)!r})), "sqlite:///{tmp_path}/m.db", "e").close(0.0)
print(sorted({{"mlflow", "sqlalchemy", "torch", "ray", "optuna", "pandas"}} & set(sys.modules)))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.service
@pytest.mark.usefixtures("impatient")
def test_a_server_that_comes_late_freezes_and_dies_gets_everything_once(
    sweep: Sweep, uri: str, mlflow_server: ServerProcess
) -> None:
    writer = follow(sweep, mlflow_server.url)
    sweep.start()
    sweep.suggest("c000")
    first = sweep.trial("c000", 0, Outcome.COMPLETED, [0.1, 0.2])
    wait_until(lambda: writer.error, "the writer misses its server")
    mlflow_server.start()
    assert not check_server(mlflow_server.url)
    wait_until(lambda: has_caught_up(sweep), "the server has what it missed")
    assert not writer.error

    mlflow_server.signal(signal.SIGSTOP)  # requests are given up as lost, and the server works through them later
    second = sweep.begin("c000", 1)
    sweep.measure(second, 10, 0.3)
    wait_until(lambda: "timed out" in writer.error, "a request has timed out")
    mlflow_server.signal(signal.SIGCONT)
    wait_until(lambda: has_caught_up(sweep), "the second trial is running in MLflow")
    statuses = {key: run.status for key, run in look(mlflow_server.url).items()}
    assert statuses == {"sweep": "RUNNING", first: "FINISHED", second: "RUNNING"}

    mlflow_server.stop()
    assert "does not answer" in check_server(mlflow_server.url)
    sweep.measure(second, 20, float("nan"))
    sweep.end(second, Outcome.PRUNED_UNDERPERFORMING, reason="beaten")
    wait_until(lambda: writer.error, "the writer misses its server again")
    assert not has_caught_up(sweep)
    sweep.end_configuration("c000")
    sweep.finish()
    sweep.paths.summary.write_text("{}")
    mlflow_server.start()
    delivery = writer.close(60.0)
    assert (delivery.undelivered, delivery.error, delivery.warnings) == (0, "", ())
    assert deliver(sweep.paths, uri, EXPERIMENT).undelivered == 0
    assert look(mlflow_server.url) == look(uri)
