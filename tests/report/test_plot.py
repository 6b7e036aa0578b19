"""The plot: which rows, and that the picture shows what it should."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from matplotlib.colors import to_rgb

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.plot import plot_rows, plot_scores
from tests.report.sweeps import SweepWriter, large_sweep, model_sweep, small_sweep

BLUE, ORANGE = "#0072B2", "#D55E00"
BAND = "#FCF4E4"  # vanilla's orange, one layer of it on white


def pixels_of(picture: np.ndarray, color: str) -> int:
    return int((np.abs(picture[:, :, :3] - to_rgb(color)).max(axis=2) < 0.02).sum())


def pixels_by_column(picture: np.ndarray, color: str) -> np.ndarray:
    return (np.abs(picture[:, :, :3] - to_rgb(color)).max(axis=2) < 0.02).sum(axis=0)


def draw(record: SweepRecord, folder: Path) -> np.ndarray:
    path = folder / "scores.png"
    plot_scores(record, path)
    assert [p.name for p in folder.iterdir()] == ["scores.png"]
    return image.imread(path)


def test_rows_are_configurations_with_vanilla_on_top() -> None:
    rows, left_out = plot_rows(small_sweep().record)
    assert [row.label for row in rows] == ["vanilla", "freeze 2 + reinit 1", "decay 0.8"]
    assert [row.is_vanilla for row in rows] == [True, False, False]
    assert [len(row.trials) for row in rows] == [4, 4, 4]
    assert left_out == 0


def test_configurations_of_one_strategy_are_told_apart_by_name() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=3)
    for index, rate in enumerate([1e-5, 5e-5]):
        sweep.configuration(f"c{index}", learning_rate=rate)
        sweep.trial(f"c{index}", 0, [0.1 * index])
    sweep.configuration("c2", freeze_depth=1)
    sweep.trial("c2", 0, [0.5])
    sweep.configuration("c3", freeze_depth=2)
    assert [row.label for row in plot_rows(sweep.record)[0]] == ["vanilla (c1)", "vanilla (c0)", "freeze 1"]


def test_too_many_configurations_are_pooled_by_strategy_and_the_last_left_out() -> None:
    record = large_sweep(60, 2, epochs=1).record
    rows, left_out = plot_rows(record, limit=40)
    strategies = {c.configuration.strategy.label for c in record.configurations.values()}
    assert len(strategies) > 40
    assert (len(rows), left_out, rows[0].label) == (40, len(strategies) - 40, "vanilla")
    assert len({row.label for row in rows}) == 40


def test_models_come_one_after_the_other_the_best_first_each_with_its_vanilla_on_top() -> None:
    """base is the first of the spec, and large has the best row."""
    rows, _ = plot_rows(model_sweep().record)
    assert [row.label for row in rows] == ["large: vanilla", "large: freeze 4", "base: vanilla", "base: freeze 4"]


def words_of(record: SweepRecord, folder: Path) -> str:
    """All text of the plot that stands in one line each."""
    plot_scores(record, folder / "scores.svg")
    return " ".join(re.findall(r"<!-- (.*?) -->", (folder / "scores.svg").read_text()))


def test_the_label_says_how_the_rows_are_ordered(tmp_path: Path) -> None:
    words = words_of(model_sweep().record, tmp_path)
    assert "pearson (vanilla first, then the best, by failed runs and mean_minus_std; models by their best)" in words
    sweep = SweepWriter(seeds=(0,), configurations=1, objective="worst")
    sweep.trial(sweep.configuration("c0", freeze_depth=1), 0, [0.1])
    assert "pearson (best first, by failed runs and worst)" in words_of(sweep.record, tmp_path)


def test_in_a_cross_validation_the_line_of_the_trivial_predictor_is_no_fold_s(tmp_path: Path) -> None:
    for folds in (0, 3):
        sweep = SweepWriter(seeds=(0,), configurations=1, folds=folds)
        sweep.trial(sweep.configuration("c0"), 0, [0.1], Outcome.COLLAPSED, fold=0 if folds else None)
        words = words_of(sweep.record, tmp_path)
        assert ("trivial predictor on all data (a run must beat its fold's)" in words) == (folds > 0)


def test_rows_with_failed_runs_are_below_those_without() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=3)
    for index, scores in enumerate([(0.0, 0.0), (0.0, 0.9), (0.2, 0.3)]):
        sweep.configuration(f"c{index}", freeze_depth=index + 1)
        for seed, score in enumerate(scores):
            sweep.trial(f"c{index}", seed, [score], Outcome.COMPLETED if score else Outcome.COLLAPSED)
    assert [row.label for row in plot_rows(sweep.record)[0]] == ["freeze 3", "freeze 2", "freeze 1"]


def test_of_too_many_rows_each_model_keeps_its_best() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=20, models={"base": 12, "large": 24})
    for index in range(20):
        name = sweep.configuration(f"c{index}", model=("base", "large")[index % 2], freeze_depth=index // 2)
        sweep.trial(name, 0, [0.1 * (index // 2)])
    rows, left_out = plot_rows(sweep.record, limit=6)
    assert [row.label for row in rows] == [f"{m}: {s}" for m in ("base", "large") for s in ("vanilla", "freeze 9", "freeze 8")]
    assert left_out == 14


def test_vanilla_s_band_covers_the_rows_of_its_model_alone(tmp_path: Path) -> None:
    """The vanillas of the two models lie apart, at 0.6 to 0.8 and 0.2 to 0.4: upper rows are tinted right, lower ones left."""
    picture = draw(model_sweep().record, tmp_path)
    height = picture.shape[0]
    upper, lower = (picture[int(top * height) : int((top + 0.1) * height)] for top in (0.27, 0.58))  # the frozen rows
    centres = [np.flatnonzero(pixels_by_column(half, BAND) > 5).mean() for half in (upper, lower)]
    assert centres[0] > centres[1] + 150


def test_failed_runs_are_drawn_in_another_colour(tmp_path: Path) -> None:
    """Looked for left of the column that counts them."""
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    sweep.configuration("c0")
    sweep.trial("c0", 0, [0.3])
    sweep.trial("c0", 1, [0.5])
    good = draw(sweep.record, tmp_path)[:, :1000]
    assert pixels_of(good, ORANGE) == 0
    assert pixels_of(good, BLUE) > 20
    sweep.configuration("c1", freeze_depth=1)
    sweep.trial("c1", 0, [-0.1], Outcome.COLLAPSED)
    assert pixels_of(draw(sweep.record, tmp_path)[:, :1000], ORANGE) > 20


@pytest.mark.parametrize("configurations", [1, 2, 40])
def test_the_picture_grows_with_its_rows(tmp_path: Path, configurations: int) -> None:
    height, width, _ = draw(large_sweep(configurations, 3, epochs=1).record, tmp_path).shape
    assert width == 1200
    assert height == pytest.approx(150 * (1.75 + 0.3 * max(configurations, 2)), abs=1)


def test_a_sweep_without_trials_or_results_is_drawn(tmp_path: Path) -> None:
    sweep = SweepWriter()
    draw(sweep.record, tmp_path)
    sweep.configuration("c0")
    draw(sweep.record, tmp_path)
    sweep.start("c0", 0)
    draw(sweep.record, tmp_path)


def test_names_are_no_formulas(tmp_path: Path) -> None:
    """Each of these would be an error in matplotlib's mathtext."""
    for names in ({"task": "$a_{$"}, {"metric": "$a_{$"}, {"models": {"$a_{$": 6, "$b^{$": 6}}):
        draw(SweepWriter(**names).record, tmp_path)
    sweep = SweepWriter()
    for name in ("$a_{$", "$a^{$"):
        sweep.configuration(name)
        sweep.trial(name, 0, [0.1])
    draw(sweep.record, tmp_path)


def test_the_old_picture_stays_when_the_new_one_cannot_be_drawn(tmp_path: Path) -> None:
    before = draw(small_sweep().record, tmp_path)
    with pytest.raises(LookupError):
        plot_scores(SweepRecord(), tmp_path / "scores.png")
    with pytest.raises(ValueError, match="nonsense"):
        plot_scores(small_sweep().record, tmp_path / "scores.nonsense")
    assert [p.name for p in tmp_path.iterdir()] == ["scores.png"]
    assert (image.imread(tmp_path / "scores.png") == before).all()


def test_a_reader_of_the_old_picture_never_sees_the_new_one(tmp_path: Path) -> None:
    draw(SweepWriter().record, tmp_path)
    before = (tmp_path / "scores.png").read_bytes()
    with (tmp_path / "scores.png").open("rb") as reader:
        plot_scores(small_sweep().record, tmp_path / "scores.png")
        assert reader.read() == before != (tmp_path / "scores.png").read_bytes()
