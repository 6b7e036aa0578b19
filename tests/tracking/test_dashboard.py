"""What a person sees in MLflow's own dashboard, opened by the command that `blurb-tune ui` runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import element_to_be_clickable
from selenium.webdriver.support.wait import WebDriverWait

from blurb_tune.core.trial import Outcome
from blurb_tune.tracking.delivery import deliver
from blurb_tune.tracking.server import dashboard_command, dashboard_url
from tests.browser import chromium
from tests.tracking.conftest import EXPERIMENT, ServerProcess, Sweep, free_port

pytestmark = [pytest.mark.service, pytest.mark.slow]

T = TypeVar("T")


class Browser:
    """Waits for what it is told to look for, and keeps screenshots."""

    def __init__(self, driver: webdriver.Chrome, pictures: Path):
        self.driver, self.pictures = driver, pictures

    def find(self, xpath: str) -> WebElement:
        """The element, once it can be seen and clicked."""
        return self.wait(element_to_be_clickable((By.XPATH, xpath)), f"there is {xpath}")

    def wait(self, condition: Callable[[webdriver.Chrome], T], what: str) -> T:
        try:
            return WebDriverWait(self.driver, 30, ignored_exceptions=[StaleElementReferenceException]).until(condition)
        except TimeoutException:
            self.picture("in-vain")
            pytest.fail(f"waited in vain until {what}; the page at {self.driver.current_url} says:\n{self.text()}")

    def shown(self, xpath: str) -> list[str]:
        return [element.text for element in self.driver.find_elements(By.XPATH, xpath) if element.is_displayed()]

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def picture(self, name: str) -> None:
        self.driver.save_screenshot(str(self.pictures / f"{name}.png"))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with chromium(tmp_path / "profile", width=1600) as driver:
        yield Browser(driver, pictures)


@pytest.fixture
def dashboard(sweep: Sweep, uri: str, tmp_path: Path) -> Iterator[str]:
    """The address of the sweep's runs, two of them stopped by pruners."""
    sweep.start(owner="alice", host="login1")
    sweep.suggest("c000")
    sweep.suggest("c001", freeze_depth=2)
    sweep.trial("c000", 0, Outcome.COMPLETED, [0.1, 0.3, 0.5, 0.6])
    sweep.trial("c000", 1, Outcome.COMPLETED, [0.2, 0.4, 0.5, 0.7])
    sweep.end_configuration("c000")
    sweep.trial("c001", 0, Outcome.PRUNED_UNSTABLE, [0.1, 0.05, 0.02], reason="train loss stuck at the trivial level")
    sweep.trial("c001", 1, Outcome.PRUNED_UNDERPERFORMING, [0.1, 0.2], reason="below the median at step 20")
    sweep.end_configuration("c001")
    sweep.finish()
    assert deliver(sweep.paths, uri, EXPERIMENT).undelivered == 0
    port = free_port()
    command = dashboard_command(sweep.paths, uri, "127.0.0.1", port)
    server = ServerProcess(command, f"http://127.0.0.1:{port}", tmp_path / "dashboard.log")
    server.start()
    yield dashboard_url(sweep.paths, server.url)
    server.stop()


def run_link(name: str) -> str:
    return f"//*[@role='gridcell']//a[normalize-space()='{name}']"


RUN_LINKS = "//*[@role='gridcell']//a[contains(@href, '/runs/')]"
PARENT = "quick-abcd"
CHILDREN = {"vanilla, seed 0", "vanilla, seed 1", "freeze 2, seed 0", "freeze 2, seed 1"}
KILLED = {"freeze 2, seed 0", "freeze 2, seed 1"}


def test_a_person_finds_the_sweep_its_trials_the_killed_ones_and_a_chart(dashboard: str, browser: Browser) -> None:
    browser.driver.get(dashboard)
    browser.find(run_link(PARENT))
    assert set(browser.shown(RUN_LINKS)) == {PARENT}
    assert "alice@login1" in browser.text()
    heads = set(browser.shown("//*[@role='columnheader']"))
    assert any("dev/score" in head for head in heads), "the address says which columns there are"
    browser.find(f"//*[@role='gridcell'][.//a[normalize-space()='{PARENT}']]//button").click()
    browser.wait(lambda _: set(browser.shown(RUN_LINKS)) == {PARENT} | CHILDREN, "the sweep's trials are unfolded")
    browser.picture("runs")

    search = browser.find("//input[contains(@placeholder, 'metrics.')]")
    search.send_keys("attributes.status = 'KILLED'", Keys.ENTER)
    browser.wait(lambda _: set(browser.shown(RUN_LINKS)) == {PARENT} | KILLED, "of its trials only the killed are left")
    browser.picture("killed")

    browser.find(run_link("freeze 2, seed 0")).click()
    browser.find("//h1[contains(., 'freeze 2, seed 0')] | //h2[contains(., 'freeze 2, seed 0')]")
    browser.wait(lambda _: "Killed" in browser.text(), "the run's page says that it was killed")
    assert "train loss stuck at the trivial level" in browser.text()
    assert "prune_reason" in browser.text()
    browser.picture("run")

    browser.find("//a[normalize-space()='alice']")
    browser.find("//*[@role='tab'][normalize-space()='Model metrics'] | //a[normalize-space()='Model metrics']").click()
    browser.find("//*[contains(text(), '(dev/score)')]")
    line = "//*[contains(@class, 'js-plotly-plot')]//*[name()='path' and contains(@class, 'js-line')]"
    browser.wait(lambda driver: any(_has_points(path, 3) for path in driver.find_elements(By.XPATH, line)), "lines are drawn")
    browser.picture("chart")


def _has_points(path: WebElement, count: int) -> bool:
    """Whether an SVG path runs through that many points."""
    return len(re.findall("[MLC]", path.get_attribute("d") or "")) == count
