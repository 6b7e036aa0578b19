from __future__ import annotations

import base64
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.secrets import redact
from blurb_tune.tracking.addresses import redact_error, tracking_uri
from blurb_tune.tracking.bookmark import Bookmark
from blurb_tune.tracking.server import check_server, dashboard_command, dashboard_url

Answer = tuple[int, bytes]
FOUND = (200, b'{"experiments": []}')


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str, str | None], Answer]], str]]:
    """Starts an HTTP server that answers what a function of path and Authorization says; gives its URL."""
    servers = []

    def start(answer: Callable[[str, str | None], Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answer(self.path, self.headers["Authorization"])
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("USERNAME", "PASSWORD", "TOKEN", "AUTH", "AWS_SIGV4", "INSECURE_TLS", "SERVER_CERT_PATH"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def demand(login: str) -> Callable[[str, str | None], Answer]:
    return lambda path, sent: FOUND if sent == login else (401, b"who are you?")


BASIC = "Basic " + base64.b64encode(b"me:p@ss").decode()


def test_credentials_come_from_the_uri_or_from_mlflows_variables(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    basic, bearer = serve(demand(BASIC)), serve(demand("Bearer tok"))
    assert not check_server(basic.replace("://", "://me:p%40ss@"))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tok")
    assert not check_server(bearer)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "p@ss")
    assert not check_server(basic)
    with pytest.raises(BlurbTuneError, match="refuses access"):
        check_server(basic.replace("://", "://me:wrong@"))


def test_a_refusal_that_only_mlflow_itself_could_avoid_says_nothing(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = serve(demand(BASIC))
    with pytest.raises(BlurbTuneError, match="MLFLOW_TRACKING_USERNAME"):
        check_server(url)
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "some-plugin")
    check_server(url)


@pytest.mark.parametrize("answer", [(404, b"no such page"), (200, b"<html>"), (200, b"[1]")])
def test_a_server_of_another_kind_is_told_apart(serve: Callable[..., str], answer: Answer) -> None:
    with pytest.raises(BlurbTuneError, match="does not answer as an MLflow tracking server"):
        check_server(serve(lambda *_: answer))


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_fails_may_be_back(serve: Callable[..., str], status: int) -> None:
    said = check_server(serve(lambda *_: (status, b"maintenance")))
    assert f"out of order (HTTP {status})" in said
    assert "event log keeps" in said


@pytest.mark.parametrize("status", [200, 403, 407, 503])
def test_a_proxy_that_stands_before_a_server_is_named(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """It may be the proxy that answers, or does not: one for the outside knows no server of this machine."""
    proxy = serve(lambda *_: (status, b"<html>"))
    monkeypatch.setenv("http_proxy", proxy.replace("://", "://me:secret@"))
    monkeypatch.delenv("no_proxy", raising=False)
    named = f"http://127.0.0.1:9, by the proxy {proxy.replace('://', '://***@')} (http_proxy; NO_PROXY=127.0.0.1 goes past it)"
    try:
        said = check_server("http://127.0.0.1:9")
    except BlurbTuneError as error:
        said = str(error)
    assert named in said
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert "proxy" not in check_server("http://127.0.0.1:9")


def test_a_path_before_the_api_is_kept(serve: Callable[..., str]) -> None:
    url = serve(lambda path, _: FOUND if path.startswith("/mlflow/api/2.0/") else (404, b""))
    check_server(f"{url}/mlflow/")


def test_credentials_do_not_follow_a_redirect_to_another_host(serve: Callable[..., str]) -> None:
    sent: list[str | None] = []
    thief = serve(lambda _, login: (sent.append(login), FOUND)[1])

    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"{thief}/")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        check_server(f"http://me:secret@127.0.0.1:{server.server_address[1]}")
        server.shutdown()
    assert sent == [None]


def test_an_address_where_nobody_answers_is_told_without_the_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        begin = time.monotonic()
        for scheme in ("http", "postgresql"):
            if scheme == "postgresql":
                listener.close()
            said = check_server(f"{scheme}://me:hunter2@127.0.0.1:{port}")
            assert "does not answer" in said
            assert "hunter2" not in said
            assert "***@127.0.0.1" in said
        assert time.monotonic() - begin < 30


def test_a_database_that_accepts_connections_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not check_server(f"postgresql+psycopg2://me:secret@127.0.0.1:{listener.getsockname()[1]}/mlflow")
    assert not check_server("postgresql:///mlflow?host=/run/postgresql")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("mlruns", "sqlite:///FILE"),
        ("/tmp/mlruns", "sqlite:///FILE"),
        ("file:///tmp/mlruns", "sqlite:///FILE"),
        ("htp://host:5000", "unknown scheme 'htp'"),
        ("databricks://profile", "expected one of: http, https, mysql, postgresql, sqlite"),
        ("http://", "no host"),
        ("http://host:port", "expected http://HOST:PORT"),
        ("http://[::1", "expected http://HOST:PORT"),
        ("postgresql://me:a/b@127.0.0.1:port/x", "tracking URI 'postgresql://***@127.0.0.1:port/x': Port could not"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:////no/such/folder/m.db", "/no/such/folder does not exist"),
    ],
)
def test_what_is_no_tracking_uri_is_refused_with_a_hint(uri: str, says: str) -> None:
    with pytest.raises(BlurbTuneError) as caught:
        check_server(uri)
    assert says in str(caught.value)


def test_an_sqlite_file_must_be_a_file_that_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_server(f"sqlite:///{tmp_path}/new.db")
    monkeypatch.chdir(tmp_path)
    check_server("sqlite:///new.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BlurbTuneError, match="is no file"):
        check_server(f"sqlite:///{tmp_path}/folder")
    (tmp_path / "plain").write_text("")
    with pytest.raises(BlurbTuneError, match="does not exist"):
        check_server(f"sqlite:///{tmp_path}/plain/m.db")
    if os.geteuid() != 0:  # root may write everywhere
        (tmp_path / "folder").chmod(0o500)
        with pytest.raises(BlurbTuneError, match="not writable"):
            check_server(f"sqlite:///{tmp_path}/folder/m.db")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://host:5000/x", "http://host:5000/x"),
        ("http://me:pw@host:5000", "http://***@host:5000"),
        ("https://token@host", "https://***@host"),
        ("postgresql://u:p@ss/word@db/mlflow", "postgresql://***@db/mlflow"),
        ("mysql://db/x?user=u&password=pw&ssl=1", "mysql://db/x?user=u&password=***&ssl=1"),
        ("see 'http://a:b@c/' and http://d:e@f", "see 'http://***@c/' and http://***@f"),
        ("sqlite:////home/me/m.db", "sqlite:////home/me/m.db"),
    ],
)
def test_redaction(given: str, shown: str) -> None:
    assert redact(given) == shown


def test_an_error_loses_the_secrets_however_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tok")
    error = Exception(f"url http://me:p%40ss@h failed\n with p@ss, {BASIC}, tok")
    assert redact_error(error, "http://me:p%40ss@h") == "url http://***@h failed with ***, Basic ***, ***"
    assert redact_error(Exception("role me, password a/b"), "mysql://me:a/b@h/x") == "role me, password ***"


def test_the_local_store_lies_in_the_sweeps_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tracking_uri(SweepPaths(Path("runs/a")), None) == f"sqlite:///{tmp_path}/runs/a/mlflow.db"
    assert tracking_uri(SweepPaths(Path("runs/a")), "http://h") == "http://h"
    with pytest.raises(BlurbTuneError, match="'%' or '\\?'"):
        tracking_uri(SweepPaths(tmp_path / "100%"), None)


def test_the_dashboard_command_names_the_store(tmp_path: Path) -> None:
    paths = SweepPaths(tmp_path)
    uri = tracking_uri(paths, None)
    with pytest.raises(BlurbTuneError, match="blurb-tune sync"):
        dashboard_command(paths, uri, "127.0.0.1", 5000)
    paths.mlflow_store.touch()
    command = dashboard_command(paths, uri, "127.0.0.1", 5001)
    assert command[command.index(sys.executable) :][:4] == [sys.executable, "-m", "mlflow", "server"]
    assert "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false" in command
    with pytest.raises(BlurbTuneError, match="dashboard of the MLflow server") as caught:
        dashboard_command(paths, "postgresql://u:secret@db/mlflow", "127.0.0.1", 5000)
    assert "secret" not in str(caught.value)


def test_a_store_below_the_working_folder_is_found_from_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.db").touch()
    command = dashboard_command(SweepPaths(tmp_path / "a"), "sqlite:///own.db?timeout=9", "127.0.0.1", 5000)
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{tmp_path}/own.db?timeout=9"


def test_the_dashboard_url_leads_to_the_experiment(tmp_path: Path) -> None:
    paths = SweepPaths(tmp_path)
    assert dashboard_url(paths, "http://me:pw@host:5000/") == "http://host:5000/#/experiments"
    page = "http://host:5000/#/experiments/7/runs?workflowType=machine_learning"
    Bookmark("sqlite:///x", "e", "s", experiment_id="7").save(paths.delivered)
    assert dashboard_url(paths, "http://me:pw@host:5000/") == page, "a version before this one delivered it"
    Bookmark("sqlite:///x", "e", "s", experiment_id="7", view="blurb-tune").save(paths.delivered)
    assert dashboard_url(paths, "http://me:pw@host:5000/") == f"{page}&viewStateShareKey=blurb-tune"


@pytest.mark.parametrize(
    "content",
    ["", "[" * 100_000, "null", "[]", "7", '{"experiment_id": "../x"}', '{"experiment_id": "\\u001b"}', "\0", "1" * 5000],
)
def test_a_bookmark_that_nobody_wrote_leads_to_all_experiments(tmp_path: Path, content: str) -> None:
    paths = SweepPaths(tmp_path)
    paths.delivered.write_text(content)
    assert dashboard_url(paths, "http://host:5000/") == "http://host:5000/#/experiments"
