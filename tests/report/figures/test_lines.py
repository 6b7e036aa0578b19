"""Profiles, expected best and learning curves: the numbers of the lines, read back from the picture."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import curves
from blurb_tune.report.figures.contenders import contenders
from blurb_tune.report.figures.curves import curves_figure
from blurb_tune.report.figures.expected_best import expected_best_figure
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.profile import profile_figure
from blurb_tune.stats.expected_best import expected_best
from tests.report.figures.drawn import of_class, place, points, scale_of, trials, words
from tests.report.sweeps import NAN, SweepWriter, large_sweep, model_sweep, small_sweep

SAMPLES = {"c0": (0.1, 0.3, 0.3, 0.5), "c1": (0.4, 0.45, 0.5, 0.6), "c2": (0.2, 0.25, 0.3, 0.35)}


def sweep_of(samples: dict[str, tuple[float, ...]] = SAMPLES, **values: object) -> SweepWriter:
    sweep = SweepWriter(seeds=range(4), configurations=len(samples), **values)
    for index, (name, scores) in enumerate(samples.items()):
        sweep.configuration(name, freeze_depth=index)
        for seed, score in enumerate(scores):
            sweep.trial(name, seed, [score / 2, score])
    return sweep


def line(figure: Figure, configuration: str) -> list[tuple[float, float]]:
    (found,) = [e for e in of_class(figure, "line") if e.get("data-configuration") == configuration]
    x, y = scale_of(figure, "x"), scale_of(figure, "y")
    return [(x.invert(a), y.invert(b)) for a, b in points(found)]


def drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def test_vanilla_comes_first_then_the_best_strategies_each_by_its_best_configuration() -> None:
    sweep = sweep_of()
    sweep.configuration("c3", freeze_depth=1, learning_rate=1e-5)
    for seed in range(4):
        sweep.trial("c3", seed, [0.1])
    lines, left_out = contenders(sweep.record)
    assert [(line.name, line.configuration_id, line.is_vanilla) for line in lines] == [
        ("vanilla", "c0", True),
        ("freeze 1", "c1", False),
        ("freeze 2", "c2", False),
    ]
    assert left_out == 0
    assert len({line.style for line in lines}) == 3
    lines, left_out = contenders(sweep.record, limit=2)
    assert ([line.name for line in lines], left_out) == (["vanilla", "freeze 1"], 1)


def test_what_was_stopped_is_compared_with_nothing() -> None:
    sweep = sweep_of()
    sweep.configuration("c9", freeze_depth=5)
    for seed in (0, 1):
        sweep.trial("c9", seed, [0.9])
    sweep.stop_configuration("c9", replicates=2)
    lines, _ = contenders(sweep.record)
    assert [line.configuration_id for line in lines] == ["c0", "c1", "c2"]
    assert not any(line.is_censored for line in lines)


def test_a_vanilla_that_was_stopped_is_named_so() -> None:
    sweep = SweepWriter(seeds=range(3), configurations=2)
    sweep.configuration("c0")
    for seed in (0, 1):
        sweep.trial("c0", seed, [0.1 + 0.1 * seed])
    sweep.stop_configuration("c0", replicates=2)
    sweep.configuration("c1", freeze_depth=1)
    for seed in range(3):
        sweep.trial("c1", seed, [0.5 + 0.1 * seed])
    figure = drawn(profile_figure(sweep.record))
    assert "vanilla (stopped after 2 seeds)" in words(figure)
    assert "does not compare" in figure.caption


def test_a_profile_is_the_share_of_seeds_above_each_score() -> None:
    figure = drawn(profile_figure(sweep_of().record))
    for name, scores in SAMPLES.items():
        corners = line(figure, name)
        for x in np.linspace(0.05, 0.62, 23):
            if min(abs(x - score) for score in scores) < 0.004:
                continue
            share = next(y for (left, y), (right, _) in itertools.pairwise(corners) if left <= x <= right and left < right)
            assert share == pytest.approx(100 * np.mean([score > x for score in scores]), abs=0.5)
    assert len(of_class(figure, "band")) == 2
    assert "Above the trivial predictor are 4 of 4 seeds of vanilla" in figure.alt


def test_crossed_seeds_have_no_band_and_no_expected_best() -> None:
    record = sweep_of(crossed=[2, 2]).record
    assert not of_class(drawn(profile_figure(record)), "band")
    assert expected_best_figure(record) is None


def test_a_single_seed_has_neither_profile_nor_expected_best() -> None:
    record = sweep_of({"c0": (0.3,), "c1": (0.4,)}).record
    assert profile_figure(record) is None
    assert expected_best_figure(record) is None


def test_the_expected_best_of_each_number_of_seeds() -> None:
    figure = drawn(expected_best_figure(sweep_of().record))
    for name, scores in SAMPLES.items():
        assert line(figure, name) == [
            (pytest.approx(n, abs=0.01), pytest.approx(expected_best(scores, n), abs=2e-3)) for n in range(1, 5)
        ]
    assert line(figure, "c0")[0][1] == pytest.approx(0.3, abs=2e-3)  # the mean


def test_a_cross_validation_s_lines_are_of_seeds() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1, folds=2)
    sweep.configuration("c0")
    for seed in (0, 1):
        for fold in (0, 1):
            sweep.trial("c0", seed, [0.2 + 0.2 * seed + 0.1 * fold], fold=fold)
    (of,), _ = contenders(sweep.record)
    assert of.scores == pytest.approx((0.25, 0.45))


def one_panel(*curves_of: tuple[list[float], Outcome, str]) -> SweepRecord:
    sweep = SweepWriter(seeds=range(len(curves_of)), configurations=1)
    name = sweep.configuration("c0", epochs=4)
    for seed, (scores, outcome, rule) in enumerate(curves_of):
        sweep.trial(name, seed, scores, outcome, rule=rule)
    return sweep.record


def test_a_curve_goes_through_its_measurements_at_their_share_of_the_steps() -> None:
    record = one_panel(([0.1, 0.2, 0.3, 0.4], Outcome.COMPLETED, ""))
    figure = drawn(curves_figure(record))
    (run,) = trials(figure).values()
    x, y = scale_of(figure, "x"), scale_of(figure, "y")
    found = [(x.invert(a), y.invert(b)) for a, b in points(run[0])]
    assert found == [(pytest.approx(25.0 * n, abs=0.1), pytest.approx(0.1 * n, abs=3e-3)) for n in (1, 2, 3, 4)]


def test_what_was_stopped_ends_with_a_mark_where_it_ended_and_names_the_rule() -> None:
    record = one_panel(
        ([0.1, 0.2], Outcome.PRUNED_UNSTABLE, "trivial_level"),
        ([0.1, 0.3, 0.2], Outcome.PRUNED_UNDERPERFORMING, "race"),
        ([0.0, 0.0, 0.0, -0.1], Outcome.COLLAPSED, ""),
        ([0.3, NAN], Outcome.DIVERGED, ""),
    )
    figure = drawn(curves_figure(record))
    runs = trials(figure)
    assert [runs[f"c0-s{seed}"].get("data-rule") for seed in range(4)] == [
        "stayed at the trivial level",
        "configuration lost the race",
        "ended at the trivial level",
        "loss not finite",
    ]
    x, y = scale_of(figure, "x"), scale_of(figure, "y")
    ends = {name: place(list(run)[-1]) for name, run in runs.items()}
    assert [x.invert(ends[f"c0-s{seed}"][0]) for seed in range(4)] == pytest.approx([50, 75, 100, 50], abs=0.1)
    assert y.invert(ends["c0-s1"][1]) == pytest.approx(0.2, abs=3e-3)
    assert y.invert(ends["c0-s3"][1]) == pytest.approx(0.3, abs=3e-3)  # its last score that is defined
    assert "configuration lost the race (1)" in figure.caption
    assert not of_class(figure, "band")[1:]


def test_the_fan_is_median_and_percentiles_of_completed_runs() -> None:
    finals = [0.1 * n for n in range(1, 8)]
    record = one_panel(*(([f / 4, f / 2, f, f], Outcome.COMPLETED, "") for f in finals), ([-0.5] * 4, Outcome.COLLAPSED, ""))
    figure = drawn(curves_figure(record))
    y = scale_of(figure, "y")
    median = points([e for e in of_class(figure, "line", "completed-line") if "L" in (e.get("d") or "")][-1])
    assert y.invert(median[-1][1]) == pytest.approx(0.4, abs=4e-3)
    fan = points(of_class(figure, "band", "completed-fill")[-1])
    right = max(x for x, _ in fan)
    ends = sorted(y.invert(b) for a, b in fan if a == right)
    assert ends == pytest.approx(np.quantile(finals, [0.1, 0.9]), abs=4e-3)


def test_runs_that_are_known_nowhere_together_have_no_median() -> None:
    """Each is at its end within the first steps, or has a score at one moment alone."""
    runs = [([NAN, NAN, NAN, 0.3], Outcome.COMPLETED, ""), ([0.1], Outcome.COMPLETED, ""), ([NAN] * 4, Outcome.COMPLETED, "")]
    figure = drawn(curves_figure(one_panel(*runs)))
    assert not [e for e in of_class(figure, "line", "completed-line") if (e.get("d") or "").count("L") > 1]
    assert len(trials(figure)) == 3


def test_an_undefined_score_interrupts_its_line() -> None:
    figure = drawn(curves_figure(one_panel(([0.1, NAN, 0.3, 0.4], Outcome.COMPLETED, ""))))
    (run,) = trials(figure).values()
    assert (run[0].get("d") or "").count("M") == 2


def test_many_completed_runs_are_a_fan_alone_and_many_failed_ones_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "_MOST_OTHERS", 3)
    runs = [([0.2, 0.3, 0.4, 0.5], Outcome.COMPLETED, "")] * 14 + [([0.0] * 4, Outcome.COLLAPSED, "")] * 7
    figure = drawn(curves_figure(one_panel(*runs)))
    assert {t for t in trials(figure) if int(t.partition("-s")[2]) < 14} == set()
    assert 2 <= len(trials(figure)) <= 3
    assert "Of more than 3 failed" in figure.caption


def test_there_are_twelve_panels_at_most() -> None:
    assert len(of_class(drawn(curves_figure(large_sweep(60, 2, epochs=2).record)), "heading")) <= 12
    assert [e.text for e in of_class(drawn(curves_figure(model_sweep().record)), "heading")] == [
        "vanilla",
        "vanilla",
        "freeze 4",
        "freeze 4",
    ]
    assert of_class(drawn(curves_figure(small_sweep().record)), "heading")[0].text == "vanilla"


def test_nothing_measured_is_no_figure() -> None:
    assert curves_figure(SweepWriter().record) is None
    assert curves_figure(one_panel(([NAN, NAN], Outcome.COLLAPSED, ""))) is None
