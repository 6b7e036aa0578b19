"""Importances find what the objective is made of, and nothing where it is chance."""

from __future__ import annotations

import logging
import math
import random
from typing import Any

import pytest

from blurb_tune.search.importance import best_count, importances, is_logarithmic


def points(n: int, seed: int = 1) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "learning_rate": 10 ** rng.uniform(-6, -3),
            "decay_rate": rng.uniform(0.5, 1.0),
            "freeze_depth": rng.randint(0, 6),
            "max_grad_norm": rng.choice([None, 1.0]),
            "epochs": 20,
        }
        for _ in range(n)
    ]


def test_what_the_objective_is_made_of_comes_first_and_is_beyond_chance() -> None:
    of = points(80)
    noise = random.Random(2)
    objectives = [
        -abs(math.log10(p["learning_rate"]) + 4.3) + 0.3 * (p["max_grad_norm"] is None) + noise.gauss(0, 0.05) for p in of
    ]
    found = importances(of, objectives)
    assert found[0].name == "learning_rate"
    assert {i.name for i in found if i.is_beyond_chance} >= {"learning_rate", "max_grad_norm"}
    assert math.fsum(i.share for i in found) == pytest.approx(1.0)
    assert "epochs" not in {i.name for i in found}  # the same in all


def test_chance_is_beyond_itself_in_about_one_of_twenty_cases() -> None:
    beyond = total = 0
    for seed in range(12):
        of, rng = points(40, seed), random.Random(100 + seed)
        found = importances(of, [rng.random() for _ in of])
        beyond, total = beyond + sum(i.is_beyond_chance for i in found), total + len(found)
    assert beyond / total <= 0.15


def test_the_same_every_time_whatever_the_units_of_the_objective() -> None:
    of, rng = points(30), random.Random(5)
    objectives = [rng.random() for _ in of]
    first = importances(of, objectives)
    assert importances(of, objectives) == first
    assert importances(of, [100 * o - 7 for o in objectives]) == first


def test_too_little_to_tell_gives_nothing() -> None:
    of = points(19)
    assert importances(of, [float(i) for i in range(19)]) == []
    assert importances([], []) == []
    assert importances(points(30), [0.5] * 30) == []
    assert importances([{"a": i} for i in range(30)], [float(i) for i in range(30)]) == []
    with pytest.raises(ValueError, match="finite"):
        importances(of, [math.nan] * 19)
    with pytest.raises(ValueError, match="finite"):
        importances(of, [0.1])


def test_it_leaves_the_log_quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.INFO):
        importances(points(20), [float(i) for i in range(20)])
    assert "study" not in capfd.readouterr().err


@pytest.mark.parametrize(("n", "best"), [(20, 10), (30, 15), (60, 15), (200, 20)])
def test_how_many_are_the_best(n: int, best: int) -> None:
    assert best_count(n) == best


def test_logarithmic_is_what_was_sampled_so() -> None:
    rng = random.Random(0)
    assert is_logarithmic([10 ** rng.uniform(-6, -3) for _ in range(50)])
    assert not is_logarithmic([rng.uniform(0.0005, 0.1) for _ in range(50)])
    assert not is_logarithmic([0.0, 1.0, 100.0])
