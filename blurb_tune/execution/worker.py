"""What Ray starts as a process of its own: asks the fork server for one in its place. Run as a script, with Ray's arguments.

It stays as long as that process lives, and ends it when it is ended itself. Without a server it becomes Ray's own program.
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

ADDRESS = "BLURB_TUNE_FORK_SERVER"
_SECONDS_TO_BEGIN = 5.0


def _forked(command: list[str]) -> int | None:
    """The exit code of a process that was forked to run `command`; None where none was."""
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(os.environ[ADDRESS])
            request = json.dumps({"command": command, "folder": str(Path.cwd()), "environment": dict(os.environ)}).encode()
            socket.send_fds(server, [b"%8d" % len(request)], [0, 1, 2])
            server.sendall(request)
            answer = server.makefile()
            pid = answer.readline()
        except (OSError, KeyError):
            return None
        if not pid:
            return None
        code = answer.readline()
        if code:
            return int(code)
        with suppress(ProcessLookupError):  # the server was killed, and cannot say when its process ends
            os.kill(int(pid), signal.SIGKILL)
        return 1


def _program() -> str:
    """Ray's own, found without importing Ray."""
    found = find_spec("ray")
    assert found is not None, "Ray started this"
    return str(Path(str(found.origin)).parent / "_private" / "workers" / "default_worker.py")


if __name__ == "__main__":
    command = [_program(), *sys.argv[1:]]
    started = time.monotonic()
    code = _forked(command)
    if code is None or (code and time.monotonic() - started < _SECONDS_TO_BEGIN):
        os.execv(sys.executable, [sys.executable, *command])
    sys.exit(code if code >= 0 else 128 - code)
