"""The pictures of the documents, from recorded runs: `python docs/pictures/make.py`, in a checkout with Chromium.

The runs are those of benchmarks/curves, every one to its end: nine strategies on BIOSSES and six on DDI with ten seeds each.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import yaml
from selenium import webdriver

from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.curve_files import read_curves
from blurb_tune.replay.replay import Arena
from blurb_tune.report.comparison import compare_sweeps
from blurb_tune.report.comparison.compared_sweeps import label_sweeps
from blurb_tune.report.comparison.figures import forest_figure, heat_figure
from blurb_tune.report.figures import Figure, figure_svg, figures
from blurb_tune.report.page import page_of
from blurb_tune.report.sections import report_of
from blurb_tune.spec import load_spec
from tests.browser import chromium

HERE = Path(__file__).parent
CURVES = HERE.parent.parent / "benchmarks" / "curves"
SPEC = {"task": "demo", "model": "tiny", "search": {"sampler": "grid"}, "pruning": {"race": "none", "instability": False}}


def recorded(name: str, task: str) -> SweepRecord:
    """The sweep that these runs would have been, with nothing stopped."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(yaml.safe_dump(SPEC))
        spec = load_spec(file).valid()
    replay = Arena(read_curves(CURVES / f"{name}.csv"), spec, has_seeds=False).once(slots=2)
    first, *others = replay.events
    if not isinstance(first, ev.SweepStarted):
        raise ValueError("a log starts with sweep_started")
    best, vanilla = replay.record.best_configuration(), next(iter(replay.record.references().values()))
    if best is None:
        raise ValueError(f"{name}: no configuration has a result")
    return SweepRecord.of(
        [
            replace(first, sweep_id=task, name=task, task=task, models={"minilm": 6}, data_digest=name, settings_digest="s"),
            *others,
            ev.SelectionMade(configuration=best.name, reference=None if vanilla.name == best.name else vanilla.name),
            ev.SweepEnded(status="finished", wall_seconds=replay.seconds),
        ]
    )


def draw(figure: Figure | None) -> None:
    if figure is not None:
        (HERE / f"{figure.name}.svg").write_text(figure_svg(figure), encoding="utf-8")


def screenshot(driver: webdriver.Chrome, page: str, name: str, height: int, width: int = 1100) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(file.as_uri())
        driver.save_screenshot(str(HERE / f"{name}.png"))


def main() -> None:
    biosses, ddi = recorded("biosses-minilm", "biosses"), recorded("ddi-minilm", "ddi")
    for figure in figures(biosses):
        if figure.name in ("seeds", "profile", "curves"):
            draw(figure)
    comparison = compare_sweeps(label_sweeps({Path("biosses"): biosses, Path("ddi"): ddi}))
    draw(heat_figure(comparison))
    draw(forest_figure(comparison))
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as driver:
        screenshot(driver, page_of(report_of(biosses), biosses), "report", 900)


if __name__ == "__main__":
    main()
