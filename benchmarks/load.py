"""A sweep under load, beside Ray Tune's own MLflowLoggerCallback and OptunaSearch; MLflow on PostgreSQL.

Usage: python benchmarks/load.py [--trials N...] [--rival N...] [--only SECTION...]

README.md beside this file says what is measured. PostgreSQL's programs are looked for in PATH and in Debian's place.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import os
import pwd
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg2

RESULTS, SLOTS, SEEDS = 5, 2, 5
PACE = 5
WORKERS, RATE, SECONDS = 256, 10, 20
READERS, RUNS = 50, 10_000
SECTIONS = ("trials", "paced", "workers", "readers")
EXPERIMENT = "load"
Row = dict[str, Any]


class Servers:
    """PostgreSQL and an MLflow server on it, in a new folder. The server's access log says what was asked of it."""

    def __init__(self, folder: Path):
        self._log = folder / "mlflow.log"
        self._as_postgres, self._bin = _postgres_user(folder), _postgres_programs()
        self._data = folder / "data"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._folder = folder

    def start(self) -> None:
        folder, port = self._folder, free_port()
        self.dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        subprocess.run(
            [*self._as_postgres, f"{self._bin}/initdb", "-U", "postgres", "-A", "trust", "-D", str(self._data)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        options = ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"]
        self._start([*self._as_postgres, f"{self._bin}/postgres", "-D", str(self._data), *options], folder / "postgres.log")
        wait_until(self._database_answers)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        store = self.dsn.replace("postgresql:", "postgresql+psycopg2:")  # SQLAlchemy 2.1 takes psycopg 3 otherwise
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)]
        os.environ |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        self._start([*command, "--artifacts-destination", str(folder / "files"), "--workers", "2"], self._log)
        wait_until(self._server_answers)
        self.query("ALTER TABLE metrics ADD COLUMN written double precision DEFAULT extract(epoch FROM clock_timestamp())")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(psycopg2.connect(self.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def requests(self) -> int:
        """Answered since the start, health checks left out."""
        return len(re.findall(r'"(?:GET|POST|PUT|PATCH|DELETE) /(?:ajax-)?api/', self._log.read_text()))

    def delays(self) -> list[float]:
        """Seconds from each measurement of a trial to the moment MLflow's database had it; in order."""
        sql = "SELECT written - timestamp / 1000.0 FROM metrics WHERE key LIKE 'dev%' OR key LIKE 'train%' ORDER BY 1"
        return [float(row[0]) for row in self.query(sql)]

    def stop(self) -> None:
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGINT if process is self._processes[0] else signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def _start(self, command: list[str], log: Path) -> None:
        with log.open("ab") as out:
            self._processes.append(subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True))

    def _database_answers(self) -> bool:
        with contextlib.suppress(psycopg2.OperationalError):
            self.query("SELECT 1")
            return True
        return False

    def _server_answers(self) -> bool:
        try:
            return ask(self.url, "GET", "/health") is not None
        except OSError:
            return False


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="blurb-tune-load-") as folder:
        running = Servers(Path(folder))
        try:
            running.start()
            yield running
        finally:
            running.stop()


def _postgres_programs() -> str:
    places = [Path(found).parent] if (found := shutil.which("initdb")) else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not places:
        sys.exit("PostgreSQL is missing (Debian: postgresql)")
    return str(places[-1])


def _postgres_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("a server does not start")
        time.sleep(0.1)


def ask(url: str, method: str, path: str, body: Row | None = None) -> bytes | None:
    """The answer to one request, None for one that is no success."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        return text if answer.status == 200 else None
    finally:
        connection.close()


# What runs in a process of its own, so that memory and CPU are a driver's alone.


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
    from blurb_tune.cli.tracking import Tracking
    from blurb_tune.cli.writing import Tables, write_everything
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


# The sections.


def child(what: str, trials: int, url: str) -> Row:
    """What a child process found, and when it had ended."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", what, str(trials), url]
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
        gone = time.time()
        errors.seek(0)
        said = errors.read()
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{said[-3000:]}")
    undelivered, kept = (re.findall(rf"^{word} (.*)$", said, re.M) for word in ("undelivered", "kept"))
    return json.loads(done.stdout.splitlines()[-1]) | {"gone": gone, "undelivered": undelivered, "kept": sum(map(int, kept))}


