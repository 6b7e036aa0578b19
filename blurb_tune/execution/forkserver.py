"""A process that imports what trials need, once, and from which the processes of this machine's trials are then forked.

Importing PyTorch and transformers takes a process seconds of computing. The server begins with it as soon as a command is to
run trials, beside all else that comes before the first of them. Ray starts its processes as `worker.py`, which has the server
fork one in its place; where there is no server, or none any more, it becomes an ordinary process of Ray.

Only for trials on CPUs: what a driver of GPUs sets up does not outlive a fork, and an import might have it set up.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESS = "BLURB_TUNE_FORK_SERVER"


@contextmanager
def fork_server() -> Iterator[None]:
    """Within it there is a server at the address that the environment names; one that is there already is as good."""
    if sys.platform != "linux" or ADDRESS in os.environ:
        yield
        return
    folder = Path(tempfile.mkdtemp(prefix="blurb-tune-"))  # nobody else's: whoever reaches the server runs what he likes
    try:
        with _started(folder / "fork-server") as address:
            os.environ[ADDRESS] = str(address)
            try:
                yield
            finally:
                os.environ.pop(ADDRESS, None)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(address: Path) -> Iterator[Path]:
    """The server listens before it has begun, so that whoever comes early finds it there, and waits."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        server = subprocess.Popen(
            [sys.executable, "-m", "blurb_tune.execution.forked", str(listener.fileno())],
            # Ray's library takes these two from the environment when it is loaded, and never again: that no job has got the
            # process yet, and with which other one it ends, besides the raylet that it is connected to.
            env={**os.environ, "RAY_JOB_ID": "ffffffff", "RAY_RAYLET_PID": str(os.getpid())},
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,  # it ends when this process does
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        yield address
    finally:
        server.kill()
        with server:
            server.wait()
