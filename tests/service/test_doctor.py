"""What `doctor` finds in what nodes say of themselves; tests/docker asks it of a real cluster."""

from __future__ import annotations

import pytest

from blurb_tune.service.doctor import _resources

HEAD = {"object_store_memory": 2e9}
WORKER = {"CPU": 4.0, "GPU": 1.0, "object_store_memory": 2e9}


@pytest.mark.parametrize(
    ("nodes", "gpus", "asked"),
    [
        ([HEAD], 0.0, "a CPU"),
        ([HEAD], 1.0, "a CPU and 1 GPU"),
        ([HEAD, {"CPU": 4.0}], 0.5, "a CPU and 0.5 GPU"),
        ([{"GPU": 1.0}, {"CPU": 4.0}], 1.0, "a CPU and 1 GPU"),
        ([WORKER, WORKER], 2.0, "a CPU and 2 GPU"),
        ([HEAD, {"CPU": 4.0}], 0.0, None),
        ([HEAD, WORKER], 1.0, None),
        ([HEAD, WORKER], 0.5, None),
    ],
)
def test_a_trial_must_fit_on_one_node(nodes: list[dict[str, float]], gpus: float, asked: str | None) -> None:
    """A cluster's head alone has room for none, as long as no worker is up."""
    faults = [finding.what for finding in _resources(nodes, gpus) if finding.level == "fault"]
    assert faults == ([] if asked is None else [f"a trial asks for {asked}, which no node has"])
