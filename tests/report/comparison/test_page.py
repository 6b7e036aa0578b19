"""The page of a comparison in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from blurb_tune.report.comparison import compare_sweeps
from blurb_tune.report.comparison.formats import FORMATS
from tests.browser import chromium
from tests.report.comparison.examples import FREEZE, REINIT, VANILLA, numbered, sweeps_of, written

pytestmark = [pytest.mark.service, pytest.mark.slow]

HOSTILE = "<img src=https://evil.example/x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    scores = {
        "c0": (VANILLA, numbered(0.1, 0.2, 0.3, 0.2, 0.1)),
        "c1": (FREEZE, numbered(0.8, 0.9, 0.7, 0.8, 0.9)),
        "c2": (REINIT, numbered(0.0, 0.01, 0.02, 0.0, 0.01)),
    }
    first = written("first", scores, fails_below=0.05, finished=False)
    first.configuration("c3", freeze_depth=4)
    first.trial("c3", 0, [0.1])
    first.stop_configuration("c3")
    first.finish()
    others = [written(f"sweep {k}", scores, task=f"{HOSTILE} {k}", models={"bert-large": 24}) for k in range(5)]
    folder: Path = tmp_path_factory.mktemp("page")
    file = folder / "comparison.html"
    file.write_text(FORMATS["html"](compare_sweeps(sweeps_of(first, *others))), encoding="utf-8")
    with chromium(folder / "profile") as driver:
        driver.get(file.as_uri())
        yield driver


def test_figures_and_tables_are_there_and_the_console_is_silent(page: webdriver.Chrome) -> None:
    for name in ("heat", "forest"):
        box = page.find_element(By.CSS_SELECTOR, f"#figure-{name} svg").rect
        assert box["width"] > 300
        assert box["height"] > 100
    assert {table.get_attribute("id") for table in page.find_elements(By.CSS_SELECTOR, "div.table")} == {
        *("matrix-table", "claims-table", "stopped-table", "sweeps-table")
    }
    assert page.get_log("browser") == []
    assert page.find_elements(By.CSS_SELECTOR, "img") == []
    assert HOSTILE in page.find_element(By.ID, "matrix-table").text


def test_claims_are_sorted_by_their_difference(page: webdriver.Chrome) -> None:
    heads = page.find_elements(By.CSS_SELECTOR, "#claims-table thead th")
    number = [head.text.rstrip(" ▲▼") for head in heads].index("vs vanilla")
    heads[number].find_element(By.TAG_NAME, "button").click()
    rows = page.find_elements(By.CSS_SELECTOR, "#claims-table tbody")[0].find_elements(By.CSS_SELECTOR, "tr:not(.group)")
    cells = [float(row.find_elements(By.CSS_SELECTOR, "th,td")[number].text.replace("−", "-")) for row in rows]
    assert cells == sorted(cells, reverse=True)
    assert len(cells) > 1


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 380)])
def test_axe_finds_nothing_and_a_phone_does_not_scroll_sideways(page: webdriver.Chrome, scheme: str, width: int) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.execute_script(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    page.execute_script("document.querySelectorAll('details').forEach(of => (of.open = true))")
    run = "const done = arguments[0]; axe.run().then(found => done(found.violations), e => done([String(e)]))"
    found: list[Any] = page.execute_async_script(run)
    assert [(of["id"], of["nodes"][0]["html"][:200]) for of in found] == []
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