def trials_section(sizes: Sequence[int], rival: Sequence[int]) -> None:
    rows: dict[str, list[Row]] = {"blurb-tune": [], "Ray Tune": []}
    for name, what, counts in (("blurb-tune", "ours", sizes), ("Ray Tune", "theirs", rival)):
        rows[name] = [run_section(name, what, count) for count in counts]
    mine, other = rows["blurb-tune"], rows["Ray Tune"]
    for name, found in rows.items():
        if len(found) > 1:
            small, large = found[0], found[-1]
            ratio = math.log(large["trials"] / small["trials"])
            per_trial = (large["memory"] - small["memory"]) / (large["trials"] - small["trials"]) / 1024
            exponents = [math.log(large[key] / small[key]) / ratio for key in ("cpu", "wall")]
            print(
                f"{name}, {small['trials']} to {large['trials']} trials: growth exponent of CPU {exponents[0]:.2f}, of wall "
                f"time {exponents[1]:.2f}; {per_trial:.1f} KB for each further trial"
            )
    if mine and other:
        a, b = mine[-1], other[-1]
        rate, cpu = (a["trials"] / a["wall"]) / (b["trials"] / b["wall"]), (b["cpu"] / b["trials"]) / (a["cpu"] / a["trials"])
        print(f"ratios: {rate:.1f} times the trials per second, {cpu:.1f} times less CPU of the driver per trial, "
              f"{b['requests'] / a['requests']:.1f} times fewer requests")  # fmt: skip


def run_section(name: str, what: str, count: int) -> Row:
    with servers() as running:
        before = running.requests()
        row = child(what, count, running.url)
        row["requests"] = (running.requests() - before) / count
        row["runs"] = running.query("SELECT count(*) FROM runs")[0][0]
        row["after"] = row["gone"] - row["ended"]
        if what != "theirs":
            delays = running.delays()
            row |= {"delay": quantile(delays, 0.95), "longest": delays[-1], "values": len(delays)}
    print(f"{name}, {count} trials: {describe(row)}", flush=True)
    return row


def describe(row: Row) -> str:
    parts = [
        f"{row['trials'] / row['wall']:.1f} trials/s",
        f"driver {row['cpu'] / row['wall']:.0%} of a core, {1000 * row['cpu'] / row['trials']:.1f} ms a trial",
        f"memory +{row['memory'] / 2**20:.0f} MB",
        f"{row['requests']:.2f} requests a trial",
        f"{row['after']:.1f} s from the last trial to the end",
        f"{row['runs']} runs in MLflow",
    ]
    if "delay" in row:
        parts.append(f"delay p95 {row['delay']:.1f} s, longest {row['longest']:.1f} s ({row['values']} values)")
    return "; ".join([*parts, *(f"undelivered {said}" for said in row["undelivered"])])


def workers_section() -> None:
    with servers() as running:
        row = child("workers", 0, running.url)
        ((points,),) = running.query("SELECT count(*) FROM metrics WHERE key = 'dev/score'")
        delays = running.delays()
        parts = [
            f"{WORKERS} workers at {RATE} results/s: {row['sent']} results in {row['wall']:.1f} s",
            f"{row['sent'] / row['wall']:.0f}/s, {row['kept']} in the log",
            f"behind schedule p95 {1000 * row['late']:.0f} ms, at most {1000 * row['latest']:.0f} ms",
            f"all threads {row['cpu'] / row['wall']:.0%} of a core",
            f"MLflow had {points} of them {row['gone'] - row['ended']:.0f} s after the last",
            f"delay p95 {quantile(delays, 0.95):.1f} s",
            f"undelivered {row['undelivered'][0]}",
        ]
        print("; ".join(parts), flush=True)


