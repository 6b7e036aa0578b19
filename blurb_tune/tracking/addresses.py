"""Tracking URIs: the default one, and how to speak of one without giving away its secrets."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SQLITE, SweepPaths
from blurb_tune.core.secrets import HIDDEN, VARIABLES, redact, resolve


def tracking_uri(paths: SweepPaths, configured: str | None) -> str:
    """The URI that the spec names, variables filled in, or that of the SQLite store in the sweep's folder.

    Raises BlurbTuneError when a variable is not set, or that folder's name cannot stand in a URI: SQLAlchemy and MLflow
    disagree on how to escape it.
    """
    store = paths.mlflow_store.resolve()
    if configured is None and {"%", "?"} & set(str(store)):
        raise BlurbTuneError(f"{store}: MLflow opens no store in a folder with '%' or '?' in its name; use another folder")
    return resolve(configured) if configured else f"{SQLITE}{store}"


def sqlite_file(uri: str) -> Path | None:
    """The database file of an SQLite URI; None for any other URI and for databases in memory."""
    name = uri.removeprefix(SQLITE).partition("?")[0]
    if not uri.startswith(SQLITE) or name in ("", ":memory:"):
        return None
    return Path(name)


def lies_in(paths: SweepPaths, uri: str) -> bool:
    """Whether `uri` is that of the SQLite store in the sweep's folder."""
    file = sqlite_file(uri)
    return file is not None and file.resolve() == paths.mlflow_store.resolve()


def redact_error(error: BaseException, uri: str) -> str:
    """What `error` says, in one line, without the secrets of `uri` and of MLflow's environment variables.

    A server's answer may repeat the credentials it was sent in any of their forms, so each form is looked for.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    for secret in sorted(_secrets(uri), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return redact(text)


def page_address(uri: str) -> str:
    """The address of an HTTP server as a browser wants it: without credentials, query and final slash."""
    parts = urlsplit(uri)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def credentials(uri: str) -> tuple[str, str] | None:
    """User name and password for an HTTP server: those in the URI win over MLflow's environment variables."""
    login = _userinfo(uri)
    if login:
        user, _, password = login.partition(":")
        return unquote(user), unquote(password)
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME", ""), os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    return (user, password) if user and password else None


def basic_token(user: str, password: str) -> str:
    """The token of an HTTP `Authorization: Basic` header."""
    return base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _userinfo(uri: str) -> str:
    """What stands before the host, still encoded; the password of a database may hold what would end a host in a URL."""
    rest = uri.partition("://")[2]
    return (re.split(r"[/?#]", rest)[0] if uri.startswith("http") else rest).rpartition("@")[0]


def _secrets(uri: str) -> set[str]:
    found = {os.environ.get(name, "") for name in VARIABLES} | {_userinfo(uri).partition(":")[2]}
    login = credentials(uri)
    if login is not None:
        found |= {login[1], basic_token(*login)}
    return found - {""}
