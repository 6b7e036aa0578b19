from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blurb_tune.core.errors import InputError
from blurb_tune.core.trial import Configuration, Measurement, Outcome
from blurb_tune.replay.curve_files import read_curves
from blurb_tune.replay.curves import CurveSet
from blurb_tune.replay.replay import Arena
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.spec.schema import SweepSpec

RECORDED = Path(__file__).parent.parent.parent / "benchmarks" / "curves"


def spec(**settings: Any) -> SweepSpec:
    data = {"name": "r", "task": "demo", "model": "tiny", "search": {"sampler": "grid"}, "pruning": {"control_share": 0.0}}
    return SweepSpec.model_validate(data | settings)


def world(score: Callable[[int, int], float], configurations: int = 9, seeds: int = 10, evaluations: int = 20) -> CurveSet:
    """Runs that end with these scores by configuration and seed, a score below 0 for one that never learns."""

    def run(number: int, seed: int) -> tuple[Measurement, ...]:
        end = score(number, seed)
        return tuple(
            Measurement(
                k, float(k), end * k / evaluations if end > 0 else end, 1.0, 2.0 - k / evaluations if end > 0 else 2.0, 1.0,
                0.5, 1e-5, float(k), 0.0,
            )
            for k in range(1, evaluations + 1)
        )  # fmt: skip

    names = [f"s{number}" for number in range(configurations)]
    return CurveSet(
        "world", "pearson", TrivialLevel(0.0, 0.0, 2.0), names[0],
        {name: Configuration(reinit_count=number) for number, name in enumerate(names)},
        {name: {seed: run(number, seed) for seed in range(seeds)} for number, name in enumerate(names)},
    )  # fmt: skip


def normal(seed: int, best: float = 0.03, spread: float = 0.03) -> Callable[[int, int], float]:
    """s8 is the best by `best`, s0 the worst."""
    noise = np.random.default_rng(seed).normal(0, spread, (9, 10))
    means = [0.5 + 0.01 * number for number in range(8)] + [0.5 + 0.07 + best]
    return lambda number, run: float(means[number] + noise[number, run])


def test_where_nothing_may_be_stopped_all_is_run_and_the_full_grid_s_winner_wins() -> None:
    free = spec(pruning={"race": "none", "instability": False})
    for number in range(5):
        replay = Arena(world(normal(number)), free, has_seeds=False).once(1)
        assert replay.evaluations_used == replay.evaluations_all == 9 * 10 * 20
        assert replay.winner == replay.full_grid_winner
        assert (replay.runs, replay.configurations) == ({}, {})


def test_a_race_saves_evaluations_and_keeps_the_winner() -> None:
    """The best is 0.1 ahead with a spread of 0.03: there is no doubt about it."""
    for number in range(5):
        replay = Arena(world(normal(number, best=0.1)), spec(), has_seeds=False).once(1)
        assert replay.winner == replay.full_grid_winner == "s8"
        assert replay.evaluations_used < 0.6 * replay.evaluations_all
        assert replay.configurations["race"].stopped == 7, "all but the reference, which goes on in the end"
        assert replay.configurations["race"].wrongly == 0
        assert (replay.rank, replay.regret) == (1, 0.0)


