"""The Ray cluster a sweep runs on."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

import ray
from ray._private.authentication import authentication_token_setup
from ray._private.authentication.authentication_token_setup import AUTH_MODE_ENV_VAR
from ray._raylet import AuthenticationTokenLoader, Config, GcsClient  # type: ignore[attr-defined]
from ray.core.generated.gcs_pb2 import GcsNodeInfo
from ray.exceptions import AuthenticationError
from ray.tune.execution import class_cache

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.garbage import no_garbage_collection
from blurb_tune.execution.forkserver import fork_server
from blurb_tune.execution.local import count_cpus, job_config, lean_ray, override_attribute, ray_folder, token_setting
from blurb_tune.spec.schema import SweepSpec

_CONNECT_SECONDS = 5.0
_POLL_SECONDS = 2.0
_FROM_OUTSIDE = "from a machine that is no node, `blurb-tune submit --address http://HEAD:8265` sends a sweep there"
_FAILURES_OF_A_LOST_HEAD = 4
_logger = logging.getLogger(__name__)
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    # The event log is the record of a sweep; Tune's own loggers and snapshots would only cost time.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    # Time for the checkpoints of the trials at work, and no more: a Ctrl-C waits for it.
    "TUNE_FORCE_TRIAL_CLEANUP_S": "25",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "600",
}

_LOCAL_ENVIRONMENT = {
    "RAY_enable_metrics_collection": "0",
    # A process registers when the fork server has imported what it needs, which may take a cold or busy machine minutes.
    "RAY_worker_register_timeout_seconds": "600",
    # A process that waits for a trial is not given up when a placement group has taken the CPUs for just that trial.
    "RAY_idle_worker_killing_time_threshold_ms": "600000",
}


@contextmanager
def ray_cluster(spec: SweepSpec, *, patience: float = 0.0, interrupted: threading.Event | None = None) -> Iterator[None]:
    """Connect to the spec's cluster, or start one on this machine and stop it at the end; quiet on the terminal.

    patience: seconds to wait for a cluster that does not answer: a sweep that is resumed by whoever supervises it may come
    before its cluster. Raises InputError when the cluster cannot be reached, BlurbTuneError when this process has a Ray of its
    own, KeyboardInterrupt once `interrupted` is set.
    """
    if ray.is_initialized():  # of a notebook, say, which is not ours to stop
        raise BlurbTuneError("this process uses Ray already; call ray.shutdown() first, and a sweep starts or reaches its own")
    with _environment(spec), _environment_not_propagated(spec), ExitStack() as stack:
        if _is_forked(spec):
            stack.enter_context(fork_server())
        local = {} if spec.cluster else _local_settings(stack.enter_context(ray_folder()))
        _wait_for(spec.cluster, patience, interrupted or threading.Event())
        try:
            _connect(spec, local)
            stack.enter_context(_raylet_is_quiet())
            # Tune lists at the end which trials errored, in words of its own; the sweep says it as it happens.
            logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)
            yield
        finally:
            # Ray ends the process where its worker is gone and another thread, as it collects garbage, gives a reference back.
            with no_garbage_collection(), _sigterm_is_ours():
                ray.shutdown()


@contextmanager
def _environment(spec: SweepSpec) -> Iterator[None]:
    """Ray's settings, where the user has set none, as long as it is in use."""
    settings = _ENVIRONMENT | (_LOCAL_ENVIRONMENT | token_setting() if spec.cluster is None else {})
    ours = {name: value for name, value in settings.items() if name not in os.environ}
    added = [*ours, *({AUTH_MODE_ENV_VAR} - os.environ.keys())]  # Ray sets the latter itself, for good
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
        # Or else the next cluster of this process would have to know a local one's token.
        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _environment_not_propagated(spec: SweepSpec) -> Iterator[None]:
    """What Tune would hand to the actors in their runtime environment.

    To a cluster all but the driver's AWS keys, which `ps` and Ray's logs show to everybody; its nodes have their own. In a
    local Ray nothing: its processes have the driver's environment, and are started before any actor asks for one.
    """
    known = class_cache.ENV_VARS_TO_PROPAGATE
    is_local = spec.cluster is None
    passed_on = set() if is_local else {name for name in known if not name.startswith("AWS_")}
    with (
        override_attribute(class_cache, "ENV_VARS_TO_PROPAGATE", passed_on),
        override_attribute(class_cache, "DEFAULT_ENV_VARS", {} if is_local else class_cache.DEFAULT_ENV_VARS),
    ):
        yield


def _local_settings(folder: str) -> dict[str, Any]:
    return {"address": "local", "include_dashboard": False, "num_cpus": count_cpus(), "_temp_dir": folder}


