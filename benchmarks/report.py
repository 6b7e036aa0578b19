"""What a report of thousands of trials costs: its size, the time to build it, the time to open it in Chromium.

Usage: python benchmarks/report.py [--trials 5000] [--keep FILE]

README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from blurb_tune.core.trial import Configuration, Measurement, Outcome, Strategy
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import figures
from blurb_tune.report.page import page_of
from blurb_tune.report.sections import report_of

SEEDS, EPOCHS = 10, 20


def events(trials: int) -> Iterator[ev.Event]:
    """A sweep of that many trials, ten seeds of each configuration, twenty evaluations of each trial."""
    rng = random.Random(trials)
    strategies = [Strategy(f, d, r) for f in range(13) for d in (1.0, 0.95, 0.9, 0.8) for r in range(5) if f + r <= 12]
    configurations = trials // SEEDS
    now = 1_700_000_000.0
    yield ev.SweepStarted(
        time=now, sweep_id="large", name="large", spec_digest="0", task="biosses", metric="pearson", models={"minilm": 12},
        objective="mean_minus_std", score="final", seeds=list(range(SEEDS)), configurations=configurations, trivial_score=0.0,
        slots=16, versions={"torch": "2.13.0"}, trivial_loss=1.5,
    )  # fmt: skip
    for index in range(configurations):
        strategy = strategies[index * 7 % len(strategies)] if index % 20 else Strategy()
        values = Configuration(
            "minilm",
            strategy.freeze_depth,
            strategy.decay_rate,
            strategy.reinit_count,
            10 ** rng.uniform(-5, -4),
            epochs=EPOCHS,
        ).values()
        name = f"c{index:03d}"
        now += 0.1
        yield ev.ConfigurationSuggested(time=now, configuration=name, parameters=values, values=values)
        level, noise = rng.uniform(0.3, 0.8), rng.uniform(0.01, 0.1)
        for seed in range(SEEDS):
            trial, end = f"{name}-s{seed}", rng.gauss(level, noise)
            outcome = rng.choices((Outcome.COMPLETED, Outcome.COLLAPSED, Outcome.PRUNED_UNSTABLE), (20, 2, 1))[0]
            yield ev.TrialStarted(time=now, trial=trial, configuration=name, seed=seed, attempt=1)
            for epoch in range(1, EPOCHS + 1 if outcome is not Outcome.PRUNED_UNSTABLE else EPOCHS // 2):
                score = end * (1 - 0.7**epoch) if outcome is Outcome.COMPLETED else rng.uniform(-0.1, 0.0)
                loss = 1.5 * 0.85**epoch if outcome is Outcome.COMPLETED else 1.5
                measured = Measurement(4 * epoch, float(epoch), score, loss, loss, 1.0, 0.5, 1e-5, 2.0 * epoch, 0.5 * epoch)
                yield ev.Measured(time=now + 2.5 * epoch, trial=trial, measurement=measured)
            if outcome is Outcome.PRUNED_UNSTABLE:
                why = {"rule": "trivial_level", "reason": "train loss at the trivial level for 4 evaluations"}
                yield ev.PruneDecided(time=now + 26, trial=trial, step=40, outcome=outcome, **why)
            yield ev.TrialEnded(time=now + 60, trial=trial, attempt=1, outcome=outcome, worker=f"node{seed % 4}:{1000 + seed}")
        now += 40.0
        yield ev.ConfigurationEnded(time=now, configuration=name, state="COMPLETE", value=level, failed_share=0.0)
    yield ev.SweepEnded(time=now + 60, status="finished", wall_seconds=now + 60 - 1_700_000_000.0)


def open_in_chromium(file: Path) -> tuple[float, float]:
    """Seconds until the page is loaded, and until a click on a column has sorted the table."""
    from selenium.webdriver.common.by import By

    from tests.browser import chromium

    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as driver:
        driver.get("about:blank")
        started = time.perf_counter()
        driver.get(file.as_uri())
        loaded = time.perf_counter() - started
        button = driver.find_element(By.CSS_SELECTOR, "#strategies-table thead th:nth-child(5) button")
        started = time.perf_counter()
        driver.execute_script("arguments[0].click(); document.body.getBoundingClientRect()", button)
        return loaded, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--keep", type=Path, help="where the page is left")
    arguments = parser.parse_args()
    record = SweepRecord.of(events(arguments.trials))
    drawn = sum(len(figure.svg) for figure in figures(record))
    started = time.perf_counter()
    report = report_of(record)
    composed = time.perf_counter() - started
    page = page_of(report, record)
    built = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        file = arguments.keep or Path(folder) / "report.html"
        file.write_text(page, encoding="utf-8")
        loaded, sorted_ = open_in_chromium(file)
    print(f"{len(record.trials):,} trials of {len(record.configurations):,} configurations, {EPOCHS} evaluations each")
    print(f"size {len(page.encode()) / 1e6:.2f} MB, of which figures {drawn / 1e6:.2f} MB")
    print(f"built in {built:.1f} s, {composed:.1f} s of them for numbers and figures")
    print(f"opened in {loaded:.2f} s; sorted in {sorted_:.2f} s")


if __name__ == "__main__":
    main()