def test_early_stopping_ends_runs_at_their_best_and_the_race_takes_them_for_whole() -> None:
    """Scores rise to 0.7 of a run and fall then: five evaluations later each run is over."""

    def fallen(run: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
        return tuple(replace(m, dev_score=run[k].dev_score if k < 14 else run[27 - k].dev_score) for k, m in enumerate(run))

    curves = world(normal(1, best=0.1))
    curves = replace(curves, runs={name: {s: fallen(run) for s, run in runs.items()} for name, runs in curves.runs.items()})
    settings: dict[str, Any] = {"score": "best", "pruning": {"race": "none", "control_share": 0.0}}
    whole = Arena(curves, spec(**settings), has_seeds=False).once(1)
    early = {"early_stopping_patience": 5}
    short = Arena(curves, spec(**settings, training=early), has_seeds=False).once(1)
    assert (short.winner, short.evaluations_used) == (whole.winner, 9 * 10 * 19)
    results = [replay.record.best_configuration() for replay in (short, whole)]
    assert results[0] == results[1], "each counts with its best, which comes before the end"
    assert all(t.stopped_early and t.outcome is Outcome.COMPLETED for t in short.record.trials.values())
    assert not any(t.stopped_early for t in whole.record.trials.values())
    raced = Arena(curves, spec(score="best", training=early), has_seeds=False).once(1)
    assert raced.winner == whole.winner
    assert raced.configurations["race"].stopped == 7
    assert {t.outcome for t in raced.record.trials.values()} == {Outcome.COMPLETED}, "no run is censored"


def test_slots_change_the_time_and_not_what_is_decided() -> None:
    curves = world(normal(3))
    ones, fours = (Arena(curves, spec(), has_seeds=False).once(slots) for slots in (1, 4))
    assert fours.seconds < 0.4 * ones.seconds
    assert fours.winner == ones.winner
    assert fours.evaluations_used >= ones.evaluations_used, "what runs beside a look cannot be saved by it"


def test_runs_that_never_learn_are_stopped_as_failed_and_their_configuration_by_its_failures() -> None:
    curves = world(lambda number, seed: -0.1 if number and seed % 2 == 0 else 0.5 + 0.001 * seed)
    replay = Arena(curves, spec(), has_seeds=False).once(1)
    assert replay.winner == replay.full_grid_winner == "s0"
    assert replay.runs["trivial_level"].stopped > 0
    assert replay.runs["trivial_level"].wrongly == 0
    assert replay.configurations["failures"].stopped == 8
    assert {t.outcome for t in replay.record.trials.values()} == {Outcome.COMPLETED, Outcome.PRUNED_UNSTABLE}


def test_shuffles_follow_from_their_seed_and_take_as_many_of_the_file_s_seeds_as_the_spec_says() -> None:
    arena = Arena(world(normal(0)), spec(seeds=5), has_seeds=True)
    first, again, other = (list(arena.shuffles(6, seed, 1)) for seed in (0, 0, 1))
    assert [(r.seeds, r.order, r.winner, r.evaluations_used) for r in first] == [
        (r.seeds, r.order, r.winner, r.evaluations_used) for r in again
    ]
    assert [r.seeds for r in first] != [r.seeds for r in other]
    assert all(len(set(r.seeds)) == 5 and set(r.seeds) <= set(range(10)) for r in first)
    assert all(r.order[0] == "s0" for r in first), "vanilla first, as the spec says"
    assert len({r.order for r in first}) > 1


def test_a_list_of_seeds_is_taken_at_its_word() -> None:
    replay = Arena(world(normal(0)), spec(seeds=[7, 3, 5]), has_seeds=True).once(1)
    assert replay.seeds == (7, 3, 5)
    assert {t.seed for t in replay.record.trials.values()} == {7, 3, 5}


@pytest.mark.parametrize(("seeds", "fault"), [(11, "asks for 11 seeds"), ([3, 77], "have the seeds 77")])
def test_seeds_that_the_file_has_not_are_told(seeds: Any, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        Arena(world(normal(0)), spec(seeds=seeds), has_seeds=True)


def test_rank_and_regret_are_over_all_seeds_of_the_file() -> None:
    """With the seeds 0 and 1 alone s1 looks better than s0, with all ten it does not."""
    curves = world(
        lambda number, seed: 0.5 + (0.1 if number and seed < 2 else 0.0) - 0.05 * (number and seed >= 2), configurations=2
    )
    replay = Arena(curves, spec(seeds=[0, 1], objective="mean"), has_seeds=True).once(1)
    assert (replay.winner, replay.full_grid_winner, replay.rank) == ("s1", "s1", 2)
    assert replay.regret == pytest.approx(0.5 - (2 * 0.6 + 8 * 0.45) / 10)


def test_a_run_that_diverges_ends_there() -> None:
    curves = world(normal(0), configurations=2)
    run = curves.runs["s1"][0]
    broken = (*run[:4], Measurement(5, 5.0, math.nan, math.nan, math.nan, 1.0, 0.5, 1e-5, 5.0, 0.0), *run[5:])
    replay = Arena(
        CurveSet(
            "w", "pearson", curves.level, "s0", curves.configurations, {**curves.runs, "s1": {**curves.runs["s1"], 0: broken}}
        ),
        spec(pruning={"race": "none"}),
        has_seeds=False,
    ).once(1)
    assert len(replay.record.trials["c001-s0"].measurements) == 5
    assert replay.record.trials["c001-s0"].outcome is Outcome.DIVERGED


@pytest.mark.parametrize("name", ["biosses-minilm", "ddi-minilm"])
def test_on_real_curves_the_winner_is_the_full_grid_s_for_fewer_evaluations(name: str) -> None:
    replays = list(Arena(read_curves(RECORDED / f"{name}.csv"), spec(), has_seeds=False).shuffles(40, 0, 2))
    assert sum(r.winner == r.full_grid_winner for r in replays) >= 38
    assert sum(r.evaluations_used for r in replays) < 0.8 * sum(r.evaluations_all for r in replays)
    assert all(stops.wrongly == 0 for r in replays for stops in r.runs.values())