def _connect(spec: SweepSpec, settings: Mapping[str, Any]) -> None:
    """settings: of a Ray that is started; empty for a cluster that is there."""
    try:
        with _sigterm_is_ours(), _local(spec) if settings else nullcontext():
            ray.init(
                **{"address": spec.cluster, **settings},
                job_config=job_config(),
                logging_level=logging.ERROR,
                log_to_driver=False,
                configure_logging=True,
            )
    except (OSError, RuntimeError, ValueError) as error:
        what = f"no Ray cluster answers at {spec.cluster}" if spec.cluster else "Ray cannot be started on this machine"
        raise InputError([Problem("cluster", f"{what}: {error}")]) from error


def _local(spec: SweepSpec) -> AbstractContextManager[None]:
    """A Ray of this machine, with processes for the trials that it has room for, and one to prepare the sweep in."""
    room = max(1, count_cpus() // spec.resources.cpus)
    return lean_ray(min(room, spec.resources.concurrency or room) + 1, is_forked=_is_forked(spec))


def _is_forked(spec: SweepSpec) -> bool:
    return spec.cluster is None and not spec.resources.gpus


@contextmanager
def _raylet_is_quiet() -> Iterator[None]:
    """Ray prints into the user's view that a process was lost, which the log says as well; it is for the debug log."""

    def to_debug_log(data: dict[str, Any], *_: object, **__: object) -> None:
        _logger.debug("%s: %s", data.get("pid"), "\n".join(data.get("lines", ())))

    with override_attribute(ray._private.worker, "print_to_stdstream", to_debug_log):
        yield


@contextmanager
def _sigterm_is_ours() -> Iterator[None]:
    """Keep the handler of SIGTERM, for which Ray has others.

    `ray.init` sets some in Python, which end the process with exit codes of Ray's and are left out here, and one in C++, which
    ends it with a dump. `ray.shutdown` leaves none. What is set in C++ stands for some hundredths of a second.
    """
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with override_attribute(ray._private.utils, "set_sigterm_handler", lambda handler: None):
            yield
    finally:
        if threading.current_thread() is threading.main_thread():  # else Python has no say in it, and neither has Ray
            signal.signal(signal.SIGTERM, handler or signal.SIG_DFL)


def _check_address(address: str | None) -> None:
    """Ray itself waits for minutes where nobody listens."""
    if address is None or address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:  # the latter of what can be no host's name
        raise InputError([Problem("cluster", f"no Ray cluster answers at {address}: {error}")]) from None
    if not any(_is_here(node) for node in _nodes_of(f"{host}:{port}")):
        raise InputError([Problem("cluster", f"this machine is no node of the cluster at {address}; {_FROM_OUTSIDE}")])


def _wait_for(address: str | None, patience: float, interrupted: threading.Event) -> None:
    deadline, has_told = time.monotonic() + patience, False
    while True:
        try:
            _check_address(address)
            return
        except InputError:
            if time.monotonic() >= deadline:
                raise
            if interrupted.wait(_POLL_SECONDS):
                raise KeyboardInterrupt from None
        if not has_told:
            _logger.warning("waiting up to %.0f min for the cluster at %s", patience / 60, address)
            has_told = True


def _nodes_of(address: str) -> list[str]:
    """The addresses of a cluster's nodes that are alive; asked before Ray is connected, which takes long to say less."""
    logging.getLogger(authentication_token_setup.__name__).setLevel(logging.ERROR)
    try:
        try:
            with _native_warnings_muted():
                return _alive(address)
        except AuthenticationError:
            # Only for a cluster that asks for it: with the token on, a driver refuses what one without it calls back.
            if not authentication_token_setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False):
                raise
            return _alive(address)
    except Exception as error:  # a token that is missing or wrong, another version, another program
        raise InputError([Problem("cluster", f"no Ray cluster answers at {address}: {error}")]) from None


@contextmanager
def _native_warnings_muted() -> Iterator[None]:
    """Ray's C++ says on the descriptor of the standard error that it has no token, before anybody can give it one."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _alive(address: str) -> list[str]:
    nodes = GcsClient(address=address).get_all_node_info(timeout=_CONNECT_SECONDS)
    return [node.node_manager_address for node in nodes.values() if node.state == GcsNodeInfo.ALIVE]


def _is_here(address: str) -> bool:
    """Whether an address is one of this machine's: only those can be listened on."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
        return True
    except OSError:
        return False


class ClusterWatch:
    """Looks whether the cluster's head answers: Ray says nothing for a minute when it is lost, and then aborts the process.

    lost: called once, from another thread.
    """

    def __init__(self, lost: Callable[[], None]):
        self._lost = lost
        self._stop = threading.Event()
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        self._address = host, int(port)
        self._thread = threading.Thread(target=self._look, name="cluster-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()

    def _look(self) -> None:
        failures = 0
        while not self._stop.wait(_POLL_SECONDS):
            try:
                socket.create_connection(self._address, timeout=_CONNECT_SECONDS).close()
                failures = 0
            except OSError:
                failures += 1
            if failures >= _FAILURES_OF_A_LOST_HEAD:
                self._lost()
                return
