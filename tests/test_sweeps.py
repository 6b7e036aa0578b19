"""Every spec that is shipped is a valid one, and asks the question it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from blurb_tune.preflight import Plan, make_plan
from blurb_tune.spec import load_spec

FOLDER = Path(__file__).parent.parent / "sweeps"
FILES = sorted(FOLDER.glob("**/*.yaml"))


def plan_of(file: Path) -> Plan:
    return make_plan(load_spec(file), check_machine=False)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_spec_is_valid(file: Path) -> None:
    assert plan_of(file).trials > 0


def test_biosses_holds_the_paper_s_techniques_and_their_reference() -> None:
    plan = plan_of(FOLDER / "biosses.yaml")
    families = {item.strategy.family for item in plan.spec.space.strategy or []}
    assert {"vanilla", "freeze", "decay", "reinit", "freeze+reinit", "decay+reinit"} <= families
    assert len(plan.spec.seeds) >= 5
    assert plan.model.name == "minilm"


def test_the_large_model_runs_ten_seeds_on_a_gpu() -> None:
    plan = plan_of(FOLDER / "biosses-pubmedbert-large.yaml")
    assert len(plan.spec.seeds) == 10
    assert plan.model.blocks == 24
    assert plan.spec.resources.gpus > 0


def test_specs_with_data_at_hand_can_start(blurb_data: Path) -> None:
    for name in ("quickstart", "biosses", "pubmedqa"):
        assert make_plan(load_spec(FOLDER / f"{name}.yaml")).train_examples > 0
