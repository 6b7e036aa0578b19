"""All figures of any sweep: well-formed, escaped, within their box, bounded; and the files that they become."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from blurb_tune.core.errors import UnwrittenError
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import Figure, figure_png, figure_svg, figures
from blurb_tune.report.figures.image_files import write_png
from blurb_tune.report.figures.palette import LIGHT, PALETTE_CSS
from blurb_tune.report.figures.svg import WIDTH
from tests.report.figures.drawn import all_numbers, pixels, root_of, words
from tests.report.sweeps import SweepWriter, large_sweep, model_sweep, small_sweep, sweeps

NAMES = ["seeds", "profile", "expected-best", "curves", "importances", "slices", "parallel", "pareto", "timeline"]
HOSTILE = "<script>alert('x')</script>&\"'<!--"


@dataclass(frozen=True)
class Drawn:
    record: SweepRecord
    figures: list[Figure]
    cpu_seconds: float


@pytest.fixture(scope="module")
def large() -> Drawn:
    """5,000 trials of 500 configurations."""
    record = large_sweep(500, 10, epochs=2).record
    begin = time.process_time()
    return Drawn(record, figures(record), time.process_time() - begin)


def check(figure: Figure, record: SweepRecord) -> None:
    root = root_of(figure)
    assert (root.tag, root.get("role")) == ("svg", "img")
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    assert width == WIDTH
    assert 0 < height < 2500
    assert not any(re.search(r"nan|inf|\de", value) for value in all_numbers(figure))
    assert {e.get("data-trial") for e in root.iter() if e.get("data-trial")} <= record.trials.keys()
    assert {e.get("data-configuration") for e in root.iter() if e.get("data-configuration")} <= record.configurations.keys()
    marks = [e.get("data-trial") for e in root.iter() if "trial" in (e.get("class") or "").split()]
    assert len(marks) == len(set(marks))
    assert figure.alt
    assert figure.caption
    for element in root.iter():
        for name, high in (("cx", width), ("x", width), ("cy", height), ("y", height)):
            if name in element.attrib and element.get(name) not in ("0",):
                assert -15 <= float(element.attrib[name]) <= high + 15
        assert set(element.attrib) <= ALLOWED
        assert "style" not in element.attrib


ALLOWED = {
    *("class", "d", "x", "y", "cx", "cy", "r", "rx", "width", "height", "viewBox", "role", "transform"),
    *("data-figure", "data-trial", "data-configuration", "data-seed", "data-rule", "data-attempt"),
}


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(sweeps())
def test_every_sweep_at_any_point_of_it_has_figures(sweep: SweepWriter) -> None:
    record = sweep.record
    found = figures(record)
    names = [figure.name for figure in found]
    assert names == [name for name in NAMES if name in names]
    for figure in found:
        check(figure, record)


def test_an_empty_log_and_a_sweep_that_has_just_begun_have_none() -> None:
    assert figures(SweepRecord()) == []
    assert figures(SweepWriter().record) == []


def test_a_single_seed_of_one_configuration() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    sweep.trial(sweep.configuration("c0"), 0, [0.1, 0.4])
    assert [figure.name for figure in figures(sweep.record)] == ["seeds", "curves", "timeline"]
    for figure in figures(sweep.record):
        check(figure, sweep.record)


def test_a_finished_sweep_has_all_figures(large: Drawn) -> None:
    assert [figure.name for figure in large.figures] == NAMES


def test_five_thousand_trials_are_drawn_quickly_and_in_bounded_space(large: Drawn) -> None:
    assert len(large.record.trials) == 5000
    assert large.cpu_seconds < 10
    assert sum(len(figure.svg.encode()) for figure in large.figures) < 2_500_000
    for figure in large.figures:
        check(figure, large.record)


def test_names_from_outside_are_text(tmp_path: Path) -> None:
    sweep = SweepWriter(
        seeds=(0, 1), configurations=4, task=HOSTILE, metric=HOSTILE, models={HOSTILE: 6, "]]><b>": 6}, objective="mean"
    )
    for index in range(4):
        name = sweep.configuration(f"c{index}", model=[HOSTILE, "]]><b>"][index % 2], freeze_depth=index // 2)
        for seed in (0, 1):
            trial = sweep.start(name, seed)
            sweep.measure(trial, 1, 0.1 * index + 0.01 * seed)
            sweep.end(trial, "completed")
    record = sweep.record
    for figure in figures(record):
        check(figure, record)
        assert not [e for e in root_of(figure).iter() if e.tag in ("script", "b")]
        figure_png(figure, 1)
    seeds = figures(record)[0]
    assert any("<script>" in text for text in words(seeds))


def test_every_class_of_a_mark_has_its_rule_in_the_palette(large: Drawn) -> None:
    elements = [e for figure in [*large.figures, *figures(small_sweep().record)] for e in root_of(figure).iter()]
    used = {name for element in elements for name in (element.get("class") or "").split()}
    known = set(re.findall(r"\.([a-z][\w-]*)", PALETTE_CSS))
    of_scripts = {"figure", "trial", "seed"} | {name for name in used if name.endswith("-run")}
    assert used - known - of_scripts == set()


def test_a_file_stands_on_its_own() -> None:
    for figure in figures(model_sweep().record):
        text = figure_svg(figure)
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in text
        assert LIGHT["completed"] in text


def test_the_picture_has_the_colors_of_its_marks_on_white() -> None:
    def count(picture: np.ndarray, color: str) -> int:  # type: ignore[type-arg]
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        return int((np.abs(picture - wanted).max(axis=2) < 12).sum())

    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    name = sweep.configuration("c0")
    sweep.trial(name, 0, [0.3])
    good = pixels(figure_png(figures(sweep.record)[0], 2))
    sweep.trial(name, 1, [-0.1], "collapsed")
    figure = figures(sweep.record)[0]
    bad = pixels(figure_png(figure, 2))
    assert bad.shape[1] == 2 * WIDTH
    assert tuple(bad[0, 0]) == (255, 255, 255)
    assert count(good, LIGHT["failed"]) == 0
    assert count(bad, LIGHT["failed"]) > 20
    assert count(bad, LIGHT["ink"]) > 200  # its words have been drawn, with or without fonts on the machine
    assert pixels(figure_png(figure, 1)).shape[0] * 2 == pytest.approx(bad.shape[0], abs=2)


def test_the_old_picture_stays_until_the_new_one_is_there(tmp_path: Path) -> None:
    old, new = figures(model_sweep().record)[0], figures(small_sweep().record)[0]
    path = tmp_path / "scores.png"
    write_png(old, path)
    before = path.read_bytes()
    with path.open("rb") as reader:
        write_png(new, path)
        assert reader.read() == before != path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["scores.png"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnwrittenError, match="cannot be written"):
        write_png(new, tmp_path / "folder")
