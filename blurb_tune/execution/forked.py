"""The fork server's process; see `forkserver`. Run as a module, with the number of its listening socket, and its patience."""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import traceback
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NoReturn

import ray.actor
from ray._raylet import ActorClassID, Config  # type: ignore[attr-defined]

# What preparing a sweep needs, and what Ray imports in each of its processes.
_IMPORTED_FIRST = (
    "ray._private.arrow_serialization",
    "ray.util.serialization_addons",
    "pydantic.v1",
    "starlette.datastructures",
    "blurb_tune.execution.remote",
    "blurb_tune.execution.prepare",
)
# What trials need besides.
_IMPORTED_THEN = (
    "blurb_tune.execution.actor",
    "blurb_tune.execution.trainable",
    "blurb_tune.execution.testing",
    "scipy.stats",
)
# What transformers imports where it is installed, for features that no trial uses: a second of the start.
_LEFT_OUT = ("accelerate", "scipy", "sklearn")
_SECONDS_FOR_A_REQUEST = 10.0
_MOST_BYTES = 1 << 24


def main(listener: socket.socket, patience: float) -> None:
    """Serve until the driver's end of standard input is closed. Each forked process runs what it was asked for.

    patience: seconds to wait for the first request.
    """
    gc.disable()  # there is no garbage among what is imported
    server = _Server(listener)
    with _left_out():
        import_all(["transformers.modeling_utils"])
    import_all(_IMPORTED_FIRST)
    gc.freeze()  # a collection in a forked process would write to the pages that all share
    # Whoever is there already is to prepare the sweep, which all trials wait for.
    request = server.fork_waiting()
    if request is None:
        import_all(_IMPORTED_THEN)
        gc.freeze()
        request = server.serve(patience)
    if request is None:
        os._exit(0)
    gc.enable()
    _become(request)


def import_all(modules: Iterable[str]) -> None:
    """Import them, without a number drawn from Ray's generator.

    Every forked process would have its state from then on, and so draw the numbers that all others draw, as names of what
    they put into Ray's store, where two at a time end one of them.
    """
    ray.actor.ActorClassID = _ClassID  # one is drawn for each class of actors that is declared
    for module in modules:
        with suppress(ImportError):  # whoever needs it says so
            import_module(module)
    ray.actor.ActorClassID = ActorClassID
    # PyTorch would take back at each process's end what it has registered, one by one, for a second.
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        finalizer.atexit = False


@contextmanager
def _left_out() -> Iterator[None]:
    """Whoever looks for one of these packages does not find it: None in their place is the interpreter's own way to say so."""
    absent = [name for name in _LEFT_OUT if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


class _ClassID:
    @staticmethod
    def from_random() -> ActorClassID:
        return ActorClassID(os.urandom(ActorClassID.size()))


class _Server:
    """It keeps the connection on which each process was asked for: the process is ended when the other end is gone, and that
    end gets its number, and its exit code when it has ended."""

    def __init__(self, listener: socket.socket):
        self._listener = listener
        self._children: dict[int, socket.socket] = {}
        self._wakes, self._wakeup = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for place in (listener, self._wakes, sys.stdin):
            self._selector.register(place, selectors.EVENT_READ)
        self._wakeup.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # to be woken
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)

    def fork_waiting(self) -> dict[str, Any] | None:
        """Fork a process for the first who asks, if anybody does. The request in that process, None in this one."""
        return self._fork() if self._listener in [key.fileobj for key, _ in self._selector.select(0)] else None

    def serve(self, patience: float | None) -> dict[str, Any] | None:
        """None when all is over; else this is a forked process, and the answer what it is asked for."""
        if self._children:
            patience = None
        while ready := [key.fileobj for key, _ in self._selector.select(patience)]:
            patience = None
            if sys.stdin in ready:
                break
            if self._wakes in ready:
                self._wakes.recv(4096)
                self._reap()
            for pid, connection in self._children.items():
                if connection in ready:
                    self._selector.unregister(connection)
                    os.kill(pid, signal.SIGKILL)
            if self._listener in ready and (request := self._fork()) is not None:
                return request
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        return None

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._children.pop(pid) as connection, suppress(OSError, KeyError):
                self._selector.unregister(connection)
                connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))

    def _fork(self) -> dict[str, Any] | None:
        """The request in the new process, None in this one."""
        connection, _ = self._listener.accept()
        descriptors: list[int] = []
        try:
            connection.settimeout(_SECONDS_FOR_A_REQUEST)
            request = _receive(connection, descriptors)
            connection.settimeout(None)
            pid = os.fork()
        except (OSError, ValueError):  # whoever asked is gone, or there is no memory for one more
            pid = -1
        if pid == 0:
            self._leave()
            connection.close()
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
                os.close(descriptor)
            return request
        for descriptor in descriptors:
            os.close(descriptor)
        if pid < 0:
            connection.close()
        else:
            self._children[pid] = connection
            self._selector.register(connection, selectors.EVENT_READ)
            with suppress(OSError):
                connection.sendall(b"%d\n" % pid)
        return None

    def _leave(self) -> None:
        """In a forked process: have nothing of the server's."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for place in (self._listener, self._wakes, self._wakeup, *self._children.values()):
            place.close()


def _receive(connection: socket.socket, descriptors: list[int]) -> dict[str, Any]:
    """A request; `descriptors` gets those for standard input, output and error. Raises OSError and ValueError."""
    start, received, _, _ = socket.recv_fds(connection, 8, 3)
    descriptors += received
    size = int(start)
    if size > _MOST_BYTES:
        raise ValueError("expected a command and its environment")
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ValueError("the request ends early")
        data += part
    request: dict[str, Any] = json.loads(data)
    return request


def _become(request: dict[str, Any]) -> NoReturn:
    """Run a program as the interpreter would have run it with this command line, in this folder and environment."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    Config.initialize("")  # all other settings of Ray, which it has read when it was imported
    sys.argv = list(request["command"])
    code = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, int):
            code = end.code
        elif end.code is not None:
            print(end.code, file=sys.stderr)
            code = 1
    except BaseException:  # as the interpreter does with what a program raises
        traceback.print_exc()
        code = 1
    # As multiprocessing ends its forked processes: the interpreter would take down all that was imported, for seconds.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2]))
