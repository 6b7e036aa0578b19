"""A spec that a program holds: what it may hold, and where a fault of it is."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blurb_tune.core.errors import InputError
from blurb_tune.spec import load_spec
from blurb_tune.spec.plain import plain_data


class Kind(enum.StrEnum):
    GRID = "grid"


def faults(spec: dict[str, Any], *overrides: str) -> dict[str, str]:
    with pytest.raises(InputError) as raised:
        load_spec(spec, overrides).valid()
    return {problem.where: problem.what for problem in raised.value.problems}


def test_values_of_python_become_those_of_a_file() -> None:
    given = {
        **{"path": Path("notes.csv"), "tuple": (1, 2), "range": range(2), "array": np.array([1e-5, 3e-5]), "kind": Kind.GRID},
        **{"float": np.float64(0.1), "int": np.int64(3), "bool": np.bool_(True), "text": np.str_("x"), "none": None},
    }
    found = plain_data(given, "spec")
    assert found == {
        **{"path": "notes.csv", "tuple": [1, 2], "range": [0, 1], "array": [1e-5, 3e-5], "kind": "grid"},
        **{"float": 0.1, "int": 3, "bool": True, "text": "x", "none": None},
    }
    assert {type(value) for value in found.values()} <= {str, list, float, int, bool, type(None)}


def test_all_that_no_file_can_hold_is_told_by_its_key_path() -> None:
    endless: dict[str, Any] = {}
    endless["itself"] = endless
    found = faults({"task": "demo", "model": {"tiny"}, "space": {"strategy": ["vanilla", {"mixout": object()}]}, "x": endless})
    assert set(found) == {"model", "space.strategy[1].mixout", "x" + ".itself" * 20}
    assert found["model"] == "expected plain data (mappings, lists, texts, numbers, true, false, null), but got {'tiny'}"
    assert "more than 20 levels" in found["x" + ".itself" * 20]


def test_a_fault_has_its_key_path_and_says_it_once() -> None:
    spec = {"task": "demo", "seeds": 0, "space": {"epochs": "x", "strategy": ["vanilla", {"reinit_cuont": 1}], "lr": 1e-5}}
    found = faults(spec)
    assert {"model", "seeds", "space.epochs", "space.lr"} <= set(found)
    assert found["model"] == "the key 'model' is missing"
    assert not found["space.epochs"].startswith("space.epochs")
    (strategy,) = (where for where in found if "strategy" in where)
    assert strategy.startswith("space.strategy[1]")
    assert "did you mean 'reinit_count'" in found[strategy]


def test_an_override_keeps_its_place_and_takes_the_fault_of_what_it_replaces_away() -> None:
    spec = {"task": "demo", "model": "tiny", "seeds": 2**70}
    assert faults(spec) == {"seeds": "expected a number of at most 63 bits, but got 1180591620717411303424"}
    assert load_spec(spec, ["seeds=3"]).valid().seeds == [0, 1, 2]
    assert set(faults(spec, "seeds=x")) == {"--set seeds=x"}


def test_data_that_a_spec_names_are_at_fault_where_it_names_them(tmp_path: Path) -> None:
    from blurb_tune.preflight import make_plan

    task = {"train": tmp_path / "none.csv", "text": "note", "label": "urgent", "kind": "classification"}
    with pytest.raises(InputError) as raised:
        make_plan(load_spec({"task": task, "model": "tiny"}))
    assert {problem.where for problem in raised.value.problems} == {"task.train"}
