"""A process that imports what trials need, once, and from which the processes of this machine's trials are then forked.

Importing PyTorch and transformers takes a process seconds of computing. The server begins with it as soon as a command is to
run trials, beside all else that comes before the first of them. Ray starts its processes as `worker.py`, which has the server
fork one in its place; where there is no server, or none any more, it becomes an ordinary process of Ray.

Only for trials on CPUs: what a driver of GPUs sets up does not outlive a fork, and an import might have it set up.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ADDRESS = "BLURB_TUNE_FORK_SERVER"
HOME = Path(__file__).resolve().parents[2]
_SECONDS_ALONE = 300.0


@contextmanager
def fork_server(patience: float = _SECONDS_ALONE) -> Iterator[None]:
    """Within it there is a server at the address that the environment names; one that is there already is as good.

    patience: seconds after which it ends where nobody has asked it for anything: trials are on a cluster then, or on GPUs.
    """
    with ExitStack() as stack:
        if sys.platform == "linux" and ADDRESS not in os.environ:
            with suppress(OSError):  # there is no room for one, or the path is too long for a socket: it goes without
                # Nobody else's folder: whoever reaches the server has it run what he likes.
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="blurb-tune-", ignore_cleanup_errors=True))
                address = Path(folder) / "fork-server"
                stack.callback(_end, _start(address, patience))
                os.environ[ADDRESS] = str(address)
                stack.callback(os.environ.pop, ADDRESS, None)
        yield


def _start(address: Path, patience: float) -> subprocess.Popen[bytes]:
    """It listens before it has begun, so that whoever comes early finds it there, and waits. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        # Ray's library takes two settings from the environment when it is loaded, and never again: that no job has got the
        # process yet, and with which other one it ends, besides the raylet that it is connected to.
        environment = {
            "PYTHONPATH": os.pathsep.join(search_path()),
            "RAY_JOB_ID": "ffffffff",
            "RAY_RAYLET_PID": str(os.getpid()),
        }
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "blurb_tune.execution.forked", str(listener.fileno()), str(patience)],
            env=os.environ | environment,
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,  # it ends when this process does
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def search_path() -> list[str]:
    """Where this process finds modules, but for the folders of its script and its work, unless this package lies there: a
    file of the user's may be called like a module that others import, such as `profile.py`."""
    strange = {Path.cwd(), Path(sys.argv[0]).resolve().parent} - {HOME}
    return [place for place in (name or str(Path.cwd()) for name in sys.path) if Path(place).resolve() not in strange]


def _end(server: subprocess.Popen[bytes]) -> None:
    server.kill()
    with server:
        server.wait()
