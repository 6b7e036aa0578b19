"""The page in a real Chromium: nothing is loaded or complained of, and everything works by mouse, by keyboard and on paper."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import figures
from blurb_tune.report.page import page_of
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.sections import report_of
from tests.browser import chromium
from tests.report.sweeps import large_sweep

pytestmark = [pytest.mark.service, pytest.mark.slow]

RUNS = "https://mlflow.example/#/experiments/7/runs?workflowType=machine_learning"
HOSTILE = "<img src=https://evil.example/x onerror=alert(1)>"
PHONE = {"width": 380, "height": 800, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def record() -> SweepRecord:
    """Twelve configurations, every outcome, one stopped before its last seed, and a note that means no good."""
    sweep = large_sweep(11, 5)
    sweep.events[0] = type(sweep.events[0])(**(vars(sweep.events[0]) | {"notes": [HOSTILE], "configurations": 12}))
    name = sweep.configuration("c0011", reinit_count=2, learning_rate=5e-5)
    for seed in (0, 1):
        sweep.trial(name, seed, [0.1, 0.2])
    sweep.stop_configuration(name, replicates=2)
    return sweep.finish()


@pytest.fixture(scope="module")
def file(record: SweepRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    known = Provenance(spec=f"name: x # {HOSTILE}\n", runs_address=RUNS)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_of(report_of(record, known), record, runs_address=RUNS), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: webdriver.Chrome, file: Path) -> webdriver.Chrome:
    """The page, fresh; whatever the console said before is forgotten."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(file.as_uri())
    return browser


def find(page: webdriver.Chrome, css: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, css)


def column(page: webdriver.Chrome, table: str, number: int) -> list[str]:
    """The texts of a column, as rows are in view."""
    script = (
        "return [...document.querySelectorAll(`#${arguments[0]}-table tbody tr`)].filter(r => !r.hidden)"
        ".map(r => r.cells[arguments[1]].textContent)"
    )
    found: list[str] = page.execute_script(script, table, number)
    return found


def head(page: webdriver.Chrome, table: str, title: str) -> tuple[WebElement, int]:
    heads = page.find_elements(By.CSS_SELECTOR, f"#{table}-table thead th")
    number = [th.text.rstrip(" ▲▼") for th in heads].index(title)
    return heads[number].find_element(By.TAG_NAME, "button"), number


def detail(page: webdriver.Chrome) -> str:
    dialog = find(page, "#detail")
    assert dialog.get_attribute("open") is not None
    return dialog.text


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.1)


def test_every_figure_is_there_and_nothing_is_loaded_or_complained_of(page: webdriver.Chrome, record: SweepRecord) -> None:
    drawn = figures(record)
    assert drawn
    for figure in drawn:
        box = find(page, f"#figure-{figure.name} svg").rect
        assert box["width"] > 300
        assert box["height"] > 100
    asked = [
        json.loads(entry["message"])["message"]["params"]["request"]["url"]
        for entry in page.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.get_log("browser") == []
    assert HOSTILE in find(page, "#notes").text


def test_the_policy_lets_nothing_foreign_in(page: webdriver.Chrome) -> None:
    page.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.foreign = 1'; document.body.append(s);"
        "const i = document.createElement('img'); i.src = 'https://evil.example/x.png'; document.body.append(i);"
        'const p = \'<p id=styled style="color:red" onclick="window.foreign = 2">x</p>\';'
        "document.body.insertAdjacentHTML('beforeend', p);"
        "document.getElementById('styled').click();"
    )
    assert page.execute_script("return window.foreign") is None
    assert page.execute_script("return getComputedStyle(document.getElementById('styled')).color") != "rgb(255, 0, 0)"
    wait_for(lambda: _blocked(page) >= 3, "the policy has spoken")


def _blocked(page: webdriver.Chrome, seen: list[str] = []) -> int:  # noqa: B006
    seen += [entry["message"] for entry in page.get_log("browser") if "Content Security Policy" in entry["message"]]
    return len(seen)


