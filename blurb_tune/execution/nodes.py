"""The nodes of a Ray cluster: their names in the log, and how trials are kept away from some of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayActorError

_DIGITS = 8


def worker_name(host: str, node_id: str, pid: int) -> str:
    """`host/node:pid`: a machine can hold several nodes."""
    return f"{_node_name(host, node_id)}:{pid}"


def worker_of(error: RayActorError) -> str:
    """Where the process ran that could not be set up; empty where Ray does not say."""
    actor = ray._private.state.actors(error.actor_id) if error.actor_id else {}
    node_id = actor.get("Address", {}).get("NodeID")
    hosts = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes()}
    return worker_name(hosts[node_id], node_id, actor.get("Pid", 0)) if node_id in hosts else ""


def ids_of(names: Collection[str], needs: Mapping[str, float]) -> tuple[str, ...]:
    """The ids of the nodes of these names that are alive, in order; none where no other node has what a trial needs."""
    alive = [node for node in ray.nodes() if node["Alive"]] if names else []
    named = [node for node in alive if _node_name(node["NodeManagerHostname"], node["NodeID"]) in names]
    others = [node["Resources"] for node in alive if node not in named]
    has_another = any(all(of.get(kind, 0) >= amount for kind, amount in needs.items()) for of in others)
    return tuple(sorted(node["NodeID"] for node in named)) if has_another else ()


def slot(needs: Mapping[str, float], avoided: Sequence[str]) -> tune.PlacementGroupFactory:
    """What a trial asks of the cluster. avoided: ids of nodes that it must not run on."""
    options: dict[str, Any] = {"bundle_label_selector": [{"ray.io/node-id": f"!in({','.join(avoided)})"}]} if avoided else {}
    return tune.PlacementGroupFactory([dict(needs)], **options)


def _node_name(host: str, node_id: str) -> str:
    return f"{host}/{node_id[:_DIGITS]}"
