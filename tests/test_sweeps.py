"""Every spec that is shipped is a valid one, and asks the question it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from blurb_tune.preflight import Plan, make_plan
from blurb_tune.spec import load_spec
from blurb_tune.spec.dimensions import bounds_of, values_of
from blurb_tune.tasks.blurb.definitions import BLURB
from blurb_tune.tasks.task import Task
from blurb_tune.techniques.registry import TECHNIQUES

FOLDER = Path(__file__).parent.parent / "sweeps"
FILES = sorted(FOLDER.glob("**/*.yaml"))


def plan_of(file: Path) -> Plan:
    return make_plan(load_spec(file), check_machine=False)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_a_shipped_spec_is_valid(file: Path) -> None:
    assert plan_of(file).trials > 0


def test_biosses_holds_the_paper_s_techniques_and_their_reference() -> None:
    plan = plan_of(FOLDER / "biosses.yaml")
    families = {item.strategy.family for item in plan.spec.space.strategy or []}
    assert {"vanilla", "freeze", "decay", "reinit", "freeze+reinit", "decay+reinit"} <= families
    assert len(plan.spec.seeds) >= 5
    assert list(plan.models) == ["minilm"]


def test_each_technique_is_beside_vanilla_at_every_rate() -> None:
    plan = plan_of(FOLDER / "techniques.yaml")
    strategies = [item.strategy for item in plan.spec.space.strategy or []]
    assert [of.family for of in strategies] == ["vanilla", *(technique.name for technique in TECHNIQUES)]
    assert (plan.task.name, list(plan.models), len(plan.spec.seeds)) == ("biosses", ["minilm"], 3)
    assert plan.configurations == plan.combinations == len(strategies) * len(values_of(plan.spec.space.learning_rate) or [])
    assert (plan.spec.search.sampler, plan.spec.pruning.race.method) == ("grid", "none")


def test_the_large_model_runs_ten_seeds_on_a_gpu() -> None:
    plan = plan_of(FOLDER / "biosses-pubmedbert-large.yaml")
    assert len(plan.spec.seeds) == 10
    assert plan.blocks == {"pubmedbert-large": 24}
    assert plan.spec.resources.gpus > 0


@pytest.mark.parametrize(
    ("name", "family", "blocks"),
    [("bert-base-models", "bert", {12}), ("bert-large-models", "bert", {24}), ("electra-models", "electra", {12, 24})],
)
def test_the_paper_s_families_of_models_are_compared_by_technique(name: str, family: str, blocks: set[int]) -> None:
    plan = plan_of(FOLDER / "paper" / f"{name}.yaml")
    assert len(plan.models) >= 3
    assert {info.family for info in plan.models.values()} == {family}
    assert set(plan.blocks.values()) == blocks
    assert {item.strategy.family for item in plan.spec.space.strategy or []} == {"vanilla", "freeze", "decay", "reinit"}
    assert (plan.task.name, len(plan.spec.seeds)) == ("biosses", 10)
    assert plan.configurations == plan.combinations
    assert plan.spec.resources.gpus > 0


@pytest.mark.parametrize("task", BLURB, ids=lambda task: task.name)
def test_every_blurb_task_has_a_spec_by_the_protocol(task: Task) -> None:
    plan = plan_of(FOLDER / "blurb" / f"{task.name}.yaml")
    space = plan.spec.space
    assert plan.task.name == task.name
    assert len(plan.spec.seeds) == (10 if task.name in ("biosses", "bioasq", "pubmedqa") else 5)
    assert (values_of(space.learning_rate), values_of(space.batch_size)) == ([1e-5, 3e-5, 5e-5], [16, 32])
    assert 2 <= bounds_of(space.epochs)[0] < bounds_of(space.epochs)[1] <= 60
    assert space.warmup_share == 0.1
    assert all(len(values_of(getattr(space, name)) or []) > 1 for name in ("freeze_depth", "decay_rate", "reinit_count"))
    lengths = {"gad": 128, "chemprot": 256, "ddi": 256, "pubmedqa": 512, "bioasq": 512}
    assert (plan.spec.training.max_length or task.max_length) == lengths.get(task.name, task.max_length)
    assert plan.spec.resources.gpus == 1


def test_specs_with_data_at_hand_can_start(blurb_data: Path) -> None:
    for name in ("quickstart", "biosses", "techniques", "pubmedqa"):
        assert make_plan(load_spec(FOLDER / f"{name}.yaml")).train_examples > 0
