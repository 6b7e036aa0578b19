"""How many trials the Ray cluster has room for."""

from __future__ import annotations

import ray

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.spec.schema import SweepSpec


def count_nodes() -> int:
    """Machines of the cluster that are alive."""
    return sum(bool(node["Alive"]) for node in ray.nodes())


def count_slots(spec: SweepSpec) -> int:
    """How many trials run at a time: what the nodes have room for, at most what the spec allows.

    Raises InputError when not one trial fits.
    """
    room = count_room(spec)
    return min(room, spec.resources.concurrency or room)


def count_room(spec: SweepSpec) -> int:
    """How many trials the nodes have room for when nothing else runs. Raises InputError when not one fits."""
    cpus, gpus = spec.resources.cpus, spec.resources.gpus
    room = 0
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for resources in nodes:
        by_cpu = int(resources.get("CPU", 0) // cpus)
        room += min(by_cpu, _gpu_slots(resources.get("GPU", 0), gpus)) if gpus else by_cpu
    if room == 0:
        most = {kind: max((node.get(kind, 0) for node in nodes), default=0) for kind in ("CPU", "GPU")}
        raise InputError(
            [
                Problem(
                    "resources",
                    f"a trial asks for {cpus} CPU and {gpus:g} GPU, but the cluster's nodes have at most {most['CPU']:g} CPU "
                    f"and {most['GPU']:g} GPU",
                )
            ]
        )
    return room


def _gpu_slots(available: float, wanted: float) -> int:
    """Trials cannot be spread over two GPUs: a share of one leaves a rest unused."""
    return int(available // wanted) if wanted >= 1 else int(available) * int(1 / wanted + 1e-9)
