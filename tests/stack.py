"""docker/stack.py as a developer starts it, and what it takes to find out that it left nothing behind."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.conftest import require

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def running_stack() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """The script's process, and the environment of clients; behind the block all of it is stopped."""
    require(bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*"))), "PostgreSQL")
    process = subprocess.Popen(
        [sys.executable, ROOT / "docker" / "stack.py"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        with process.stdout:
            lines = process.stdout.read().splitlines()  # ends when all is healthy
        assert lines, "the stack did not start; its message stands above"
        pairs = [line.partition("=") for line in lines]
        yield psutil.Process(process.pid), {name: "".join(shlex.split(value)) for name, _, value in pairs}
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def stack() -> Iterator[dict[str, str]]:
    """The environment of clients. At the end, the processes and files that the stack has left are looked for."""
    with running_stack() as (process, client):
        started = process.children(recursive=True)
        commands = (" ".join(found.cmdline()) for found in started)
        folder = next(Path(line.split("-D ")[1].split()[0]).parent for line in commands if "-D " in line)
        yield client
    left = [found for found in started if found.is_running() and found.status() != psutil.STATUS_ZOMBIE]
    assert len(started) > 15
    assert not left
    assert not folder.exists()
