"""What the techniques declare: it is whole, in order, and known without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

import pytest
import yaml

from blurb_tune.core.trial import HYPERPARAMETER_NAMES, Configuration, Strategy
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.techniques.protocol import Technique
from blurb_tune.techniques.registry import (
    AXES,
    NEUTRAL,
    SETTING_OF,
    TECHNIQUES,
    active,
    check_order,
    conflicts,
    is_feasible,
    nearest_feasible,
)


def test_what_the_axes_say_is_known_without_torch() -> None:
    code = (
        "import sys, blurb_tune.techniques.registry, blurb_tune.spec.schema, blurb_tune.search.feasible\n"
        "print(sorted({'torch', 'transformers', 'peft', 'optuna'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_strategies_have_the_axes_and_configurations_have_them_behind_the_model() -> None:
    assert asdict(Strategy()) == NEUTRAL
    assert HYPERPARAMETER_NAMES[: 1 + len(AXES)] == ("model", *AXES)
    assert Strategy().is_vanilla
    assert (Strategy().family, Strategy().label) == ("vanilla", "vanilla")
    assert Configuration(model="m").strategy == Strategy()


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_a_technique_says_all_of_itself(technique: type[Technique]) -> None:
    first, *settings = technique.axes
    ((name, values),) = yaml.safe_load(technique.example).items()
    space = SpaceSpec.model_validate({name: values})
    assert name == first.name
    assert getattr(space, name).choice == values, "the example is a dimension"
    assert first.neutral in values
    for value in values:
        strategy = Strategy(**{name: value})
        assert first.fault(value) is None
        assert [of.name for of in active(asdict(strategy))] == ([] if value == first.neutral else [technique.name])
        assert strategy.family == ("vanilla" if value == first.neutral else technique.name)
        assert strategy.label.startswith("vanilla" if value == first.neutral else first.word)
    assert technique.doing
    assert technique.citation.eprint
    assert all(axis.fault(axis.neutral) is None and axis.meaning for axis in technique.axes)
    assert all(SETTING_OF[axis.name] is first for axis in settings)


def test_labels_tell_strategies_apart() -> None:
    assert Strategy(freeze_depth=4, decay_rate=0.8, reinit_count=1).label == "freeze 4 + decay 0.8 + reinit 1"
    assert Strategy(freeze_depth=4, decay_rate=0.8).family == "freeze+decay"


@pytest.mark.parametrize(
    ("name", "value"), [("freeze_depth", -1), ("decay_rate", 0.0), ("decay_rate", 1.01), ("decay_rate", float("nan"))]
)
def test_values_out_of_bounds(name: str, value: float) -> None:
    assert AXES[name].rule in (AXES[name].fault(value) or "")


def test_the_order_is_part_of_what_is_declared() -> None:
    class Early(Technique):
        name, axes, after = "early", (), ("reinit",)

    class Alone(Technique):
        name, axes, excludes = "alone", (), ("early",)

    check_order([*TECHNIQUES, Early, Alone])
    with pytest.raises(ValueError, match="early must stand behind reinit in the registry"):
        check_order([Early, *TECHNIQUES])
    with pytest.raises(ValueError, match="alone must stand behind early in the registry"):
        check_order([*TECHNIQUES, Alone, Early])
    with pytest.raises(ValueError, match="two techniques are called 'early'"):
        check_order([*TECHNIQUES, Early, Early])


def test_conflicts_and_the_nearest_that_has_none() -> None:
    deep = NEUTRAL | {"freeze_depth": 3, "reinit_count": 3}
    assert list(conflicts(deep, 4)) == ["`freeze_depth + reinit_count <= 4` must hold"]
    assert is_feasible(deep, 6)
    assert nearest_feasible(deep, 4) == NEUTRAL | {"freeze_depth": 3, "reinit_count": 1}
    assert list(conflicts(NEUTRAL | {"freeze_depth": 9}, 4)) == ["`freeze_depth <= 4` must hold"]
    assert nearest_feasible(NEUTRAL | {"freeze_depth": 9}, 4) == NEUTRAL | {"freeze_depth": 4}
