"""What runs in a process of its own, so that memory and CPU are a driver's alone: ours, and Ray Tune's."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

RESULTS, SLOTS, SEEDS = 5, 2, 5
PACE = 5
WORKERS, RATE, SECONDS = 256, 10, 20
EXPERIMENT = "load"
Row = dict[str, Any]


def our_spec(name: str, trials: int, uri: str, seeds: int = SEEDS) -> Any:
    from blurb_tune.spec.schema import SweepSpec

    space = {
        "freeze_depth": {"low": 0, "high": 6}, "reinit_count": {"low": 0, "high": 6}, "decay_rate": {"low": 0.7, "high": 1.0},
        "learning_rate": {"low": 1e-6, "high": 1e-4, "log": True}, "epochs": RESULTS,
    }  # fmt: skip
    data = {"name": name, "task": "demo", "model": "tiny", "seeds": seeds, "space": space}
    search = {"sampler": "random", "configurations": trials // seeds}
    tracking = {"uri": uri, "experiment": EXPERIMENT}
    return SweepSpec.model_validate(data | {"search": search, "tracking": tracking, "pruning": {"race": {"alpha": 1e-6}}})


def report_of(trial: Any, k: int, last: int) -> Any:
    from blurb_tune.core.seeds import derive_share
    from blurb_tune.core.trial import Measurement, Outcome, TrialReport

    score = derive_share(trial.seed, trial.configuration_id) * k / last
    extra = {"spearman": score, "mse": 1 - score}
    measurement = Measurement(4 * k, float(k), score, 1.0, 2.0 / k, 1.0, 0.5, 1e-5, float(k), 0.1, 16, extra)
    return TrialReport(measurement, Outcome.COMPLETED if k == last else None, worker="node:1")


@contextlib.contextmanager
def our_driver(spec: Any, slots: int) -> Iterator[Any]:
    """A sweep with everything attached that `run` attaches; yields it, and in the end delivers and writes all."""
    from rich.console import Console

    from blurb_tune.cli.plain_lines import PlainLines
    from blurb_tune.cli.sweep_files import Tables, write_everything
    from blurb_tune.cli.tracking import Tracking
    from blurb_tune.core.paths import SweepPaths
    from blurb_tune.log import events as ev
    from blurb_tune.log.event_log import EventLog, read_events
    from blurb_tune.log.record import SweepRecord
    from blurb_tune.sweep.facts import SweepFacts
    from blurb_tune.sweep.sweep import Sweep

    facts = SweepFacts(blocks={"tiny": 12}, train_examples=(64,), trivial_loss=2.0, trivial_score=0.0)
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        paths = SweepPaths(Path(folder))
        tables, tracking = Tables(paths), Tracking(paths, spec)
        with EventLog(paths.events, paths.lock) as log, PlainLines(Console(file=nowhere, force_terminal=False)) as lines:
            for listener in (tables.on_event, lines.on_event, tracking.on_event):
                log.observe(listener)
            log.append(
                ev.SweepStarted(
                    sweep_id=f"{spec.name}-{os.getpid()}", name=spec.name, spec_digest="d", task="demo", metric="pearson",
                    models={"tiny": 12}, objective=spec.objective, score=spec.score, seeds=spec.seeds,
                    configurations=spec.search.configurations, trivial_score=0.0, slots=slots, versions={}, owner="load",
                )
            )  # fmt: skip
            started = time.monotonic()
            sweep = Sweep(spec, facts, log, [event for event, _ in read_events(paths.events)])
            yield sweep
            sweep.close(interrupted=not sweep.is_finished, started=started)
        record = SweepRecord.read(paths.events)
        print(f"kept {sum(len(trial.measurements) for trial in record.trials.values())}", file=sys.stderr)
        write_everything(record, paths)
        delivery = tracking.finish()
        print(f"undelivered {delivery.undelivered} {delivery.error} {delivery.warnings}", file=sys.stderr)


def ours(trials: int, url: str, seconds: float = 0.0) -> Row:
    """Trials on Ray through the driver's own code, in which a training step does nothing but sleep for so many seconds."""
    from ray import tune

    from blurb_tune.execution import driver
    from blurb_tune.execution.cluster import ray_cluster
    from blurb_tune.execution.messages import REPORT, TRIAL

    class Trivial(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: Row, environment: object = None) -> None:
            self.reset_config(config)

        def reset_config(self, new_config: Row) -> bool:
            self._trial, self._k = new_config[TRIAL], 0
            return True

        def step(self) -> Row:
            self._k += 1
            time.sleep(seconds)
            return {REPORT: report_of(self._trial, self._k, RESULTS), "done": self._k == RESULTS}

    driver.TrialActor = Trivial
    spec = our_spec("load", trials, url)
    with ray_cluster(spec):
        meter = Meter()
        with our_driver(spec, SLOTS) as sweep:
            meter.start()
            driver._run_trials(spec, sweep, None, SLOTS, threading.Event())
            found = meter.stop(trials)
    return found


