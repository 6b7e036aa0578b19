"""Every seed: which rows, and that each ended trial has one mark at its score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import seeds
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.seed_rows import blocks_of
from blurb_tune.report.figures.seeds import seeds_figure
from tests.report.figures.drawn import of_class, place, points, scale_of, trials, words
from tests.report.sweeps import NAN, SweepWriter, large_sweep, model_sweep, small_sweep, sweeps


def drawn(record: SweepRecord) -> Figure:
    figure = seeds_figure(record)
    assert figure is not None
    return figure


def labels(record: SweepRecord, limit: int = 40) -> list[str]:
    """Of each row its model, if there are several, and its strategy."""
    return [
        f"{block.title}: {row.label}" if block.title else row.label for block in blocks_of(record, limit) for row in block.rows
    ]


def scores_of(*samples: tuple[float, ...], **values: object) -> SweepRecord:
    """Configurations with these scores, the first one vanilla."""
    sweep = SweepWriter(seeds=range(max(map(len, samples))), configurations=len(samples), **values)
    for index, scores in enumerate(samples):
        name = sweep.configuration(f"c{index}", freeze_depth=index)
        for seed, score in enumerate(scores):
            sweep.trial(name, seed, [score])
    return sweep.record


@settings(max_examples=60)
@given(sweeps())
def test_each_ended_trial_has_one_mark_at_the_score_that_it_counts_with(sweep: SweepWriter) -> None:
    record = sweep.record
    figure = seeds_figure(record)
    shown = [t for block in blocks_of(record) for row in block.rows for t in row.trials if t.is_final]
    if figure is None:
        assert not shown
        return
    marks = trials(figure)
    assert set(marks) == {trial.trial_id for trial in shown}
    scale = scale_of(figure)
    tolerance = 0.11 * abs(scale.invert(1) - scale.invert(0))
    gutter = [float(e.get("x") or 0) for e in of_class(figure, "muted", "middle") if e.text == "no score"]
    for trial in shown:
        score = record.score(trial)
        at = trial.final_score if score is None and trial.outcome is not Outcome.ERRORED else score
        x, _ = place(marks[trial.trial_id])
        if at is None or math.isnan(at):
            assert x == pytest.approx(gutter[0], abs=0.11)
        else:
            assert scale.invert(x) == pytest.approx(at, abs=tolerance)


def test_marks_differ_in_shape_by_how_a_trial_ended() -> None:
    marks = trials(drawn(small_sweep().record))
    shapes = {name: mark.get("d", "").partition("m")[2] or mark.tag for name, mark in marks.items()}
    assert shapes["c0-s0"] == "circle"
    assert len({shapes[name] for name in ("c0-s0", "c0-s2", "c1-s2", "c2-s1")}) == 4
    assert shapes["c0-s2"] == shapes["c0-s3"] == shapes["c1-s3"]
    assert "c2-s3" not in marks  # at work


def test_box_median_and_mean_are_those_of_the_seeds() -> None:
    scores = (0.1, 0.2, 0.25, 0.7, 0.3)
    figure = drawn(scores_of(scores))
    scale = scale_of(figure)
    (box,) = [e for e in of_class(figure, "box") if e.get("data-trial") is None and float(e.get("y") or 0) > 40]
    ends = [scale.invert(float(box.get("x") or 0)), scale.invert(float(box.get("x") or 0) + float(box.get("width") or 0))]
    assert ends == pytest.approx(np.quantile(scores, [0.25, 0.75]), abs=2e-3)
    median = [points(e)[0][0] for e in of_class(figure, "median")][-1]
    mean = [place(e)[0] for e in of_class(figure, "mean")][-1]
    assert scale.invert(median) == pytest.approx(0.25, abs=2e-3)
    assert scale.invert(mean) == pytest.approx(0.31, abs=2e-3)
    whisker = [scale.invert(x) for x, _ in points(of_class(figure, "whisker")[0])]
    assert whisker == pytest.approx([0.1, 0.3], abs=2e-3)  # 0.7 is farther than 1.5 times the box from it


def test_three_seeds_make_no_box() -> None:
    assert not of_class(drawn(scores_of((0.1, 0.2, 0.3))), "box")


def test_vanilla_s_band_is_its_mean_and_spread_over_the_rows_of_its_model() -> None:
    """base: vanilla 0.2, 0.4; large: vanilla 0.6, 0.8, and comes first."""
    figure = drawn(model_sweep().record)
    scale = scale_of(figure)
    large, base = of_class(figure, "vanilla-band")[-2:]
    for band, mean in ((large, 0.7), (base, 0.3)):
        left, width = float(band.get("x") or 0), float(band.get("width") or 0)
        assert [scale.invert(left), scale.invert(left + width)] == pytest.approx([mean - 0.1414, mean + 0.1414], abs=2e-3)
        rows = {"c1", "c3"} if band is large else {"c0", "c2"}
        top = float(band.get("y") or 0)
        inside = {t for t, m in trials(figure).items() if top < place(m)[1] < top + float(band.get("height") or 0)}
        assert {t.partition("-")[0] for t in inside} == rows


def test_the_trivial_predictor_s_line_is_at_its_score() -> None:
    figure = drawn(scores_of((0.1, 0.4), trivial_score=0.25))
    line = of_class(figure, "trivial")[-1]
    assert scale_of(figure).invert(points(line)[0][0]) == pytest.approx(0.25, abs=2e-3)
    assert not of_class(drawn(scores_of((0.1, 0.4), trivial_score=NAN)), "trivial")


def test_of_a_cross_validation_a_dot_is_a_seed_and_small_marks_are_its_folds() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1, folds=2)
    name = sweep.configuration("c0")
    for seed, folds in enumerate([(0.2, 0.6), (0.5, NAN)]):
        for fold, score in enumerate(folds):
            sweep.trial(name, seed, [score], Outcome.COLLAPSED if math.isnan(score) else Outcome.COMPLETED, fold=fold)
    figure = drawn(sweep.record)
    dots = {e.get("data-seed"): scale_of(figure).invert(place(e)[0]) for e in of_class(figure, "seed")}
    assert dots == pytest.approx({"0": 0.4, "1": 0.25}, abs=2e-3)
    assert len(trials(figure)) == 4
    assert all("fold" in (mark.get("class") or "") for mark in trials(figure).values())
    assert any("each run is held against its fold's" in text for text in words(figure))


def test_a_seed_that_lacks_a_fold_has_no_dot() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1, folds=2)
    sweep.trial(sweep.configuration("c0"), 0, [0.4], fold=0)
    assert not of_class(drawn(sweep.record), "seed")


def test_fresh_seeds_have_rows_of_their_own() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=2, confirmation_seeds=[1_000_000, 1_000_001])
    for index in range(2):
        name = sweep.configuration(f"c{index}", freeze_depth=index)
        for seed in (0, 1):
            sweep.trial(name, seed, [0.2 + 0.3 * index + 0.1 * seed])
        sweep.end_configuration(name)
    sweep.select("c1", "c0")
    for name in ("c1", "c0"):
        sweep.trial(name, 1_000_000, [0.3])
    figure = drawn(sweep.record)
    assert labels(sweep.record) == [
        "vanilla",
        "freeze 1",
        *[f"On fresh seeds, which no decision has seen: {s}" for s in ("vanilla", "freeze 1")],
    ]
    assert len(trials(figure)) == 6
    assert words(figure).count("n = 1") == 2
    assert "winner" in words(figure)


def test_a_sweep_without_ended_trials_has_no_figure() -> None:
    sweep = SweepWriter()
    assert seeds_figure(sweep.record) is None
    sweep.start(sweep.configuration("c0"), 0)
    assert seeds_figure(sweep.record) is None


def test_a_sweep_whose_runs_all_failed_says_so() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    name = sweep.configuration("c0")
    sweep.trial(name, 0, [], Outcome.DIVERGED)
    sweep.trial(name, 1, [-0.1], Outcome.COLLAPSED)
    figure = drawn(sweep.record)
    assert figure.alt.endswith("2 of 2 runs failed.")
    assert {mark.get("class") for mark in trials(figure).values()} == {"trial failed"}


def test_too_many_trials_are_drawn_as_boxes_and_what_did_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    record = small_sweep().record
    monkeypatch.setattr(seeds, "MOST_MARKS", 5)
    figure = drawn(record)
    assert {record.trials[name].outcome for name in trials(figure)}.isdisjoint({Outcome.COMPLETED})
    assert "too many to be drawn" in figure.caption


def test_rows_are_configurations_with_vanilla_on_top() -> None:
    (block,) = blocks_of(small_sweep().record)
    assert [row.label for row in block.rows] == ["vanilla", "freeze 2 + reinit 1", "decay 0.8"]
    assert [row.is_vanilla for row in block.rows] == [True, False, False]
    assert [len(row.trials) for row in block.rows] == [4, 4, 4]
    assert block.left_out == 0


def test_configurations_of_one_strategy_are_told_apart_by_what_was_searched() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=3)
    for index, rate in enumerate([1e-5, 5e-5]):
        sweep.trial(sweep.configuration(f"c{index}", learning_rate=rate), 0, [0.1 * index])
    sweep.trial(sweep.configuration("c2", freeze_depth=1), 0, [0.5])
    sweep.configuration("c3", freeze_depth=2)
    (block,) = blocks_of(sweep.record)
    assert [(row.label, row.detail) for row in block.rows] == [
        ("vanilla", "c1: lr 5e-5"),
        ("vanilla", "c0: lr 1e-5"),
        ("freeze 1", "c2: lr 5e-5"),
    ]


def test_too_many_configurations_are_pooled_by_strategy_and_the_last_left_out() -> None:
    record = large_sweep(60, 2, epochs=1).record
    (block,) = blocks_of(record, limit=40)
    strategies = {c.configuration.strategy.label for c in record.configurations.values()}
    assert len(strategies) > 40
    assert (len(block.rows), block.left_out, block.rows[0].label) == (40, len(strategies) - 40, "vanilla")
    assert len({row.label for row in block.rows}) == 40
    assert f"{len(strategies) - 40} rows of lower rank not shown" in drawn(record).caption


def test_models_come_one_after_the_other_the_best_first_each_with_its_vanilla_on_top() -> None:
    """base is the first of the spec, and large has the best row."""
    assert labels(model_sweep().record) == ["large: vanilla", "large: freeze 4", "base: vanilla", "base: freeze 4"]


def test_of_too_many_rows_each_model_keeps_its_best() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=20, models={"base": 12, "large": 24})
    for index in range(20):
        name = sweep.configuration(f"c{index}", model=("base", "large")[index % 2], freeze_depth=index // 2)
        sweep.trial(name, 0, [0.1 * (index // 2)])
    expected = [f"{m}: {s}" for m in ("base", "large") for s in ("vanilla", "freeze 9", "freeze 8")]
    assert labels(sweep.record, limit=6) == expected
    assert sum(block.left_out for block in blocks_of(sweep.record, limit=6)) == 14


def test_rows_with_failed_runs_are_below_those_without() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=3)
    for index, scores in enumerate([(0.0, 0.0), (0.0, 0.9), (0.2, 0.3)]):
        sweep.configuration(f"c{index}", freeze_depth=index + 1)
        for seed, score in enumerate(scores):
            sweep.trial(f"c{index}", seed, [score], Outcome.COMPLETED if score else Outcome.COLLAPSED)
    assert labels(sweep.record) == ["freeze 3", "freeze 2", "freeze 1"]


def test_what_lacks_seeds_is_grey_and_the_caption_says_how_rows_are_ordered() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=2)
    sweep.trial(sweep.configuration("c0"), 0, [0.1])
    sweep.trial("c0", 1, [0.2])
    sweep.trial(sweep.configuration("c1", freeze_depth=1), 0, [0.9])
    figure = drawn(sweep.record)
    assert [e.text for e in of_class(figure, "censored")] == ["freeze 1"]
    assert "vanilla first, then the best, by failed runs and mean_minus_std" in figure.caption
    assert "gray" in figure.caption
