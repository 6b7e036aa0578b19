"""Sweeps on a Ray cluster that is there already."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from blurb_tune.errors import InputError
from blurb_tune.execution.cluster import count_slots, ray_cluster
from blurb_tune.execution.driver import run_sweep
from blurb_tune.paths import SweepPaths
from tests.execution.simulation import make_spec
from tests.execution.test_driver import ends, plan_of

pytestmark = pytest.mark.ray


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of one node that claims three CPUs and two GPUs, ended with all it has started."""
    port = free_port()
    code = "from ray.scripts.scripts import main; main()"
    node = ["start", "--head", "--block", f"--port={port}", "--num-cpus=3", "--num-gpus=2", "--include-dashboard=false"]
    ports = [f"--{name}-port={free_port()}" for name in ("node-manager", "object-manager", "ray-client-server")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent.parent), "RAY_USAGE_STATS_ENABLED": "0"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *node, *ports],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if "--block" in line:
            break
    assert process.poll() is None, output
    started = [process, *psutil.Process(process.pid).children(recursive=True)]
    yield f"127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    for left in psutil.wait_procs([p for p in started if isinstance(p, psutil.Process)], timeout=20)[1]:
        left.kill()


def test_a_sweep_runs_on_it_and_leaves_it_running(address: str, tmp_path: Path) -> None:
    plan, paths = plan_of(tmp_path, cluster=address), SweepPaths(tmp_path / "out")
    for _ in range(2):
        assert run_sweep(plan, paths).status == "finished"
    assert len(ends(paths)) == 4


@pytest.mark.parametrize(
    ("resources", "slots"),
    [
        ({}, 3),
        ({"cpus": 2}, 1),
        ({"concurrency": 2}, 2),
        ({"concurrency": 9}, 3),
        ({"gpus": 1}, 2),
        ({"gpus": 2}, 1),
        ({"gpus": 0.4}, 3),
        ({"gpus": 0.6}, 2),
    ],
)
def test_slots_follow_from_what_the_nodes_have(address: str, resources: dict[str, Any], slots: int) -> None:
    spec = make_spec(cluster=address, resources=resources)
    with ray_cluster(spec):
        assert count_slots(spec) == slots


@pytest.mark.parametrize("resources", [{"cpus": 4}, {"gpus": 3}])
def test_more_than_any_node_has_is_bad_input(address: str, resources: dict[str, Any]) -> None:
    spec = make_spec(cluster=address, resources=resources)
    with ray_cluster(spec), pytest.raises(InputError, match="the cluster's nodes have at most 3 CPU and 2 GPU"):
        count_slots(spec)


def test_a_cluster_that_does_not_answer_is_bad_input() -> None:
    with pytest.raises(InputError, match="no Ray cluster answers"), ray_cluster(make_spec(cluster="127.0.0.1:1")):
        pass
