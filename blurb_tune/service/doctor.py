"""What a cluster lacks for sweeps, each with its cure. Runs on the cluster, with a look at every node."""

from __future__ import annotations

import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import ray
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from blurb_tune.core.storage import fault_of_storage, fault_of_uri, open_storage
from blurb_tune.core.versions import differences, versions

_MOST_SKEW = 5.0
_LEAST_DISK = 5e9
_LEAST_OBJECTS = 5e8
_NODE_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """level: ok, warning or fault. cure: what to do, empty where all is well."""

    level: str
    what: str
    cure: str = ""


def examine(storage: str | None, client: Mapping[str, str], gpus: float, tracking: str | None) -> list[dict[str, Any]]:
    """All findings, as plain data. client: the versions of whoever submits. gpus: of a trial."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    findings = [*_nodes(alive, storage, client), *_resources([node["Resources"] for node in alive], gpus), *_security()]
    if tracking is not None:
        findings += _tracking(tracking)
    return [asdict(finding) for finding in findings]


def _nodes(alive: Sequence[Mapping[str, Any]], storage: str | None, client: Mapping[str, str]) -> Iterator[Finding]:
    token = f".blurb-tune-{uuid.uuid4().hex}"
    fault = None
    if storage is None:
        yield Finding(
            "fault", "no storage is named", "set `storage` in the spec or in the user's settings, or BLURB_TUNE_STORAGE"
        )
    else:
        fault = fault_of_uri(storage) or fault_of_storage(open_storage(storage))
        if fault:
            yield Finding("fault", f"storage, from the head: {fault}", "make it writable for the user that Ray runs as")
        else:
            open_storage(storage).write(token, b"x")
    look = ray.remote(_look_at_node)
    sent = time.time()
    asked = {}
    for node in alive:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        on_node = look.options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        asked[node["NodeManagerAddress"]] = on_node.remote(None if fault else storage, token)
    try:
        for address, reference in asked.items():
            try:
                facts = ray.get(reference, timeout=_NODE_SECONDS)
            except Exception as error:  # whatever a node does wrong is a finding
                yield Finding(
                    "fault", f"{address} runs nothing: {str(error).strip().splitlines()[-1]}", "take it out, or mend it"
                )
                continue
            yield from _judge_node(f"{facts['host']} ({address})", facts, client, sent)
    finally:
        if storage is not None and not fault:
            open_storage(storage).delete(token)
    yield Finding("ok", f"{len(alive)} node{'s' if len(alive) != 1 else ''} alive")


def _judge_node(name: str, facts: Mapping[str, Any], client: Mapping[str, str], sent: float) -> Iterator[Finding]:
    for package, (ours, theirs) in differences(client, facts["versions"]).items():
        level = "fault" if package in ("blurb-tune", "ray") or theirs == "missing" else "warning"
        yield Finding(level, f"{name} has {package} {theirs}, here it is {ours}", "install from the same lock file everywhere")
    if facts["storage"]:
        yield Finding("fault", f"storage, from {name}: {facts['storage']}", "mount it there, or take an object store")
    skew = max(sent - facts["time"], facts["time"] - time.time(), 0.0)
    if skew > _MOST_SKEW:
        yield Finding("warning", f"the clock of {name} is {skew:.0f} s off", "run an NTP client; times in views will be wrong")
    if facts["disk"] < _LEAST_DISK:
        yield Finding(
            "warning", f"{name} has {facts['disk'] / 1e9:.1f} GB left in {facts['temp']}", "clear it: Ray spills there"
        )


def _look_at_node(storage: str | None, token: str) -> dict[str, Any]:
    fault = ""
    if storage is not None:
        place = open_storage(storage)
        try:
            place.read(token)
            fault = fault_of_storage(place) or ""
        except FileNotFoundError:
            fault = "what the head has written is not here: it is not the same folder"
        except OSError as error:
            fault = str(error)
    temp = os.environ.get("RAY_TMPDIR", "/tmp")
    return {
        "host": socket.gethostname(),
        "versions": versions(),
        "time": time.time(),
        "storage": fault,
        "disk": shutil.disk_usage(temp).free,
        "temp": temp,
    }


def _resources(nodes: Sequence[Mapping[str, float]], gpus: float) -> Iterator[Finding]:
    """nodes: what each has. gpus: of a trial, which runs on one of them and takes at least a CPU."""
    cpus, all_gpus, objects = (sum(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU", "object_store_memory"))
    yield Finding("ok", f"{cpus:g} CPUs, {all_gpus:g} GPUs")
    if not any(node.get("CPU", 0) >= 1 and node.get("GPU", 0) >= gpus for node in nodes):
        asked, cure = ("a CPU", "") if gpus == 0 else (f"a CPU and {gpus:g} GPU", ", or lower resources.gpus")
        cure = f"add such nodes, or wait until they are up{cure}"
        yield Finding("fault", f"a trial asks for {asked}, which no node has", cure)
    if objects < _LEAST_OBJECTS:
        yield Finding(
            "warning",
            f"Ray's object store has {objects / 1e9:.2f} GB for weights and data",
            "start Ray with a larger --object-store-memory, containers with a larger /dev/shm",
        )


def _security() -> Iterator[Finding]:
    if not is_token_auth_enabled():
        yield Finding(
            "warning",
            "Ray asks nobody for a token: whoever reaches its ports runs code here",
            "leave out RAY_AUTH_MODE=disabled, and give every node the token in RAY_AUTH_TOKEN_PATH",
        )


def _tracking(uri: str) -> Iterator[Finding]:
    from blurb_tune.core.errors import BlurbTuneError
    from blurb_tune.core.secrets import redact, resolve
    from blurb_tune.tracking.server import check_server

    try:
        address = resolve(uri)
        if address.startswith("http"):
            away = check_server(address)
            cure = "the sweep runs all the same, and delivers its runs when the server is back"
            yield Finding("warning", away, cure) if away else Finding("ok", f"MLflow answers at {redact(address)}")
    except BlurbTuneError as error:
        yield Finding("fault", str(error), "mend `tracking.uri`, or the variables that it or MLflow reads")
