"""What Ray starts as a process of its own: asks the fork server for one in its place. Run as a script, with Ray's arguments.

It stays as long as that process lives, and ends it when it is ended itself. Without a server it becomes Ray's own program, and
so it does when what was forked falls over its own feet at once, unless Ray itself is ending.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

ADDRESS = "BLURB_TUNE_FORK_SERVER"  # `forkserver.ADDRESS`, without an import
_SECONDS_TO_BEGIN = 5.0
_SECONDS_TO_END = 3.0
# It has been ended by somebody: Ray's own processes exit with the number of a SIGTERM.
_ENDED = (-signal.SIGKILL, -signal.SIGTERM, signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """The exit code."""
    command, started, raylet = [_program(), *arguments], time.monotonic(), os.getppid()
    code = _run_forked(command)
    fell = code not in (None, 0, *_ENDED) and time.monotonic() - started < _SECONDS_TO_BEGIN
    if code is None or (fell and not _ends(raylet)):
        os.execv(sys.executable, [sys.executable, *command])
    return code if code >= 0 else 128 - code


def _ends(parent: int) -> bool:
    """Whether this process loses its parent within seconds: a raylet that ends takes its processes with it first."""
    last = time.monotonic() + _SECONDS_TO_END
    while os.getppid() == parent and time.monotonic() < last:
        time.sleep(0.05)
    return os.getppid() != parent


def _program() -> str:
    """Ray's own, found without importing Ray."""
    found = find_spec("ray")
    assert found is not None, "Ray started this"
    return str(Path(str(found.origin)).parent / "_private" / "workers" / "default_worker.py")


def _run_forked(command: list[str]) -> int | None:
    """The exit code of a process that was forked to run `command`; None where none was."""
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(os.environ[ADDRESS])
            request = {"command": command, "folder": str(Path.cwd()), "environment": dict(os.environ)}
            data = json.dumps(request).encode()
            socket.send_fds(server, [b"%8d" % len(data)], [0, 1, 2])
            server.sendall(data)
            answer = server.makefile()
            pid = answer.readline()
        except (OSError, KeyError):
            return None
        if not pid:
            return None
        with suppress(OSError):
            if code := answer.readline():
                return int(code)
        with suppress(ProcessLookupError):  # the server was killed, and nobody says any more when the process ends
            os.kill(int(pid), signal.SIGKILL)
        return -signal.SIGKILL


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
