"""A Ray of this machine alone, as long as a sweep runs: started with what trials need of it, and with nothing else.

`ray.init` starts an autoscaler, a dashboard, a log monitor and two agents as well, all in Python, and waits for most of
them: seconds in which nothing else goes on, for what nobody looks at. This follows the source of the pinned Ray.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ray
from ray._common.utils import get_default_ray_temp_dir
from ray._private import node, services
from ray._private.parameter import RayParams
from ray._raylet import (  # type: ignore[attr-defined]
    DASHBOARD_AGENT_LISTEN_PORT_NAME,
    METRICS_AGENT_PORT_NAME,
    METRICS_EXPORT_PORT_NAME,
    RUNTIME_ENV_AGENT_PORT_NAME,
    persist_port,
)
from ray.job_config import JobConfig

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.core.paths import expand_home, fault_of_folder
from blurb_tune.execution import idle_agent, worker
from blurb_tune.execution.forkserver import HOME

# The agents persist the ports that they listen on; a raylet waits for these files. Nobody ever listens on port 1.
_AGENT_PORTS = (
    DASHBOARD_AGENT_LISTEN_PORT_NAME,
    METRICS_AGENT_PORT_NAME,
    METRICS_EXPORT_PORT_NAME,
    RUNTIME_ENV_AGENT_PORT_NAME,
)
_NO_PORT = 1
# A socket's name has at most 107 characters, of which those of a session and of the socket in it take 66.
_LONGEST_FOLDER = 40
_LEAST_ROOM = 10 * 2**20  # for the logs of its processes; a small sweep writes 0.3 MB
_TOKEN_VARIABLE = "RAY_AUTH_TOKEN"
_TOKEN = secrets.token_hex(32)  # of this process: Ray reads it once
_IDLE = subprocess.list2cmdline([sys.executable, "-I", "-S", str(Path(idle_agent.__file__))])


def count_cpus() -> int:
    """Those that this process may use. Ray counts the machine's, or a container's, and not what `taskset` leaves of them."""
    machine = max(1, int(ray._private.utils.get_num_cpus()))
    return min(machine, len(os.sched_getaffinity(0))) if sys.platform == "linux" else machine


@contextmanager
def ray_folder() -> Iterator[str]:
    """A folder for Ray's files: the one that it would take; where sockets in that would have too long a name, its disk is full
    or it cannot be written to, such as another user's /tmp/ray, one for this time. Raises InputError where there is none."""
    chosen = Path(get_default_ray_temp_dir())
    if len(os.fsencode(chosen.absolute())) <= _LONGEST_FOLDER and fault_of_folder(chosen) is None and _has_room(chosen):
        yield str(chosen)
        return
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True))
            if not _has_room(Path(folder)):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            what = f"Ray needs a folder for its files, of at most {_LONGEST_FOLDER - len('/ray')} characters, with some room"
            raise InputError([Problem("RAY_TMPDIR", f"{what}, but got {chosen.parent}, and /tmp: {error.strerror}")]) from None
        yield f"{folder}/ray"  # which Ray opens to everybody, within a folder that is not


def _has_room(folder: Path) -> bool:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free >= _LEAST_ROOM


def token_setting() -> dict[str, str]:
    """Ray's setting of the token by which its processes know each other, where there is no home in which it could keep one;
    empty where there is."""
    home = expand_home("~")
    keeps = home.is_absolute() and fault_of_folder(home / ".ray") is None
    return {} if keeps or _TOKEN_VARIABLE in os.environ else {_TOKEN_VARIABLE: _TOKEN}


def job_config() -> JobConfig:
    """A job whose processes import from the script's folder, and the working one, only where this package lies there."""
    job = JobConfig()
    job._py_driver_sys_path = _OwnPaths()
    return job


class _OwnPaths(list[str]):
    """What Ray puts before all other folders that its processes import from."""

    def extend(self, places: Iterable[str]) -> None:
        super().extend(place for place in places if Path(place).resolve() == HOME)


@contextmanager
def lean_ray(processes: int, *, is_forked: bool) -> Iterator[None]:
    """Within it `ray.init` starts a cluster of this machine without what a sweep does not ask for.

    processes: so many may start at once. Nothing in this cluster may ask for a runtime environment, whose agent is missing.
    is_forked: they come from the fork server.
    """
    with ExitStack() as stack:
        for place, name, value in (
            (node, "Node", _ForkingNode if is_forked else _LeanNode),
            (services, "ConsolePopen", _starter(services.ConsolePopen, processes)),
            # It looks for the dashboard's packages by importing them, and leaves out of the agents what is not there.
            (ray._private.utils, "get_dashboard_dependency_error", lambda: ImportError("no dashboard")),
        ):
            stack.enter_context(override_attribute(place, name, value))
        yield


def warm_up(processes: int, cpus: int) -> None:
    """Have so many processes for trials of so many CPUs started; waits for none."""
    for _ in range(processes):
        _nothing.options(num_cpus=cpus).remote()


@ray.remote  # type: ignore[untyped-decorator]
def _nothing() -> None:
    pass


class _LeanNode(node.Node):  # type: ignore[misc]
    """A head without autoscaler, API server and log monitor."""

    def start_monitor(self) -> None:
        """Nothing: this machine does not grow."""

    def start_api_server(self, **_: object) -> None:
        """Nothing: no dashboard, no job server."""

    def start_log_monitor(self) -> None:
        """Nothing: trials print into files."""

    def start_raylet(self, *arguments: Any, **options: Any) -> None:
        for name in _AGENT_PORTS:
            persist_port(self._session_dir, self._node_id, name, _NO_PORT)
        super().start_raylet(*arguments, **options)


class _ForkingNode(_LeanNode):
    """Its processes begin as `worker.py`."""

    def __init__(self, ray_params: RayParams, **options: Any):
        ray_params.worker_path = str(Path(worker.__file__))
        super().__init__(ray_params, **options)


def _starter(popen: Any, processes: int) -> Any:
    """How one of Ray's processes is started: in a session of its own, a raylet with idle agents.

    A signal to the driver's group (a Ctrl-C, SLURM, systemd, Docker) is for the driver, which needs Ray to stop its trials.
    """
    values = {
        "dashboard_agent_command": _IDLE,
        "runtime_env_agent_command": _IDLE,
        # `ray.init` waits for the processes that it starts itself, for good if one of them fails; `warm_up` waits for none.
        "num_prestart_python_workers": 0,
        "maximum_startup_concurrency": processes,
    }

    def start(command: list[str], *arguments: Any, **options: Any) -> Any:
        given = (argument.partition("=")[0] for argument in command)
        command = [
            f"{option}={values[option[2:]]}" if option[2:] in values else argument
            for option, argument in zip(given, command, strict=True)
        ]
        return popen(command, *arguments, **options, start_new_session=True)

    return start


@contextmanager
def override_attribute(place: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute of a module has another value within the context."""
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)
