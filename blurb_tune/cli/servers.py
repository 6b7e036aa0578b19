"""Servers that a command starts, waits for, and takes along when it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException

from rich.console import Console

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.execution.forkserver import search_path

_POLL_SECONDS = 0.3
_ANSWER_SECONDS = 2.0
_SECONDS_TO_END = 10.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows no server of this machine


def address_of(host: str, port: int) -> str:
    """The address of a server; IPv6 addresses stand in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_port(host: str, port: int) -> None:
    """Raise InputError where no server can listen there."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except socket.gaierror as error:
        raise InputError([Problem("--host", f"{host} is no address of this machine: {error.strerror}")]) from None
    except OSError as error:
        raise InputError([Problem("--port", f"{host}:{port} cannot be listened on: {error.strerror}; try another")]) from None


@contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str], address: str, name: str) -> Iterator[Callable[[], None]]:
    """A server that answers at `address`, and what waits for its end; it ends with the context at the latest.

    It finds the modules that this process finds, and works in an empty folder: uvicorn imports from the working folder first,
    which may be a model's from elsewhere. So paths in `command` and `environment` must be whole. Its output is no news to the
    user unless the server ends. Raises BlurbTuneError, with the last line of the output, when the server ends of itself.
    """
    imports = {"PYTHONPATH": os.pathsep.join(search_path()), "PYTHONSAFEPATH": "1"}
    with (
        tempfile.TemporaryDirectory(prefix="blurb-tune-", ignore_cleanup_errors=True) as empty,
        tempfile.TemporaryFile() as said,
        _group(
            subprocess.Popen(
                command, env={**environment, **imports}, cwd=empty, stdout=said, stderr=said, start_new_session=True
            )
        ) as server,
    ):

        def wait() -> None:
            code = server.wait()
            said.seek(0)
            last = said.read().decode("utf-8", "replace").strip().splitlines()[-1:]
            why = f" ({last[0]})" if last else ""
            raise BlurbTuneError(f"{name} ended with exit code {code}{why}")

        with Console(stderr=True).status(f"starting {name}"):
            while server.poll() is None and not _answers(address):
                time.sleep(_POLL_SECONDS)
        if server.poll() is not None:
            wait()
        yield wait


@contextmanager
def _group(server: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process and those that it starts, which end with the context."""
    try:
        yield server
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                with suppress(subprocess.TimeoutExpired):
                    server.wait(_SECONDS_TO_END)
            finally:  # whatever is left, also after a second Ctrl-C
                with suppress(ProcessLookupError):
                    os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def _answers(address: str) -> bool:
    try:
        with _OPENER.open(f"{address}/health", timeout=_ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):  # another program may have got the port, and speak another language
        return False
