"""PostgreSQL and an MLflow server on it, and requests to them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2

Row = dict[str, Any]


class Servers:
    """PostgreSQL and an MLflow server on it, in a new folder. The server's access log says what was asked of it."""

    def __init__(self, folder: Path):
        self._log = folder / "mlflow.log"
        self._as_postgres, self._bin = _postgres_user(folder), _postgres_programs()
        self._data = folder / "data"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._folder = folder

    def start(self) -> None:
        folder, port = self._folder, free_port()
        self.dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        subprocess.run(
            [*self._as_postgres, f"{self._bin}/initdb", "-U", "postgres", "-A", "trust", "-D", str(self._data)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        options = ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"]
        self._start([*self._as_postgres, f"{self._bin}/postgres", "-D", str(self._data), *options], folder / "postgres.log")
        wait_until(self._database_answers)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        store = self.dsn.replace("postgresql:", "postgresql+psycopg2:")  # SQLAlchemy 2.1 takes psycopg 3 otherwise
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)]
        os.environ |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        self._start([*command, "--artifacts-destination", str(folder / "files"), "--workers", "2"], self._log)
        wait_until(self._server_answers)
        self.query("ALTER TABLE metrics ADD COLUMN written double precision DEFAULT extract(epoch FROM clock_timestamp())")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(psycopg2.connect(self.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def requests(self) -> int:
        """Answered since the start, health checks left out."""
        return len(re.findall(r'"(?:GET|POST|PUT|PATCH|DELETE) /(?:ajax-)?api/', self._log.read_text()))

    def delays(self) -> list[float]:
        """Seconds from each measurement of a trial to the moment MLflow's database had it; in order."""
        sql = "SELECT written - timestamp / 1000.0 FROM metrics WHERE key LIKE 'dev%' OR key LIKE 'train%' ORDER BY 1"
        return [float(row[0]) for row in self.query(sql)]

    def stop(self) -> None:
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGINT if process is self._processes[0] else signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def _start(self, command: list[str], log: Path) -> None:
        with log.open("ab") as out:
            self._processes.append(subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True))

    def _database_answers(self) -> bool:
        with contextlib.suppress(psycopg2.OperationalError):
            self.query("SELECT 1")
            return True
        return False

    def _server_answers(self) -> bool:
        try:
            return ask(self.url, "GET", "/health") is not None
        except OSError:
            return False


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="blurb-tune-load-") as folder:
        running = Servers(Path(folder))
        try:
            running.start()
            yield running
        finally:
            running.stop()


def _postgres_programs() -> str:
    places = [Path(found).parent] if (found := shutil.which("initdb")) else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not places:
        sys.exit("PostgreSQL is missing (Debian: postgresql)")
    return str(places[-1])


def _postgres_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("a server does not start")
        time.sleep(0.1)


def ask(url: str, method: str, path: str, body: Row | None = None) -> bytes | None:
    """The answer to one request, None for one that is no success."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        return text if answer.status == 200 else None
    finally:
        connection.close()
