"""Importances, slices, parallel coordinates and the Pareto front: a mark for each configuration, where its values are."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import parallel_coordinates, pareto, slices
from blurb_tune.report.figures.configurations import thin_out, with_objective
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.importances import importances_figure
from blurb_tune.report.figures.parallel_coordinates import parallel_figure
from blurb_tune.report.figures.pareto import pareto_figure
from blurb_tune.report.figures.slices import slices_figure
from tests.report.figures.drawn import of_class, place, points, scale_of, words
from tests.report.sweeps import SweepWriter, small_sweep


def searched(count: int = 30, seeds: int = 2) -> SweepRecord:
    """Rates that are logarithmic, decays that are not, and the correction or none; the rate alone matters."""
    rng = random.Random(count)
    sweep = SweepWriter(seeds=range(seeds), configurations=count)
    for index in range(count):
        rate, decay, corrected = 10 ** rng.uniform(-6, -3), rng.uniform(0.5, 1.0), rng.random() < 0.5
        name = sweep.configuration(f"c{index:03d}", learning_rate=rate, decay_rate=decay, bias_correction=corrected)
        for seed in range(seeds):
            sweep.trial(name, seed, [0.8 - 0.2 * abs(math.log10(rate) + 4.5) + rng.gauss(0, 0.02)])
    return sweep.record


def drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def marks(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """By configuration, the places of its marks, panel by panel."""
    found: dict[str, list[tuple[float, float]]] = {}
    for element in of_class(figure, "configuration"):
        if name := element.get("data-configuration"):
            found.setdefault(name, []).append(place(element))
    return found


def test_importances_name_what_matters() -> None:
    figure = drawn(importances_figure(searched(60)))
    assert figure.alt.startswith("More than by chance matter: learning rate (")
    bars = [float(e.get("width") or 0) for e in of_class(figure, "f1") + of_class(figure, "by-chance") if e.get("x") == "160"]
    shares = [float(text.removesuffix(" %")) for text in words(figure) if text.endswith(" %")]
    assert bars == sorted(bars, reverse=True)
    assert [bar / bars[0] for bar in bars] == pytest.approx([share / shares[0] for share in shares], abs=0.02)
    assert "best 15 of 60 configurations" in figure.caption


def test_too_few_configurations_or_hyperparameters_have_no_importances() -> None:
    assert importances_figure(searched(19)) is None
    sweep = SweepWriter(seeds=(0,), configurations=30)
    for index in range(30):
        sweep.trial(sweep.configuration(f"c{index}", learning_rate=1e-5 * (index + 1)), 0, [0.01 * index])
    assert importances_figure(sweep.record) is None


def test_a_slice_has_each_configuration_at_its_value_and_objective() -> None:
    record = searched()
    figure = drawn(slices_figure(record))
    found = marks(figure)
    assert set(found) == set(record.configurations)
    assert [e.text for e in of_class(figure, "heading")] == ["decay rate", "learning rate", "bias correction"]
    x = scale_of_panel(figure, "1.0", "0.6")
    y = scale_of(figure, "y")
    for name, of in record.configurations.items():
        decay, rate, _ = found[name]
        assert x(of.configuration.decay_rate) == pytest.approx(decay[0], abs=0.2)
        assert y.invert(rate[1]) == pytest.approx(record.result_of(name).objective, abs=3e-3)
    in_order = sorted(record.configurations, key=lambda name: record.configurations[name].configuration.learning_rate)
    assert [found[name][1][0] for name in in_order] == sorted(found[name][1][0] for name in in_order)


def scale_of_panel(figure: Figure, high: str, low: str) -> Callable[[float], float]:
    """From two numbers below the first panel."""
    at = {
        text: next(float(e.get("x") or 0) for e in of_class(figure, "muted", "middle") if e.text == text)
        for text in (high, low)
    }
    return lambda value: at[low] + (value - float(low)) / (float(high) - float(low)) * (at[high] - at[low])


def test_vanilla_and_what_lacks_seeds_are_told_apart_by_shape_and_the_best_has_a_ring() -> None:
    figure = drawn(slices_figure(small_sweep().record))
    by_name = {
        e.get("data-configuration"): e.get("class") for e in of_class(figure, "configuration") if e.get("data-configuration")
    }
    assert by_name == {"c0": "configuration c-of-vanilla", "c1": "configuration c-censored", "c2": "configuration c-censored"}
    ring = of_class(figure, "ring")[-1]
    assert place(ring) == marks(figure)["c0"][-1]


def test_nothing_searched_is_no_slice() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    sweep.trial(sweep.configuration("c0"), 0, [0.1])
    assert slices_figure(sweep.record) is None
    assert parallel_figure(sweep.record) is None
    assert pareto_figure(sweep.record) is None


def test_a_line_runs_from_value_to_value_to_the_objective_the_best_last() -> None:
    record = searched()
    figure = drawn(parallel_figure(record))
    lines = {e.get("data-configuration"): e for e in of_class(figure, "strand") + of_class(figure, "best-strand")}
    lines.pop(None)
    assert set(lines) == set(record.configurations)
    best = record.best_configuration()
    assert best is not None
    assert lines[best.name].get("class") == "best-strand"
    ends = {name: points(element)[-1][1] for name, element in lines.items()}
    by_objective = sorted(ends, key=lambda name: -record.result_of(str(name)).objective)
    assert [ends[name] for name in by_objective] == sorted(ends.values())
    assert all(len(points(element)) == 4 for element in lines.values())
    fifths = [(lines[name].get("class") or "").split()[1] for name in by_objective if name != best.name]
    assert fifths == sorted(fifths, reverse=True)
    assert {fifths.count(f"q{i}") for i in range(1, 5)} == {6}


def test_of_too_many_configurations_the_best_and_some_others_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    record = searched()
    known = with_objective(record)
    monkeypatch.setattr(parallel_coordinates, "_MOST_LINES", 12)
    monkeypatch.setattr(parallel_coordinates, "_BEST", 5)
    figure = drawn(parallel_figure(record))
    names = {e.get("data-configuration") for e in of_class(figure, "strand") + of_class(figure, "best-strand")} - {None}
    assert len(names) <= 12
    assert {result.name for result in known[-5:]} <= names
    assert "Of 30 configurations the best 5 and some others are drawn." in figure.caption
    assert thin_out(known, 30, 5) == known
    monkeypatch.setattr(slices, "_MOST_MARKS", 3)
    monkeypatch.setattr(slices, "_BEST", 4)
    assert len(marks(drawn(slices_figure(record)))) <= 8


def spread_of(*samples: tuple[float, ...]) -> SweepRecord:
    sweep = SweepWriter(seeds=range(len(samples[0])), configurations=len(samples))
    for index, scores in enumerate(samples):
        name = sweep.configuration(f"c{index}", freeze_depth=index)
        for seed, score in enumerate(scores):
            sweep.trial(name, seed, [score], Outcome.COMPLETED if score > 0 else Outcome.COLLAPSED)
    return sweep.record


def test_points_are_at_mean_and_standard_deviation_and_the_front_joins_those_not_beaten() -> None:
    """c0 0.8 +- 0.141, c1 0.6 +- 0.014, c2 0.5 +- 0.071: c2 is beaten by c1."""
    record = spread_of((0.7, 0.9), (0.59, 0.61), (0.45, 0.55))
    figure = drawn(pareto_figure(record))
    x, y = scale_of(figure, "x"), scale_of(figure, "y")
    for name, (mark,) in marks(figure).items():
        spread = record.result_of(name).summary
        assert (x.invert(mark[0]), y.invert(mark[1])) == (
            pytest.approx(spread.std, abs=1e-3),
            pytest.approx(spread.mean, abs=2e-3),
        )
    corners = points(of_class(figure, "front")[-1])
    assert corners[0] == marks(figure)["c0"][0]
    assert corners[-1] == marks(figure)["c1"][0]
    assert len(corners) == 3
    assert "freeze 2" not in figure.alt


def test_a_sector_is_the_share_of_failed_runs() -> None:
    figure = drawn(pareto_figure(spread_of((0.7, 0.9, 0.8, 0.8), (0.6, 0.7, -0.1, 0.5), (-0.1, -0.2, -0.1, -0.1))))
    assert len([e for e in of_class(figure, "failed-ring") if e.get("cx") != "0"]) == 2
    whole = [e for e in of_class(figure, "failed-sector") if e.tag == "circle"]
    (quarter,) = [
        e for e in of_class(figure, "failed-sector") if e.tag == "path" and not (e.get("d") or "").startswith("M0 0")
    ]
    assert len(whole) == 1
    x, y = place(quarter)
    end = [float(n) for n in (quarter.get("d") or "").rpartition(" 1 ")[2].removesuffix("Z").split()]
    assert end == [pytest.approx(x + pareto._RADIUS, abs=0.11), pytest.approx(y, abs=0.11)]


def test_single_seeds_have_no_spread_and_no_front() -> None:
    assert pareto_figure(spread_of((0.7,), (0.8,))) is None
