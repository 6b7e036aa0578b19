"""A node on which nothing works, beside one that does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
import yaml
from ray.cluster_utils import Cluster

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Outcome, node_of
from blurb_tune.execution.driver import run_sweep
from blurb_tune.execution.nodes import ids_of
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from blurb_tune.preflight import make_plan
from blurb_tune.report.summary import notes_of
from blurb_tune.spec import load_spec


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A sound node of one CPU, and one whose workers find a broken installation of transformers."""
    poison = tmp_path_factory.mktemp("poison") / "transformers"
    poison.mkdir()
    (poison / "__init__.py").write_text("raise ImportError('libcudart.so.12: cannot open shared object file')\n")
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(poison.parent)})
    yield nodes
    nodes.shutdown()


SPEC = {
    "task": "demo",
    "model": "tiny",
    "seeds": 3,
    "space": {"strategy": ["vanilla", {"reinit_count": 1}], "epochs": 3, "learning_rate": 0.001},
    "search": {"sampler": "grid"},
    "pruning": {"instability": False},
    "training": {"precision": "fp32"},
    "final_test": False,
    "stop_after_errors": 2,
}


@pytest.mark.ray
def test_a_node_whose_trials_alone_fail_is_left_out_and_named(
    broken: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = SweepPaths(tmp_path / "run")
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(SPEC | {"cluster": broken.address}))
    record = run_sweep(make_plan(load_spec(file)), paths)
    assert record.status == "finished"
    assert {trial.outcome for trial in record.trials.values()} <= {Outcome.COMPLETED, Outcome.COLLAPSED}
    assert len(record.trials) == 6
    ends = [e for e, _ in read_events(paths.events) if isinstance(e, ev.TrialEnded)]
    errors = [e for e in ends if e.outcome == Outcome.ERRORED]
    (node,) = {node_of(e.worker) for e in errors}
    assert all(node_of(e.worker) != node for e in ends if e not in errors)
    assert 2 <= len(errors) <= 3, "one more may have been on its way"
    assert any(node in note and "left out" in note for note in notes_of(record))
    assert f"{node} gets no more trials" in caplog.text


@pytest.mark.ray
def test_the_only_node_is_never_left_out(broken: Cluster) -> None:
    with ray.init(address=broken.address, log_to_driver=False):
        names = {f"{node['NodeManagerHostname']}/{node['NodeID'][:8]}": node["NodeID"] for node in ray.nodes()}
        assert len(names) == 2
        for name, node_id in names.items():
            assert ids_of({name}, {"CPU": 1.0}) == (node_id,)
            assert ids_of({name}, {"CPU": 2.0}) == (), "no other node has what a trial needs"
        assert ids_of(set(names), {"CPU": 1.0}) == ()
        assert ids_of((), {"CPU": 1.0}) == ()
