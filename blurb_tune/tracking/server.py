"""Is the tracking server there, and how is its dashboard opened? Answered without importing MLflow."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import sqlite3
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths, expand_home, whole_address
from blurb_tune.core.secrets import redact
from blurb_tune.tracking import dashboard
from blurb_tune.tracking.addresses import basic_token, credentials, lies_in, page_address, redact_error, sqlite_file
from blurb_tune.tracking.bookmark import Bookmark
from blurb_tune.tracking.dashboard_hosts import host_settings
from blurb_tune.tracking.sqlite import follow_move

_TIMEOUT = 3.0
_PROBE = "/api/2.0/mlflow/experiments/search?max_results=1"
_MEANWHILE = "the event log keeps the runs until it is back"
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306}
_DASHBOARD_SETTINGS = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes of 200 MB that serve nothing a sweep has
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def check_server(uri: str) -> str:
    """Find out, within seconds, whether MLflow can be reached at `uri`. Returns why it is away, empty where it answers.

    A server that is away, hangs or fails may be back any time: the event log keeps what it misses.

    HTTP servers are asked for an experiment, which `GET /health` would not tell: it answers callers with wrong credentials
    and unwelcome host names as well. Databases must accept a connection, SQLite files must be writable.

    Raises BlurbTuneError, with what to do and without secrets, when waiting mends nothing: another kind of server, credentials
    that are refused, a file that cannot be written, a URI that MLflow has no use for.
    """
    scheme = uri.partition(":")[0].lower()
    kind = scheme.partition("+")[0]
    if kind in ("http", "https"):
        return _check_http(uri)
    if kind == "sqlite":
        _check_sqlite(uri)
        return ""
    if kind in _DATABASE_PORTS:
        return _check_database(uri, _DATABASE_PORTS[kind])
    if "://" not in uri or kind == "file":
        raise BlurbTuneError(
            f"tracking URI {redact(uri)!r}: MLflow 3 keeps no runs in plain folders; "
            "expected sqlite:///FILE for a local store, or http://HOST:PORT for a server"
        )
    raise BlurbTuneError(
        f"tracking URI {redact(uri)!r}: unknown scheme {scheme!r}; expected one of: http, https, mysql, postgresql, sqlite"
    )


def dashboard_command(paths: SweepPaths, uri: str, host: str, port: int) -> list[str]:
    """The command line that serves MLflow's own dashboard on the SQLite store at `uri`, with http://host:port/ as its page.

    A store in a sweep's folder that was moved finds its files again first.

    Raises BlurbTuneError when `uri` is a server, which has a dashboard already, or a store that does not exist.
    """
    store = sqlite_file(uri)
    if store is None:
        raise BlurbTuneError(f"{redact(uri)} is no SQLite store: open the dashboard of the MLflow server that serves it")
    if not store.is_file():
        raise BlurbTuneError(f"{store}: no MLflow store here yet; `blurb-tune sync {paths.root}` makes it from the event log")
    if lies_in(paths, uri):
        with contextlib.suppress(sqlite3.Error):  # one that nobody may write shows its runs all the same
            follow_move(store, paths.mlflow_artifacts)
    wanted = _DASHBOARD_SETTINGS | host_settings(host, port)
    settings = [f"{name}={value}" for name, value in wanted.items() if name not in os.environ]
    backend = ["--backend-store-uri", whole_address(uri, Path.cwd())]  # the server may work in another folder
    server = [sys.executable, "-m", "mlflow", "server", *backend, "--host", host, "--port", str(port)]
    artifacts = ["--artifacts-destination", paths.mlflow_artifacts.resolve().as_uri()]
    return ["env", *settings, *server, *artifacts, "--workers", "1"]


def dashboard_url(paths: SweepPaths, base: str) -> str:
    """The address of the sweep's runs in the dashboard at `base`; that of all experiments while nothing was delivered."""
    page, mark = page_address(base), Bookmark.load(paths.delivered)
    if mark is None or not mark.experiment_id.isalnum():
        return f"{page}/#/experiments"
    columns = f"&{dashboard.QUERY}" if mark.view == dashboard.KEY else ""
    return f"{page}/#/experiments/{mark.experiment_id}/runs?workflowType=machine_learning{columns}"


def runs_address(paths: SweepPaths) -> str:
    """The address of the sweep's runs on the tracking server that they were delivered to; empty where they are on none."""
    mark = Bookmark.load(paths.delivered)
    is_known = mark is not None and mark.uri.startswith(("http://", "https://")) and mark.experiment_id.isalnum()
    return dashboard_url(paths, mark.uri) if mark is not None and is_known else ""


