"""Servers that commands start: what they import, and what is left of them."""

from __future__ import annotations

import os
import sys
import urllib.request
from pathlib import Path

import pytest

from blurb_tune.cli.servers import address_of, serving
from blurb_tune.core.errors import BlurbTuneError
from tests.cli.test_surroundings import TRAPS, set_traps
from tests.tracking.conftest import free_port

APP = f"""
import {", ".join(sorted({"queue", "random", "statistics", "token"} & set(TRAPS)))}

async def app(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"here"}})
"""


def test_a_server_imports_what_we_do_and_nothing_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As MLflow starts it, for which uvicorn puts the working folder before everything else."""
    ours, theirs, temporary = tmp_path / "ours", tmp_path / "theirs", tmp_path / "temporary"
    for folder in (ours, theirs, temporary):
        folder.mkdir()
    (ours / "an_app.py").write_text(APP)
    caught = set_traps(theirs)
    monkeypatch.syspath_prepend(ours)
    monkeypatch.chdir(theirs)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    port = free_port()
    address = address_of("127.0.0.1", port)
    command = [sys.executable, "-m", "uvicorn", "--lifespan", "off", "--port", str(port), "an_app:app"]
    with serving(command, os.environ, address, "the server"):
        assert urllib.request.urlopen(address, timeout=10).read() == b"here"
    assert not caught.exists(), caught.read_text()
    assert list(temporary.iterdir()) == []


def test_no_proxy_is_asked_for_a_server_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "health").touch()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    port = free_port()
    server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path), str(port)]
    command = ["timeout", "60", *server]  # with it ends a wait in vain
    with serving(command, os.environ, address_of("127.0.0.1", port), "a server of files"):
        pass


def test_what_speaks_no_http_is_not_the_server(tmp_path: Path) -> None:
    """As where another program has got the port meanwhile: Ray's greet with bytes of HTTP/2."""
    port = free_port()
    script = f"""
import socket
listener = socket.create_server(("127.0.0.1", {port}))
for answer in (bytes([64, 64, 64, 254]), b"HTTP/1.0 200 OK\\r\\n\\r\\n"):
    connection = listener.accept()[0]
    connection.recv(1000)
    connection.sendall(answer)
    connection.close()
"""
    with serving([sys.executable, "-c", script], os.environ, address_of("127.0.0.1", port), "the server"):
        pass


def test_a_server_that_ends_says_why() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no model')"]
    with (
        pytest.raises(BlurbTuneError, match=r"the server ended with exit code 1 \(no model\)"),
        serving(command, os.environ, address_of("127.0.0.1", 9), "the server"),
    ):
        pass
