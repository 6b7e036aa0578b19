"""What a trial costs beyond its training: warm slots of blurb-tune beside Ray Tune's plain way, a fresh actor per trial.

Both run the same trials (tiny model, demo task) on the same number of slots, one after the other, in this process.
Usage: python benchmarks/bench_slots.py [TRIALS]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import ray
import yaml
from ray import tune

from blurb_tune.execution.actor import TRIAL, TrialActor
from blurb_tune.execution.cluster import ray_cluster
from blurb_tune.execution.driver import run_sweep
from blurb_tune.execution.prepare import prepare_environment
from blurb_tune.paths import SweepPaths
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.record import SweepRecord
from blurb_tune.report.summary import summarise
from blurb_tune.spec import load_spec
from blurb_tune.trial import Configuration, TrialConfig


def make_spec(folder: Path, trials: int) -> Plan:
    spec = {
        "task": "demo",
        "model": "tiny",
        "seeds": trials,
        "space": {"epochs": 2, "learning_rate": 0.001},
        "search": {"sampler": "grid"},
        "pruning": {"pruner": "none", "instability": False},
    }
    file = folder / "bench.yaml"
    file.write_text(yaml.safe_dump(spec))
    return make_plan(load_spec(file))


def ours(plan: Plan, folder: Path) -> tuple[float, SweepRecord]:
    """Wall seconds of the sweep, from its log: without connecting to Ray or loading the model."""
    record = run_sweep(plan, SweepPaths(folder / "ours"))
    trials = list(record.trials.values())
    return max(t.ended or 0.0 for t in trials) - min(t.started for t in trials), record


def plain(plan: Plan, trials: int) -> float:
    """The same trainable under Ray Tune with its defaults, which end an actor with its trial."""
    environment = prepare_environment(plan)
    configurations = [
        TrialConfig(f"t{seed}", "c000", Configuration(epochs=2, learning_rate=1e-3), seed) for seed in range(trials)
    ]
    trainable = tune.with_resources(tune.with_parameters(TrialActor, environment=environment), {"CPU": 1})
    with ray_cluster(plan.spec), tempfile.TemporaryDirectory() as scratch:
        tuner = tune.Tuner(
            trainable,
            param_space={TRIAL: tune.grid_search(configurations)},
            run_config=tune.RunConfig(
                storage_path=scratch, verbose=0, checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False)
            ),
        )
        started = time.perf_counter()
        results = tuner.fit()
        assert not results.errors
        return time.perf_counter() - started


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    with tempfile.TemporaryDirectory() as name:
        plan = make_spec(Path(name), trials)
        warm, record = ours(plan, Path(name))
        fresh = plain(plan, trials)
    start = summarise(record)["warm_start"]
    train = median(trial.train_seconds for trial in record.trials.values())
    usual, most = start["setup_seconds_median"], start["setup_seconds_max"]
    print(f"{trials} trials of {train:.2f} s training on {os.cpu_count()} CPUs, ray {ray.__version__}")
    print(f"next trial on a warm slot: {usual:8.3f} s from its start to its first step (median; most {most:.3f} s)")
    print(f"blurb-tune, warm slots:    {warm:6.1f} s")
    print(f"Ray Tune, an actor each:   {fresh:6.1f} s")
    print(f"ratio:                     {fresh / warm:6.1f}")


if __name__ == "__main__":
    main()
