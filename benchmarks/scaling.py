"""What a sweep costs its driver besides training: CPU time and memory by the number of trials, and a resume.

Usage: python benchmarks/scaling.py [--trials N...] [--pruner KIND] [--without-mlflow] [--profile]

README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import math
import os
import pstats
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import optuna
import psutil
from rich.console import Console

from blurb_tune.cli.live import LiveView
from blurb_tune.cli.plain_lines import PlainLines
from blurb_tune.cli.sweep_files import Tables
from blurb_tune.cli.tracking import Tracking
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.seeds import derive_share
from blurb_tune.core.trial import Measurement, Outcome, TrialConfig, TrialReport
from blurb_tune.execution.cleanup import WeightsCleanup
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog, read_events
from blurb_tune.replay.simulator import simulate
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.sweep import Sweep

SEEDS, EVALUATIONS, SLOTS = 5, 8, 16
SIZES = (500, 2_000, 8_000)
FACTS = SweepFacts(blocks={"tiny": 12}, train_examples=(64,), trivial_loss=2.0, trivial_score=0.0)


def spec_of(trials: int, pruner: str) -> SweepSpec:
    space = {
        "freeze_depth": {"low": 0, "high": 6}, "reinit_count": {"low": 0, "high": 6}, "decay_rate": {"low": 0.7, "high": 1.0},
        "learning_rate": {"low": 1e-6, "high": 1e-4, "log": True}, "epochs": EVALUATIONS,
    }  # fmt: skip
    search = {"sampler": "random", "configurations": trials // SEEDS}
    # Without races every trial is run, so that sizes can be compared.
    data = {"name": "scaling", "task": "demo", "model": "tiny", "seeds": SEEDS, "space": space, "search": search}
    return SweepSpec.model_validate(data | {"pruning": {"race": {"alpha": 1e-6}, "pruner": pruner}})


def behave(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
    end = derive_share(trial.seed, trial.configuration_id)
    for k in range(1, EVALUATIONS + 1):
        score = end * k / EVALUATIONS
        extra = {"spearman": score, "mse": 1 - score}
        measurement = Measurement(4 * k, float(k), score, 1.0, 2.0 / k, 1.0, 0.5, 1e-5, float(k), 0.1, 16, extra)
        yield 1.0, TrialReport(measurement, Outcome.COMPLETED if k == EVALUATIONS else None, worker="node:1")


def open_sweep(log: EventLog, paths: SweepPaths, spec: SweepSpec) -> Sweep:
    if not paths.events.stat().st_size:
        log.append(
            ev.SweepStarted(
                sweep_id="scaling-1", name="scaling", spec_digest="d", task="demo", metric="pearson", models={"tiny": 12},
                objective=spec.objective, score=spec.score, seeds=spec.seeds, configurations=spec.search.configurations,
                trivial_score=0.0, slots=SLOTS, versions={},
            )
        )  # fmt: skip
    return Sweep(spec, FACTS, log, [event for event, _ in read_events(paths.events)])


def measure(trials: int, *, pruner: str, mlflow: bool, profile: bool) -> dict[str, float]:
    """Run a sweep of so many trials on simulated time, with everything attached that `run` attaches; then take it up again."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spec = spec_of(trials, pruner)
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        paths = SweepPaths(Path(folder))
        screen = Console(file=nowhere, force_terminal=True, width=120, height=40)
        lines = Console(file=nowhere, force_terminal=False, width=120)
        tables, tracking = Tables(paths), Tracking(paths, spec)
        profiler = cProfile.Profile()
        gc.collect()
        before = psutil.Process().memory_info().rss
        started, thread_started = time.process_time(), time.thread_time()
        if profile:
            profiler.enable()
        with EventLog(paths.events, paths.lock) as log, LiveView(screen, "scaling") as live, PlainLines(lines) as plain:
            for listener in (tables.on_event, live.on_event, plain.on_event, *([tracking.on_event] if mlflow else [])):
                log.observe(listener)
            sweep = open_sweep(log, paths, spec)
            log.observe(WeightsCleanup(paths.weights, sweep.record).on_event)
            simulate(sweep, behave, slots=SLOTS)
            sweep.close(interrupted=False, started=time.monotonic())
        driver = time.thread_time() - thread_started
        if profile:
            profiler.disable()
            pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)
        if mlflow:
            tracking.finish()
        total = time.process_time() - started
        gc.collect()
        memory = psutil.Process().memory_info().rss - before
        del sweep, log
        gc.collect()
        resumed = time.process_time()
        with EventLog(paths.events, paths.lock) as log:
            again = open_sweep(log, paths, spec)
            assert again.is_finished or again.next_work() is None
        resume = time.process_time() - resumed
        return {
            "trials": trials,
            "driver_cpu": driver,
            "all_cpu": total,
            "kb_per_trial": memory / trials / 1024,
            "resume_cpu": resume,
            "log_mb": paths.events.stat().st_size / 2**20,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--pruner", default="none", help="a stock pruner over configurations, such as median")
    parser.add_argument("--without-mlflow", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        row = measure(arguments.one, pruner=arguments.pruner, mlflow=not arguments.without_mlflow, profile=arguments.profile)
        print(json.dumps(row))
        return
    print(f"{datetime.now(UTC):%Y-%m-%d}, {SEEDS} seeds, {EVALUATIONS} evaluations a trial, {SLOTS} slots")
    found = []
    for trials in arguments.trials:
        command = [sys.executable, __file__, "--one", str(trials), "--pruner", arguments.pruner]
        command += ["--without-mlflow"] * arguments.without_mlflow + ["--profile"] * arguments.profile
        *lines, last = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        print("\n".join(lines), end="\n" if lines else "")
        found.append(json.loads(last))
        row = found[-1]
        print(
            f"{trials:6} trials: driver {row['driver_cpu']:.1f} s of CPU, {1000 * row['driver_cpu'] / trials:.2f} ms a trial; "
            f"with MLflow and drawing {row['all_cpu']:.1f} s; {row['kb_per_trial']:.1f} KB a trial; "
            f"resume {row['resume_cpu']:.1f} s; log {row['log_mb']:.1f} MB",
            flush=True,
        )
    for name, what in (("driver_cpu", "driver"), ("all_cpu", "with MLflow and drawing")):
        if len(found) > 1:
            print(f"growth exponent, {what}: {_exponent([(row['trials'], row[name]) for row in found]):.2f}")


def _exponent(points: list[tuple[float, float]]) -> float:
    """Least squares of log time over log trials."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


if __name__ == "__main__":
    assert threading.current_thread() is threading.main_thread()
    main()