def test_tables_are_sorted_and_filtered(page: webdriver.Chrome) -> None:
    button, number = head(page, "strategies", "mean")
    button.click()
    means = [float(text.replace("−", "-")) for text in column(page, "strategies", number)]
    assert means == sorted(means, reverse=True)
    button.send_keys(Keys.ENTER)
    means = [float(text.replace("−", "-")) for text in column(page, "strategies", number)]
    assert means == sorted(means)
    assert find(page, "#strategies-table th[aria-sort]").get_attribute("aria-sort") == "ascending"
    button, number = head(page, "strategies", "vs vanilla")
    button.click()
    assert column(page, "strategies", number)[-1] == "–"
    box = find(page, "#strategies-filter")
    box.send_keys("reinit")
    names = column(page, "strategies", 1)
    assert names
    assert all("reinit" in name for name in names)
    assert f"{len(names)} of 11 rows" in find(page, "#strategies-table .count").text


def test_a_row_opens_its_configuration_and_a_run_of_it(page: webdriver.Chrome) -> None:
    find(page, "#strategies-table button[data-configuration=c0001]").click()
    assert "c0001: reinit 5" in detail(page)
    assert "learning rate" in detail(page)
    find(page, "#detail button[data-trial='c0001-s2']").click()
    assert "seed 2" in detail(page)
    assert find(page, "#detail svg polyline.score").get_attribute("points")
    link = find(page, "#detail a").get_attribute("href")
    assert link is not None
    assert link.startswith(RUNS + "&searchFilter=")
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert find(page, "#detail").get_attribute("open") is None


def test_a_stopped_configuration_says_by_what(page: webdriver.Chrome) -> None:
    assert "race says so" in find(page, "#stopped-table").text
    find(page, "#stopped-table button[data-configuration=c0011]").click()
    assert "race: race says so" in detail(page)


# The middle of a mark, of a line a point of it, where a pointer can be put; in the window's coordinates.
MIDDLE = """
const shape = arguments[0].getTotalLength ? arguments[0] : arguments[0].querySelector("path,polyline,line,circle,rect");
shape.scrollIntoView({block: "center"});
const box = shape.getBBox();
const isLine = Math.max(box.width, box.height) > 24 && shape.tagName !== "rect";
const at = isLine ? shape.getPointAtLength(shape.getTotalLength() / 2) : {x: box.x + box.width / 2, y: box.y + box.height / 2};
const middle = () => new DOMPoint(at.x, at.y).matrixTransform(shape.getScreenCTM());
const done = arguments[1];  // once what was scrolled has come to rest
requestAnimationFrame(() => requestAnimationFrame(() => done([Math.round(middle().x), Math.round(middle().y)])));
"""


def point_at(page: webdriver.Chrome, x: int, y: int) -> ActionChains:
    chain = ActionChains(page, duration=20)
    chain.w3c_actions.pointer_action.move_to_location(x, y)
    return chain


def test_every_figure_shows_and_opens_what_is_pointed_at(page: webdriver.Chrome, record: SweepRecord) -> None:
    tried = set()
    for figure in figures(record):
        for kind in ("data-trial", "data-configuration"):
            marks = page.find_elements(By.CSS_SELECTOR, f"#figure-{figure.name} svg [{kind}]:not(text)")
            if not marks:
                continue
            x, y = page.execute_async_script(MIDDLE, marks[0])
            point_at(page, x, y).perform()
            wait_for(lambda: find(page, "#tip").is_displayed(), f"{figure.name} shows what is pointed at")
            said = find(page, "#tip").text
            point_at(page, x, y).click().perform()
            opened = json.loads(find(page, "#detail").get_attribute("data-open") or "")
            assert opened[0] == kind.removeprefix("data-")
            about = record.trials[opened[1]] if kind == "data-trial" else None
            assert (f"seed {about.seed}" if about else opened[1]) in said
            assert opened[1] in detail(page)
            tried.add((figure.name, kind))
            find(page, "#detail .close").click()
    assert {("seeds", "data-trial"), ("curves", "data-trial"), ("parallel", "data-configuration")} <= tried


def test_a_tap_beside_a_mark_means_the_nearest(page: webdriver.Chrome) -> None:
    mark = find(page, "#figure-seeds svg .trial[data-trial='c0001-s3']")
    x, y = page.execute_async_script(MIDDLE, mark)
    point_at(page, x, y + 7).click().perform()
    assert json.loads(find(page, "#detail").get_attribute("data-open") or "")[0] == "trial"