def _check_http(uri: str) -> str:
    try:
        if not urlsplit(uri).hostname or urlsplit(uri).port == 0:
            raise ValueError("no host")
    except ValueError as error:
        raise BlurbTuneError(f"tracking URI {redact(uri)!r}: {error}; expected http://HOST:PORT") from None
    try:
        fault = "" if isinstance(_ask(uri), dict) else "no JSON object"
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            if _authenticates_by_other_means():
                return ""
            raise BlurbTuneError(_refusal(uri, error)) from None
        if error.code >= 500 or error.code == 429:
            return f"the MLflow server at {_with_proxy(uri)} is out of order (HTTP {error.code}): {_MEANWHILE}"
        fault = f"HTTP {error.code}"
    except OSError as error:
        said = redact_error(error, uri)
        if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
            raise BlurbTuneError(
                f"the MLflow server at {_with_proxy(uri)} has a certificate that is not trusted here ({said}): name the file "
                "of its authority in MLFLOW_TRACKING_SERVER_CERT_PATH"
            ) from None
        return (
            f"the MLflow server at {_with_proxy(uri)} does not answer ({said}): {_MEANWHILE}; start it with `mlflow server`, "
            "correct `tracking.uri`, or leave `tracking.uri` out to keep the runs in the sweep's folder"
        )
    except (ValueError, http.client.HTTPException) as error:
        fault = redact_error(error, uri)
    if fault:
        raise BlurbTuneError(f"{_with_proxy(uri)} does not answer as an MLflow tracking server does ({fault})")
    return ""


def _with_proxy(uri: str) -> str:
    """An HTTP server, and the proxy that it is asked through, which may be what answers."""
    server = urlsplit(uri)
    proxy = urllib.request.getproxies().get(server.scheme)
    if not proxy or urllib.request.proxy_bypass(server.hostname or ""):
        return redact(uri)
    return f"{redact(uri)}, by the proxy {redact(proxy)} ({server.scheme}_proxy; NO_PROXY={server.hostname} goes past it),"


def _ask(uri: str) -> object:
    """What the server answers to a small question, as JSON. Credentials do not follow a redirect."""
    request = urllib.request.Request(page_address(uri) + _PROBE)
    for name, value in _authorization(uri).items():
        request.add_unredirected_header(name, value)
    with urllib.request.urlopen(request, timeout=_TIMEOUT, context=_tls()) as answer:
        return json.load(answer)


def _authorization(uri: str) -> dict[str, str]:
    login, token = credentials(uri), os.environ.get("MLFLOW_TRACKING_TOKEN")
    if login is not None:
        return {"Authorization": f"Basic {basic_token(*login)}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _authenticates_by_other_means() -> bool:
    """MLflow may be set up with credentials that only MLflow itself can use; a refusal then says nothing."""
    plugins = os.environ.get("MLFLOW_TRACKING_AUTH") or os.environ.get("MLFLOW_TRACKING_AWS_SIGV4")
    return bool(plugins) or expand_home("~/.mlflow/credentials").exists()


def _refusal(uri: str, error: urllib.error.HTTPError) -> str:
    said = redact_error(Exception(error.read(200).decode("utf-8", "replace")), uri)
    return (
        f"the MLflow server at {_with_proxy(uri)} refuses access (HTTP {error.code}: {said}): set "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; a server that complains of its host "
        "name wants --allowed-hosts"
    )


def _tls() -> ssl.SSLContext:
    """Certificates are judged as MLflow's own variables say."""
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    return ssl.create_default_context(cafile=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"))


def _check_sqlite(uri: str) -> None:
    store = sqlite_file(uri)
    if store is None:
        raise BlurbTuneError(f"tracking URI {uri!r}: expected sqlite:///FILE; a database in memory would lose the runs")
    rules: list[tuple[Callable[[], bool], str]] = [
        (store.parent.is_dir, f"the folder {store.parent} does not exist"),
        (lambda: os.access(store.parent, os.W_OK | os.X_OK), f"the folder {store.parent} is not writable"),
        (lambda: not store.exists() or store.is_file(), f"{store} is no file"),
        (lambda: not store.exists() or os.access(store, os.W_OK), f"{store} is not writable"),
    ]
    for holds, fault in rules:
        if not holds():
            raise BlurbTuneError(f"tracking URI {uri!r}: {fault}")


def _check_database(uri: str, default_port: int) -> str:
    server = uri.partition("://")[2].rpartition("@")[2]  # SQLAlchemy lets a password hold what would end a URL's host
    try:
        parts = urlsplit(f"//{server}")
        port = parts.port
    except ValueError as error:
        raise BlurbTuneError(f"tracking URI {redact(uri)!r}: {redact_error(error, uri)}") from None
    if parts.hostname is None:  # a Unix socket
        return ""
    try:
        socket.create_connection((parts.hostname, port or default_port), timeout=_TIMEOUT).close()
    except OSError as error:
        said = redact_error(error, uri)
        return f"the database at {redact(uri)} does not answer ({said}): {_MEANWHILE}; start it, or correct `tracking.uri`"
    return ""
