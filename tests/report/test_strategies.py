"""The table of configurations beside vanilla."""

from __future__ import annotations

import math

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.report.blocks import Cell, Table
from blurb_tune.report.claims import claims_of
from blurb_tune.report.strategies import stopped_table, strategies_table
from blurb_tune.stats.intervals import wilson_interval
from tests.report.sweeps import SweepWriter, model_sweep, small_sweep


def cells(table: Table, configuration: str) -> dict[str, Cell]:
    row = next(row for row in table.rows if row.configuration == configuration)
    return {column.key: cell for column, cell in zip(table.columns, row.cells, strict=True)}


def tuned_sweep() -> SweepWriter:
    """Vanilla and `freeze 2`, each at two rates; the second rate of `freeze 2` is the best."""
    sweep = SweepWriter(seeds=range(6), configurations=4)
    levels = {"c0": (0, 1e-5, 0.5), "c1": (0, 5e-5, 0.52), "c2": (2, 1e-5, 0.55), "c3": (2, 5e-5, 0.7)}
    for name, (depth, rate, level) in levels.items():
        sweep.configuration(name, freeze_depth=depth, learning_rate=rate)
        for seed in range(6):
            sweep.trial(name, seed, [level + 0.01 * ((seed * 5 + depth) % 6)])
        sweep.end_configuration(name)
    return sweep


def test_the_searched_settings_stand_in_each_row_so_that_no_two_read_the_same() -> None:
    table = strategies_table(tuned_sweep().finish())
    assert [column.title for column in table.columns[:4]] == ["", "strategy", "learning rate", "n"]
    shown = [(of["strategy"].text, of["learning_rate"].text) for of in (cells(table, f"c{k}") for k in range(4))]
    assert shown == [("vanilla", "1e-5"), ("vanilla", "5e-5"), ("freeze 2", "1e-5"), ("freeze 2", "5e-5")]
    assert len(set(shown)) == 4
    same = "The same in all: batch size 16 and epochs 20; what is not named here is at its default."
    assert table.notes[0] == same


def test_the_best_vanilla_comes_first_then_the_best_and_the_winner_is_marked() -> None:
    table = strategies_table(tuned_sweep().finish())
    assert [row.configuration for row in table.rows] == ["c1", "c3", "c2", "c0"]
    assert [row.configuration for row in table.rows if row.is_best] == ["c3"]


def test_a_row_has_the_numbers_of_its_claim_and_of_its_runs() -> None:
    record = tuned_sweep().finish()
    (claim,) = claims_of(record)
    of = cells(strategies_table(record), "c3")
    assert of["difference"].value == pytest.approx(claim.comparison.difference)
    assert of["difference_interval"].value == claim.comparison.interval
    assert of["p"].value == claim.comparison.p_holm
    assert of["p_better"].value == claim.comparison.superiority.probability
    assert of["seeds_needed"].value == claim.comparison.seeds_needed
    assert of["failed_interval"].value == wilson_interval(0, 6)
    assert of["failed"].text == "0 of 6"
    assert of["train_seconds"].value == 2.5
    assert of["mean"].text == "0.725"


def test_what_is_not_the_best_of_its_strategy_has_a_difference_and_no_p() -> None:
    of = cells(strategies_table(tuned_sweep().finish()), "c2")
    assert of["difference"].text == "+0.030"
    assert isinstance(of["difference_interval"].value, tuple)
    assert (of["p"].value, of["p"].text) == (None, "–")


def test_the_best_vanilla_is_compared_with_nothing() -> None:
    of = cells(strategies_table(tuned_sweep().finish()), "c1")
    assert {of[key].text for key in ("difference", "difference_interval", "p", "p_better", "seeds_needed")} == {"–"}


def test_p_is_a_dash_where_so_few_seeds_can_decide_nothing() -> None:
    sweep = SweepWriter(seeds=(0, 1))
    for name, depth in (("c0", 0), ("c1", 2)):
        sweep.configuration(name, freeze_depth=depth)
        for seed in (0, 1):
            sweep.trial(name, seed, [0.1 * seed + depth])
    table = strategies_table(sweep.finish())
    assert cells(table, "c1")["p"].text == "–"
    assert "Where p is a dash, the test cannot decide before n = 4 seeds of each." in table.notes


def test_each_model_is_a_group_without_its_name_in_every_row() -> None:
    table = strategies_table(model_sweep().finish())
    assert [group.title for group in table.groups] == ["base", "large"]
    assert [[row.cells[1].text for row in group.rows] for group in table.groups] == [["vanilla", "freeze 4"]] * 2
    assert cells(table, "c2")["difference"].value == pytest.approx(0.3)
    assert cells(table, "c3")["difference"].value == pytest.approx(-0.3)


def test_what_was_stopped_stands_apart_with_rule_and_reason() -> None:
    sweep = tuned_sweep()
    sweep.configuration("c4", freeze_depth=4)
    sweep.trial("c4", 0, [0.2])
    sweep.trial("c4", 1, [0.1], Outcome.PRUNED_UNDERPERFORMING, rule="race")
    sweep.stop_configuration("c4", replicates=1)
    record = sweep.finish()
    assert "c4" not in [row.configuration for row in strategies_table(record).rows]
    table = stopped_table(record)
    assert table is not None
    of = cells(table, "c4")
    assert (of["n"].text, of["rule"].text, of["reason"].text) == ("1 of 6", "race", "race says so")
    assert stopped_table(tuned_sweep().record) is None


def test_unknown_numbers_are_dashes_and_empty_values() -> None:
    sweep = small_sweep()
    sweep.configuration("c3", freeze_depth=6)
    of = cells(strategies_table(sweep.record), "c3")
    for key in ("mean", "std", "min", "max", "failed", "failed_interval", "difference", "p", "train_seconds"):
        assert (of[key].text, of[key].value) == ("–", None), key
    assert Cell.of("x", math.inf).value is None
