"""The fork server's process; see `forkserver`. Run as a module, with the number of its listening socket."""

from __future__ import annotations

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from ray._raylet import Config  # type: ignore[attr-defined]

# What trials need, what else is prepared for them, and what Ray imports in each of its processes.
_IMPORTED = (
    "blurb_tune.execution.actor",
    "blurb_tune.execution.remote",
    "blurb_tune.execution.testing",
    "ray._private.arrow_serialization",
    "ray.util.serialization_addons",
    "pydantic.v1",
    "starlette.datastructures",
)
_SECONDS_FOR_A_REQUEST = 10.0
_SECONDS_ALONE = 300.0
_MOST_BYTES = 1 << 24


def main(listener: socket.socket) -> None:
    """Serve until the driver's end of standard input is closed. Each forked process runs what it was asked for."""
    gc.disable()  # there is no garbage among what is imported
    for module in _IMPORTED:
        with suppress(ImportError):  # whoever needs it says so
            import_module(module)
    gc.freeze()  # a collection in a forked process would write to the pages that all share
    request = _Server(listener).serve()
    if request is None:
        os._exit(0)
    gc.enable()
    _become(request)


class _Server:
    def __init__(self, listener: socket.socket):
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self._selector.register(listener, selectors.EVENT_READ)
        wakes, self._wakeup = socket.socketpair()
        for end in (wakes, self._wakeup):
            end.setblocking(False)
        self._selector.register(wakes, selectors.EVENT_READ)
        self._wakes = wakes
        self._children: dict[int, socket.socket] = {}

    def serve(self) -> dict[str, Any] | None:
        """None when all is over; else this is a forked process, and the answer what it is asked for.

        A server that nobody asks for anything is none that the trials can use: they are on a cluster, or on GPUs.
        """
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        patience: float | None = _SECONDS_ALONE
        while events := self._selector.select(patience):
            patience = None
            for key, _ in events:
                if key.fileobj is self._listener:
                    request = self._fork()
                    if request is not None:
                        return request
                elif key.fileobj is self._wakes:
                    self._wakes.recv(4096)
                    self._reap()
                elif key.fileobj is sys.stdin:
                    for pid in self._children:
                        os.kill(pid, signal.SIGKILL)
                    return None
                else:  # whoever asked for it is gone, as Ray ends its processes
                    self._end(key.fileobj)
        return None

    def _fork(self) -> dict[str, Any] | None:
        connection, _ = self._listener.accept()
        try:
            connection.settimeout(_SECONDS_FOR_A_REQUEST)
            request, descriptors = _receive(connection)
            connection.settimeout(None)
        except (OSError, ValueError):
            connection.close()
            return None
        pid = os.fork()
        if pid:
            for descriptor in descriptors:
                os.close(descriptor)
            self._children[pid] = connection
            self._selector.register(connection, selectors.EVENT_READ)
            with suppress(OSError):
                connection.sendall(b"%d\n" % pid)
            return None
        self._leave()
        connection.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        return request

    def _leave(self) -> None:
        """In a forked process: have nothing of the server's."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for place in (self._listener, self._wakes, self._wakeup, *self._children.values()):
            place.close()

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self._children.pop(pid)
            self._selector.unregister(connection)
            with connection, suppress(OSError):
                connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))

    def _end(self, connection: Any) -> None:
        for pid, of in self._children.items():
            if of is connection:
                os.kill(pid, signal.SIGKILL)
        self._selector.unregister(connection)


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A request, with the descriptors for standard input, output and error. Raises OSError and ValueError."""
    start, descriptors, _, _ = socket.recv_fds(connection, 8, 3)
    size = int(start)
    if size > _MOST_BYTES:
        raise ValueError("expected a command and its environment")
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ValueError("the request ends early")
        data += part
    return json.loads(data), list(descriptors)


def _become(request: dict[str, Any]) -> None:
    """Run a program as the interpreter would have run it with this command line, in this folder and environment."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = list(request["command"])
    Config.initialize("")  # all other settings of Ray, which it has read when it was imported
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