def readers_section(trials: int) -> None:
    with servers() as running:
        child("ours", 100, running.url)
        multiply(running, RUNS)
        ((experiment,),) = running.query(f"SELECT experiment_id FROM experiments WHERE name = '{EXPERIMENT}'")
        body = {
            "experiment_ids": [str(experiment)], "max_results": 100, "order_by": ["attributes.start_time DESC"],
            "filter": "metrics.`dev/score` > 0.5",
        }  # fmt: skip
        alone = read(running.url, body, 1, seconds=5.0)
        stop = threading.Event()
        took: list[list[float]] = [[] for _ in range(READERS)]
        failed: list[str] = []
        threads = [threading.Thread(target=_reader, args=(running.url, body, stop, own, failed)) for own in took]
        for thread in threads:
            thread.start()
        marked = running.query("SELECT max(written) FROM metrics")[0][0]
        row = child("ours", trials, running.url)
        stop.set()
        for thread in threads:
            thread.join()
        sql = f"SELECT written - timestamp / 1000.0 FROM metrics WHERE key = 'dev/score' AND written > {marked} ORDER BY 1"
        delays = [float(found[0]) for found in running.query(sql)]
        times = [value for own in took for value in own]
        parts = [
            f"{READERS} readers, {RUNS} runs: {len(times)} searches, {len(failed)} failed",
            f"median {statistics.median(times):.1f} s, p95 {quantile(times, 0.95):.1f} s",
            f"one reader alone {statistics.median(alone):.2f} s",
            f"meanwhile {trials} trials at {row['trials'] / row['wall']:.1f}/s, delay p95 {quantile(delays, 0.95):.1f} s",
            f"{row['gone'] - row['ended']:.1f} s from the last trial to the end",
            f"undelivered {row['undelivered'][0]}",
        ]
        print("; ".join(parts), flush=True)


def multiply(running: Servers, runs: int) -> None:
    """Copies of the runs that are there, until there are so many."""
    ((there,),) = running.query("SELECT count(*) FROM runs")
    for table in ("runs", "tags", "params", "latest_metrics", "metrics"):
        columns = [row[0] for row in running.query(
            f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
        )]  # fmt: skip
        values = ", ".join("substr(md5(run_uuid || n), 1, 32)" if name == "run_uuid" else f'"{name}"' for name in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        running.query(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}, generate_series(1, {runs // there}) AS n")
    running.query("ANALYZE")


def read(url: str, body: Row, readers: int, seconds: float) -> list[float]:
    found: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begin = time.monotonic()
        if ask(url, "POST", "/ajax-api/2.0/mlflow/runs/search", body) is None:
            sys.exit("the search is refused")
        found.append(time.monotonic() - begin)
    return found


def _reader(url: str, body: Row, stop: threading.Event, took: list[float], failed: list[str]) -> None:
    """As a dashboard that shows the newest runs and looks again when it has its answer."""
    while not stop.is_set():
        begin = time.monotonic()
        try:
            if ask(url, "POST", "/ajax-api/2.0/mlflow/runs/search", body) is None:
                failed.append("refused")
        except OSError as error:
            failed.append(str(error))
        took.append(time.monotonic() - begin)
        stop.wait(1.0)


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="*", default=[500, 5000])
    parser.add_argument("--rival", type=int, nargs="*", default=[10, 40])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        what, trials, url = arguments.child
        print(
            json.dumps({"ours": ours, "paced": paced, "theirs": theirs, "workers": workers}[what](int(trials), url)),
            flush=True,
        )
        return
    print(f"{datetime.now(UTC):%Y-%m-%d}, {RESULTS} results a trial, {SLOTS} slots, {os.cpu_count()} cores", flush=True)
    if "trials" in arguments.only:
        trials_section(arguments.trials, arguments.rival)
    if "paced" in arguments.only:
        run_section(f"blurb-tune at {PACE} trials a second", "paced", 300)
    if "workers" in arguments.only:
        workers_section()
    if "readers" in arguments.only:
        readers_section(200)


if __name__ == "__main__":
    main()
