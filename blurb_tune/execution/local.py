"""A Ray of this machine alone, as long as a sweep runs: started with what trials need of it, and with nothing else.

`ray.init` starts an autoscaler, a dashboard, a log monitor and two agents as well, all in Python, and waits for most of
them: seconds in which nothing else goes on, for what nobody looks at. This follows the source of the pinned Ray.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ray
from ray._private import node, services
from ray._private.parameter import RayParams
from ray._raylet import (  # type: ignore[attr-defined]
    DASHBOARD_AGENT_LISTEN_PORT_NAME,
    METRICS_AGENT_PORT_NAME,
    METRICS_EXPORT_PORT_NAME,
    RUNTIME_ENV_AGENT_PORT_NAME,
    persist_port,
)

from blurb_tune.execution import idle_agent, worker

# The agents persist the ports that they listen on; a raylet waits for these files. Nobody ever listens on port 1.
_AGENT_PORTS = (
    DASHBOARD_AGENT_LISTEN_PORT_NAME,
    METRICS_AGENT_PORT_NAME,
    METRICS_EXPORT_PORT_NAME,
    RUNTIME_ENV_AGENT_PORT_NAME,
)
_NO_PORT = 1
_IDLE = subprocess.list2cmdline([sys.executable, "-I", "-S", str(Path(idle_agent.__file__))])


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