def paced(trials: int, url: str) -> Row:
    """Five trials a second, which the server has time for."""
    return ours(trials, url, SLOTS / RESULTS / PACE)


def theirs(trials: int, url: str) -> Row:
    import optuna
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.search.optuna import OptunaSearch

    class Trivial(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: Row) -> None:
            self.reset_config(config)

        def reset_config(self, new_config: Row) -> bool:
            self._k = 0
            return True

        def step(self) -> Row:
            self._k += 1
            score = self._k / RESULTS
            names = ("loss", "spearman", "mse", "spread", "train_loss", "norm", "rate", "micro", "epoch")
            return {"score": score, "done": self._k == RESULTS} | dict.fromkeys(names, score)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}
    ray.init(address="local", include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    space = {
        "freeze_depth": tune.randint(0, 7), "reinit_count": tune.randint(0, 7), "decay_rate": tune.uniform(0.7, 1.0),
        "learning_rate": tune.loguniform(1e-6, 1e-4), "batch_size": 16, "weight_decay": 0.01, "seed": tune.randint(0, 5),
    }  # fmt: skip
    search = OptunaSearch(metric="score", mode="max", sampler=optuna.samplers.RandomSampler(seed=0))
    settings = tune.TuneConfig(search_alg=search, num_samples=trials, max_concurrent_trials=SLOTS, reuse_actors=True)
    callback = MLflowLoggerCallback(tracking_uri=url, experiment_name=EXPERIMENT)
    with tempfile.TemporaryDirectory() as scratch:
        run = tune.RunConfig(
            name="load", storage_path=scratch, verbose=0, callbacks=[callback],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        )  # fmt: skip
        trainable = tune.with_resources(Trivial, {"CPU": 1})
        meter = Meter()
        meter.start()
        tune.Tuner(trainable, param_space=space, tune_config=settings, run_config=run).fit()
        found = meter.stop(trials)
    ray.shutdown()
    return found


class Meter:
    """Wall time, CPU and memory of this process between start and stop; stop is called when the last trial has ended."""

    def start(self) -> None:
        self._process = psutil.Process()
        self._memory, self._cpu, self._wall = self._process.memory_info().rss, time.process_time(), time.time()

    def stop(self, trials: int) -> Row:
        wall, cpu = time.time() - self._wall, time.process_time() - self._cpu
        memory = self._process.memory_info().rss - self._memory
        return {"trials": trials, "wall": wall, "cpu": cpu, "memory": memory, "ended": time.time()}


def workers(_: int, url: str) -> Row:
    """WORKERS trials at a time, each with RATE results a second, in real time; the driver is asked no faster than that."""
    per_trial = RATE * SECONDS // 2
    spec = our_spec("workers", 2 * WORKERS, url, seeds=4)
    late: list[float] = []
    sent = 0
    meter = Meter()
    with our_driver(spec, WORKERS) as sweep:
        running: list[list[Any]] = []
        meter.start()
        begin = time.monotonic()
        for tick in range(SECONDS * RATE * 4):
            while len(running) < WORKERS and (work := sweep.next_work()):
                running.append([work.trials[0], 0])
            if not running:
                break
            due = begin + tick / RATE
            for number, entry in enumerate(running):
                moment = due + number / WORKERS / RATE
                if (left := moment - time.monotonic()) > 0.002:
                    time.sleep(left)
                entry[1] += 1
                sweep.report(entry[0].trial_id, report_of(entry[0], entry[1], per_trial))
                late.append(max(0.0, time.monotonic() - moment))
                sent += 1
            running = [entry for entry in running if entry[1] < per_trial]
        found = meter.stop(len(sweep.record.trials))
    return found | {"sent": sent, "late": quantile(late, 0.95), "latest": max(late)}


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
