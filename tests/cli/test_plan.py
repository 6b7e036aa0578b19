"""What `validate` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from blurb_tune.cli.plan import print_plan
from blurb_tune.preflight import make_plan
from blurb_tune.spec import load_spec


@pytest.fixture
def printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """A function that gives the rows of the plan of a spec, single-spaced."""

    def rows(**settings: Any) -> list[str]:
        file = tmp_path / "sweep.yaml"
        file.write_text(yaml.safe_dump({"task": "demo", "model": "tiny"} | settings))
        print_plan(make_plan(load_spec(file), check_machine=False))
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return rows


def test_a_plan_in_rows(printed: Any) -> None:
    rows = printed(seeds=2, space={"strategy": ["vanilla", {"freeze_depth": 2}], "epochs": 3}, search={"sampler": "grid"})
    for row in ("sweep sweep is valid", "model tiny, 4 blocks", "configurations 2 of 2, by grid", "trials 4"):
        assert row in rows
    assert "at most 12 epochs, 72 steps" in rows
    assert "space strategy: vanilla, freeze 2" in rows
    assert not any("left out" in row for row in rows)


def test_several_models_and_what_does_not_fit_them(printed: Any) -> None:
    strategies = ["vanilla", {"freeze_depth": 12}, {"freeze_depth": 6}]
    rows = printed(model=["tiny", "minilm", "bert-base"], space={"strategy": strategies}, search={"sampler": "grid"})
    assert rows[rows.index("model tiny, 4 blocks") + 1 :][:2] == ["minilm, 6 blocks", "bert-base, 12 blocks"]
    assert "configurations 6 of 6, by grid" in rows
    assert "left out: 3 pairs of model and strategy, too deep for the model" in rows


@pytest.mark.parametrize(("final_test", "row"), [(True, "the best configuration and vanilla"), (False, "none")])
def test_whether_the_test_split_is_read_is_told(printed: Any, final_test: bool, row: str) -> None:
    assert any(line.startswith(f"final test {row}") for line in printed(final_test=final_test))


def test_whether_a_trial_may_end_early_is_told(printed: Any) -> None:
    early = printed(score="best", training={"early_stopping_patience": 3})
    assert "ends early after 3 evaluations without improvement" in early
    assert not any("ends early" in line for line in printed(score="best"))


def test_of_many_seeds_a_few_are_shown(printed: Any) -> None:
    assert "seeds 3 each: 0, 1, 2" in printed(seeds=3)
    assert "seeds 10000 each: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..., 9999" in printed(seeds=10_000)


def test_of_a_vast_space_the_bounds_are_shown_and_of_many_values_a_few(printed: Any) -> None:
    space = {
        "epochs": {"low": 1, "high": 2 * 10**9},
        "learning_rate": {"low": 1e-5, "high": 1.0, "step": 1e-9},
        "batch_size": list(range(1, 1001)),
    }
    rows = printed(space=space, search={"sampler": "grid", "configurations": 20})
    assert f"configurations 20 of {2 * 10**9 * 999_990_001 * 1000}, by grid" in rows
    assert "batch_size: one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ..., 1000" in rows
    assert {"epochs: 1 to 2000000000", "space learning_rate: 1e-05 to 1.0 in steps of 1e-09"} <= set(rows)
    strategies = [{"decay_rate": round(0.5 + index / 100, 2)} for index in range(20)]
    shown = ", ".join(f"decay {0.5 + index / 100:.2g}" for index in range(10))
    assert f"strategy: {shown}, ..., decay 0.69" in " ".join(printed(space={"strategy": strategies}))


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (6, "unstable runs stop after 50% of their steps, if they are at the trivial level"),
        (2, "unstable runs: evaluated 2 times each, too seldom to be stopped before their end"),
    ],
)
def test_rules_that_cannot_fire_are_told(printed: Any, epochs: int, expected: str) -> None:
    assert expected in " ".join(printed(space={"epochs": epochs}))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"seeds": 5}, "configurations that have lost stop, from seed 3 of 5 on, at the level 0.1"),
        ({"seeds": 10, "pruning": {"race": {"alpha": 0.01}}}, "stop, from seed 7 of 10 on, at the level 0.01"),
        ({"seeds": 3}, "3 seeds are too few to stop a configuration early"),
        ({"seeds": 10, "pruning": {"race": {"max_seeds": 6, "min_seeds": 5}}}, "from seed 5 of 10 on"),
        ({"seeds": 5, "pruning": {"race": "none"}}, "none, every configuration runs all its seeds"),
        ({"seeds": 5, "space": {"strategy": ["vanilla"]}}, "none, there is one configuration"),
    ],
)
def test_from_which_seed_on_the_race_can_stop_is_told(printed: Any, settings: dict[str, Any], expected: str) -> None:
    grid = {"space": {"strategy": ["vanilla", {"freeze_depth": 2}]}, "search": {"sampler": "grid"}}
    assert expected in " ".join(printed(**grid | settings))


def test_what_is_not_known_of_the_data_is_not_made_up(printed: Any) -> None:
    rows = printed(task="bc2gm", training={"eval_every": 50})
    assert "task bc2gm, data not looked at, entity_f1 on dev" in rows
    assert any(row.startswith("at most ") and row.endswith(" epochs") for row in rows)
    assert any("unstable runs stop after 50%" in row for row in rows)
