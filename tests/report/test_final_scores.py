from __future__ import annotations

import math

import pytest

from blurb_tune.cli.render import plain_summary
from blurb_tune.core.trial import Outcome
from blurb_tune.report.final_scores import final_results
from blurb_tune.report.summary import summarize
from blurb_tune.tracking.updates import RunBuilder
from tests.report.sweeps import NAN, SweepWriter


def sweep_with_tests() -> SweepWriter:
    """c1 wins over vanilla: its third run was cut short and is never tested, its fourth has lost its weights."""
    sweep = SweepWriter(seeds=(0, 1, 2, 3))
    sweep.configuration("c0")
    sweep.configuration("c1", reinit_count=1)
    for seed in range(4):
        sweep.trial("c0", seed, [0.1], Outcome.COLLAPSED if seed else Outcome.COMPLETED)
    for seed in range(4):
        sweep.trial("c1", seed, [0.8], Outcome.PRUNED_UNDERPERFORMING if seed == 2 else Outcome.COMPLETED)
    sweep.select("c1", "c0")
    sweep.test("c1-s0", 0.5, [0.3, 0.7], trained_again=True)
    sweep.test("c1-s1", 0.7, [0.5, 0.9])
    sweep.test("c1-s3", NAN, error="OSError: gone")
    for seed in range(4):
        sweep.test(f"c0-s{seed}", NAN if seed == 3 else 0.2, [] if seed == 3 else [0.0, 0.4])
    return sweep


def test_winner_and_reference_are_summed_up_by_their_tested_runs() -> None:
    winner, vanilla = final_results(sweep_with_tests().record)
    assert (winner.configuration, winner.label, winner.examples) == ("c1", "reinit 1", 20)
    assert (winner.summary.n, winner.failed, winner.trained_again, winner.missing) == (2, 0, 1, 1)
    assert winner.summary.mean == pytest.approx(0.6)
    assert winner.interval == pytest.approx((0.4, 0.8))
    # An undefined correlation counts 0, as on dev, and failed runs are among n.
    assert (vanilla.summary.n, vanilla.failed, vanilla.trained_again, vanilla.missing) == (4, 3, 0, 0)
    assert vanilla.summary.mean == pytest.approx(0.15)


def sweep_of(dev: list[float], test: list[float]) -> SweepWriter:
    """One configuration, with a score on dev and on test for each seed."""
    sweep = SweepWriter(seeds=tuple(range(len(dev))))
    sweep.configuration("c0")
    for seed, score in enumerate(dev):
        sweep.trial("c0", seed, [score])
    sweep.select("c0", None)
    for seed, score in enumerate(test):
        sweep.test(f"c0-s{seed}", score, [NAN, NAN] if math.isnan(score) else [score, score])
    return sweep


def test_a_test_split_of_a_single_score_leaves_the_result_undefined() -> None:
    (only,) = final_results(sweep_of([0.8, 0.7, NAN], [NAN, NAN, NAN]).record)
    assert (only.summary.n, only.missing) == (3, 0)
    assert all(map(math.isnan, [only.summary.mean, only.summary.std, only.summary.min, only.summary.max, *only.interval]))
    found = summarize(sweep_of([0.8], [NAN]).record)["final_test"][0]
    assert (found["n"], found["mean"], found["std"], found["interval_of_one_run"]) == (1, None, None, [None, None])
    assert "nan" not in plain_summary(sweep_of([0.8], [NAN]).finish())


@pytest.mark.parametrize(
    ("dev", "test", "mean"),
    [([0.8, 0.7], [0.6, NAN], 0.3), ([NAN, NAN], [NAN, NAN], 0.0), ([0.8, NAN], [0.0, NAN], 0.0)],
)
def test_constant_predictions_count_as_the_trivial_predictor_s(dev: list[float], test: list[float], mean: float) -> None:
    (only,) = final_results(sweep_of(dev, test).record)
    assert only.summary.mean == pytest.approx(mean)


def test_there_is_nothing_before_the_test_and_nothing_of_vanilla_where_it_wins() -> None:
    sweep = SweepWriter(seeds=(0,))
    sweep.configuration("c0")
    sweep.trial("c0", 0, [0.5])
    assert final_results(sweep.record) == []
    sweep.select("c0", None)
    assert final_results(sweep.record) == []
    sweep.test("c0-s0", NAN, error="gone")
    (only,) = final_results(sweep.record)
    assert (only.summary.n, only.missing) == (0, 1)
    assert math.isnan(only.interval[0])


def test_the_summary_names_the_split() -> None:
    final = summarize(sweep_with_tests().record)["final_test"]
    assert [(entry["split"], entry["strategy"], entry["n"]) for entry in final] == [
        ("test", "reinit 1", 2),
        ("test", "vanilla", 4),
    ]
    assert final[0]["interval_of_one_run"] == pytest.approx([0.4, 0.8])
    assert [(entry["trained_again"], entry["missing"]) for entry in final] == [(1, 1), (0, 0)]
    assert summarize(SweepWriter().record)["final_test"] == []


def test_the_printed_summary_shows_both_beside_the_interval_of_one_run() -> None:
    text = plain_summary(sweep_with_tests().finish())
    table = text[text.index("Final test: pearson on the test split, 20 examples") :].splitlines()
    rows = {line.split()[0]: line for line in table if line.startswith("c")}
    assert "reinit 1" in rows["c1"]
    assert "0.60 " in rows["c1"]
    assert "0.40 to 0.80" in rows["c1"]
    assert "3/4" in rows["c0"]
    assert "1 run could not be tested" in text
    assert "The weights of 1 run were gone: trained once more, to where the run had ended." in text
    assert "Final test" not in plain_summary(SweepWriter().record)


def test_nothing_is_said_of_weights_that_were_there() -> None:
    sweep = SweepWriter(seeds=(0,))
    sweep.trial(sweep.configuration("c0"), 0, [0.5])
    sweep.select("c0", None)
    sweep.test("c0-s0", 0.5, [0.3, 0.7])
    assert "weights" not in plain_summary(sweep.finish())


def test_test_scores_go_to_the_runs_and_the_sweeps_own_names_the_winner() -> None:
    builder = RunBuilder()
    for event in sweep_with_tests().events:
        builder.apply(event)
    runs = {run.trial: run for run in builder.take()}
    points = {
        (point.name, point.step): point.value
        for point in runs["c1-s0"].points
        if point.name.startswith(("test", "other/test"))
    }
    assert points == {("test/score", 10): 0.5, ("other/test_mse", 10): 1.0}
    assert runs["c1-s3"].tags["test_error"] == "OSError: gone"
    assert (runs[None].tags["winner"], runs[None].tags["reference"]) == ("c1 reinit 1", "c0")
