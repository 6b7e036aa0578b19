from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group, remove_placement_group

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.execution import cluster
from blurb_tune.execution.capacity import _gpu_slots, count_nodes, count_slots
from blurb_tune.execution.cluster import (
    _ENVIRONMENT,
    _LOCAL_ENVIRONMENT,
    _check_address,
    _is_here,
    ray_cluster,
)
from blurb_tune.execution.local import lean_ray
from tests.sweep.simulation import make_spec


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "a..b:6379"])
def test_a_cluster_that_does_not_answer_is_bad_input(address: str) -> None:
    with (
        pytest.raises(InputError, match="cluster: no Ray cluster answers"),
        ray_cluster(make_spec(cluster=address)),
    ):
        pass


def test_a_sweep_that_is_resumed_waits_for_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def check(address: str | None) -> None:
        asked.append(address)
        if len(asked) < 3:
            raise InputError([])

    monkeypatch.setattr(cluster, "_check_address", check)
    monkeypatch.setattr(cluster, "_POLL_SECONDS", 0.01)
    cluster._wait_for("head:1", 60, threading.Event())
    assert asked == ["head:1"] * 3
    asked.clear()
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(KeyboardInterrupt):
        cluster._wait_for("head:1", 60, stopped)
    assert len(asked) == 1


def test_which_addresses_are_of_this_machine() -> None:
    assert _is_here("127.0.0.1")
    assert not _is_here("192.0.2.77")


@pytest.mark.parametrize("fault", [None, ConnectionError("gone"), KeyboardInterrupt(), OSError("no space")], ids=repr)
def test_the_environment_is_afterwards_what_it_was(monkeypatch: pytest.MonkeyPatch, fault: BaseException | None) -> None:
    """Whether Ray starts or not; what the user has set is left alone."""
    seen: dict[str, str] = {}

    def start(**_: object) -> None:
        seen.update(os.environ)
        if fault is not None:
            raise fault

    monkeypatch.setattr(ray, "init", start)
    ours = _ENVIRONMENT | _LOCAL_ENVIRONMENT
    for name in ours:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "1")
    before = dict(os.environ)
    with suppress(InputError, KeyboardInterrupt, OSError), ray_cluster(make_spec()):
        assert fault is None
    assert {name: seen.get(name) for name in ours} == ours | {"RAY_AIR_NEW_OUTPUT": "1"}
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("available", "wanted", "expected"),
    [
        (0, 0.5, 0),
        (1, 1, 1),
        (3, 1.0, 3),
        (3, 2, 1),
        (4, 2.0, 2),
        (1, 2, 0),
        (1, 0.5, 2),
        (2, 0.5, 4),
        (2, 0.3, 6),
        (2, 0.34, 4),
        (3, 0.7, 3),
        (1, 0.1, 10),
        (1, 1 / 3, 3),
        (1, 1 / 49, 49),
        (8, 0.0001, 80_000),
    ],
)
def test_a_trial_has_its_gpus_to_itself_or_a_share_of_one(available: float, wanted: float, expected: int) -> None:
    assert _gpu_slots(available, wanted) == expected


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Cluster]:
    """A cluster with a node of 3 CPUs and one GPU, and one of 5 CPUs and two GPUs."""
    with lean_ray(1, is_forked=False):
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 3, "num_gpus": 1, "include_dashboard": False})
        nodes.add_node(num_cpus=5, num_gpus=2)
        ray.init(address=nodes.address, log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def has_room(trials: int, cpus: int, gpus: float, *, patience: float) -> bool:
    """Whether Ray itself finds room for so many trials at a time, within seconds."""
    group = placement_group([{"CPU": cpus, **({"GPU": gpus} if gpus else {})}] * trials)
    found = group.wait(timeout_seconds=patience)
    remove_placement_group(group)
    return bool(found)


@pytest.mark.ray
@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"),
    [(1, 0, 8), (2, 0, 3), (3, 0, 2), (5, 0, 1), (1, 1, 3), (1, 2, 1), (2, 1, 3), (1, 0.5, 6), (1, 0.3, 8), (2, 0.6, 3)],
)
def test_as_many_trials_run_at_a_time_as_ray_finds_room_for(two_nodes: Cluster, cpus: int, gpus: float, expected: int) -> None:
    spec = make_spec(resources={"cpus": cpus, "gpus": gpus})
    assert count_slots(spec) == expected
    assert has_room(expected, cpus, gpus, patience=30)
    assert not has_room(expected + 1, cpus, gpus, patience=0.5)


@pytest.mark.ray
def test_no_more_trials_run_at_a_time_than_the_spec_allows(two_nodes: Cluster) -> None:
    assert count_nodes() == 2
    assert [count_slots(make_spec(resources={"concurrency": most})) for most in (1, 7, 100)] == [1, 7, 8]


@pytest.mark.ray
@pytest.mark.parametrize("resources", [{"cpus": 6}, {"gpus": 3}, {"cpus": 4, "gpus": 3}])
def test_a_trial_that_fits_no_node_is_told(two_nodes: Cluster, resources: dict[str, float]) -> None:
    """Also where all nodes together would have room for it."""
    with pytest.raises(
        InputError, match=r"resources: a trial asks for .*, but the cluster's nodes have at most 5 CPU and 2 GPU"
    ):
        count_slots(make_spec(resources=resources))


@pytest.mark.ray
def test_a_ray_of_the_process_is_left_alone(two_nodes: Cluster) -> None:
    with pytest.raises(BlurbTuneError, match=r"call ray\.shutdown\(\) first"), ray_cluster(make_spec()):
        pass
    assert ray.is_initialized()


@pytest.mark.ray
def test_a_machine_that_is_no_node_is_told_at_once(two_nodes: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    _check_address(two_nodes.address)
    monkeypatch.setattr(cluster, "_is_here", lambda address: False)
    with pytest.raises(InputError, match=r"this machine is no node of the cluster at .*blurb-tune submit"):
        _check_address(two_nodes.address)
