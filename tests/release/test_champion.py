"""When a model is a champion: where its recipe is shown to be better, and runs without a part in the choice support that."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.release.champion import why_no_champion
from tests.report.sweeps import SweepWriter

LOW, HIGH = (0.40, 0.41, 0.42, 0.43, 0.44, 0.45, 0.46, 0.47), (0.80, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.87)
MIXED = (0.30, 0.41, 0.52, 0.43, 0.34, 0.45, 0.56, 0.47)


def swept(
    vanilla: Sequence[float] = LOW,
    other: Sequence[float] = HIGH,
    *,
    winner: str = "c1",
    fresh: tuple[float, float] | None = None,
    test: tuple[float, float] | None = None,
    status: str = "finished",
) -> SweepRecord:
    """Vanilla (c0) and one more recipe (c1). fresh, test: the means of both, there."""
    seeds = list(range(1_000_000, 1_000_008)) if fresh else []
    sweep = SweepWriter(seeds=range(len(vanilla)), confirmation_seeds=seeds, objective="mean")
    for name, scores, values in (("c0", vanilla, {}), ("c1", other, {"freeze_depth": 2})):
        sweep.configuration(name, **values)
        for seed, score in enumerate(scores):
            sweep.trial(name, seed, [score])
        sweep.end_configuration(name)
    sweep.select(winner, "c0")
    for name, mean in zip(("c0", "c1"), fresh or (), strict=False):
        for number, seed in enumerate(seeds):
            sweep.trial(name, seed, [mean + number / 100])
    for name, score in zip(("c0", "c1"), test or (), strict=False):
        for seed in seeds or range(len(vanilla)):
            sweep.test(f"{name}-s{seed}", score, (score - 0.1, score + 0.1))
    return sweep.finish(status)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (swept(test=(0.4, 0.8)), ""),
        (swept(fresh=(0.4, 0.8)), ""),
        (swept(fresh=(0.4, 0.8), test=(0.4, 0.8)), ""),
        (swept(), "neither fresh seeds (`confirm`) nor the test split support it"),
        (swept(test=(0.8, 0.8)), "the test split does not support it"),
        (swept(fresh=(0.4, 0.8), test=(0.8, 0.4)), "the test split does not support it"),
        (swept(fresh=(0.8, 0.4), test=(0.4, 0.8)), "it is worse than vanilla fine-tuning on fresh seeds"),
        (swept(HIGH, LOW, test=(0.8, 0.4)), "it is worse than vanilla fine-tuning on the seeds of the search"),
        (swept(other=MIXED, test=(0.4, 0.8)), "it is not shown to be better"),
        (swept(LOW[:2], HIGH[:2], test=(0.4, 0.8)), "its seeds are too few"),
        (swept(test=(0.4, 0.8), status="interrupted"), "it is not shown to be better"),
    ],
)
def test_by_what_supports_the_winner(record: SweepRecord, why: str) -> None:
    found = why_no_champion(record, "c1-s0")
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_vanilla_and_other_runs_are_none() -> None:
    assert "not one of the winner's runs" in why_no_champion(swept(test=(0.4, 0.8)), "c0-s0")
    assert "not one of the winner's runs" in why_no_champion(swept(test=(0.4, 0.8)), "c9-s0")
    assert "vanilla fine-tuning itself has won" in why_no_champion(swept(HIGH, LOW, winner="c0", test=(0.8, 0.4)), "c0-s0")


def test_a_run_that_failed_is_none_and_where_all_failed_there_is_none() -> None:
    sweep = SweepWriter(seeds=range(8), objective="mean", max_failed_share=0.5)
    for name, scores, values in (("c0", LOW, {}), ("c1", HIGH, {"freeze_depth": 2})):
        sweep.configuration(name, **values)
        for seed, score in enumerate(scores):
            sweep.trial(name, seed, [score], Outcome.COLLAPSED if seed == 7 and name == "c1" else Outcome.COMPLETED)
        sweep.end_configuration(name)
    sweep.select("c1", "c0")
    for seed in range(8):
        sweep.test(f"c0-s{seed}", 0.4)
        sweep.test(f"c1-s{seed}", 0.8)
    record = sweep.finish()
    assert why_no_champion(record, "c1-s0") == ""
    assert why_no_champion(record, "c1-s7") == "this run counts as failed (collapsed)"