def test_a_figure_is_walked_through_by_keyboard(page: webdriver.Chrome) -> None:
    stops = page.find_elements(By.CSS_SELECTOR, "#figure-seeds [tabindex='0'][role=button]")
    assert len(stops) == 1
    page.execute_script("arguments[0].focus()", stops[0])
    first = page.switch_to.active_element.get_attribute("data-trial")
    ActionChains(page).send_keys(Keys.ARROW_RIGHT).perform()
    second = page.switch_to.active_element.get_attribute("data-trial")
    ActionChains(page).send_keys(Keys.ARROW_DOWN).perform()
    below = page.switch_to.active_element.get_attribute("data-trial")
    assert len({first, second, below}) == 3
    assert (below or "").split("-")[0] != (second or "").split("-")[0]
    ActionChains(page).send_keys(Keys.ENTER).perform()
    assert f"trial\n{below}" in detail(page)
    assert len(page.find_elements(By.CSS_SELECTOR, "#figure-seeds [tabindex='0'][role=button]")) == 1


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 380)])
def test_axe_finds_nothing(page: webdriver.Chrome, scheme: str, width: int) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE | {"width": width, "mobile": width < 500})
    page.execute_script(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    page.execute_script("document.querySelectorAll('details').forEach(of => (of.open = true))")
    assert violations(page) == []
    find(page, "#strategies-table button[data-configuration=c0001]").click()
    assert violations(page) == []
    find(page, "#detail button[data-trial='c0001-s2']").click()
    assert violations(page) == []


def violations(page: webdriver.Chrome) -> list[Any]:
    run = (
        "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations), e => done([String(e)]))"
    )
    found = page.execute_async_script(run)
    return [(of["id"], [node["html"][:200] for node in of["nodes"][:3]]) if isinstance(of, dict) else of for of in found]


def test_a_phone_does_not_scroll_sideways(page: webdriver.Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    page.execute_script("document.querySelectorAll('details').forEach(of => (of.open = true))")
    assert page.execute_script("return document.documentElement.scrollWidth") <= 380
    find(page, "#strategies-table button[data-configuration=c0001]").click()
    assert page.execute_script("return document.documentElement.scrollWidth") <= 380
    assert page.execute_script("const d = document.getElementById('detail'); return d.scrollWidth - d.clientWidth") <= 0


def test_paper_shows_all_and_cuts_nothing(page: webdriver.Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 703, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    )
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert not find(page, "nav").is_displayed()
    assert find(page, "#origin pre").is_displayed()
    assert page.execute_script("return document.documentElement.scrollWidth") <= 703
    printed = page.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")


def test_a_page_of_a_running_sweep_comes_again_as_it_was(page: webdriver.Chrome, record: SweepRecord, tmp_path: Path) -> None:
    file, report = tmp_path / "running.html", report_of(record)
    file.write_text(page_of(report, record, renewed_every=7), encoding="utf-8")
    waits = "window.setTimeout = (renew, delay) => Object.assign(window, {renew, delay})"  # so that the test says when
    script = page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": waits})
    page.get(file.as_uri())
    assert page.execute_script("return window.delay") == 7000
    button, number = head(page, "strategies", "mean")
    button.click()
    before = column(page, "strategies", number)
    find(page, "#strategies-table summary").click()
    find(page, "#strategies-filter").send_keys("reinit")
    page.execute_script("scrollTo(0, 300)")
    file.write_text(page_of(report, record), encoding="utf-8")
    page.execute_script("window.renew()")
    wait_for(lambda: page.execute_script("return document.readyState === 'complete' && !window.delay"), "it comes again")
    page.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    assert find(page, "#strategies-filter").get_attribute("value") == "reinit"
    means = column(page, "strategies", number)
    assert 0 < len(means) < len(before)
    assert [float(mean.replace("−", "-")) for mean in means] == sorted(
        (float(m.replace("−", "-")) for m in means), reverse=True
    )
    assert find(page, "#strategies-table details").get_attribute("open") is not None
    assert page.execute_script("return scrollY") == 300
