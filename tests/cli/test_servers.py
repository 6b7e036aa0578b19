"""Servers that a command starts and waits for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from blurb_tune.cli.servers import address_of, serving
from tests.tracking.conftest import free_port


def test_no_proxy_is_asked_for_a_server_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "health").touch()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    port = free_port()
    server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path), str(port)]

    def start(output: IO[bytes]) -> subprocess.Popen[bytes]:
        command = ["timeout", "30", *server]  # with it ends a wait in vain
        return subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

    with serving(start, address_of("127.0.0.1", port), "a server of files"):
        pass
