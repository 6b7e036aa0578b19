"""What a sweep survives, done to it for real: `python benchmarks/faults.py [--driver-kills 50] [--only driver,node]`.

Each fault befalls a sweep of the tiny model on Ray processes of this machine. Printed are how often it was done, what was
lost or done twice, whether every number is that of an undisturbed sweep, and how many runs of MLflow show them all. `upgrade`
installs an older MLflow.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from ray._raylet import GcsClient
from ray.core.generated.gcs_pb2 import GcsNodeInfo

RAY = [str(Path(sys.executable).with_name("ray"))]
SPEC: dict[str, Any] = {
    "task": "demo",
    "model": "tiny",
    "seeds": 4,
    "space": {"strategy": ["vanilla", {"freeze_depth": 1}, {"reinit_count": 2}], "epochs": 60, "learning_rate": 0.001},
    "search": {"sampler": "grid"},
    "training": {"precision": "fp32"},
    "recovery": {"checkpoint_minutes": 0.02},
    "pruning": {"instability": False, "race": {"method": "none"}},
    "final_test": False,
}
LOST = 4
OLD_MLFLOW = "3.9.0"


@dataclass
class Found:
    """Of a sweep's log, beside that of an undisturbed one."""

    trials: int
    lost: int
    doubled: int
    attempts: int
    same: bool
    runs: list[bool]


class Sweep:
    """A sweep in a folder of its own, whose driver is started again and again."""

    def __init__(self, folder: Path, *overrides: str):
        folder.mkdir(parents=True)
        (folder / "s.yaml").write_text(yaml.safe_dump(SPEC))
        self.folder, self.out, self.overrides = folder, folder / "out", overrides
        self.store = self.out / "mlflow.db"

    def start(self) -> subprocess.Popen[bytes]:
        sets = [part for override in self.overrides for part in ("--set", override)]
        command = [sys.executable, "-m", "blurb_tune", "run", "s.yaml", "-o", "out", *sets]
        log = (self.folder / "log").open("ab")
        return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)

    def events(self) -> list[dict[str, Any]]:
        file = self.out / "events.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:  # torn, by a driver that was killed as it wrote
                continue
        return found

    def measured(self) -> int:
        return sum(event["kind"] == "measured" for event in self.events())

    def until(self, is_so: Callable[[], bool], driver: subprocess.Popen[bytes]) -> None:
        while not is_so() and driver.poll() is None:
            time.sleep(0.2)

    def finish(self) -> int:
        code = self.start().wait()
        if code not in (0, 3):
            print((self.folder / "log").read_text()[-2000:])
        return code

    def numbers(self) -> dict[str, list[tuple[int, float]]]:
        """What each trial's last attempt has measured."""
        found: dict[str, list[tuple[int, float]]] = {}
        for event in self.events():
            if event["kind"] == "trial_started":
                found[event["trial"]] = []
            elif event["kind"] == "measured":
                found[event["trial"]].append((event["measurement"]["step"], event["measurement"]["dev_loss"]))
        return found

    def judge(self, undisturbed: dict[str, list[tuple[int, float]]]) -> Found:
        events, numbers = self.events(), self.numbers()
        starts = collections.Counter((e["trial"], e["attempt"]) for e in events if e["kind"] == "trial_started")
        final = collections.Counter(e["trial"] for e in events if e["kind"] == "trial_ended" and not e["retry"])
        twice = sum(count - 1 for count in (*starts.values(), *final.values()))
        return Found(
            trials=len(numbers),
            lost=len(undisturbed.keys() - final.keys()),
            doubled=twice,
            attempts=len(starts),
            same=numbers == undisturbed,
            runs=self._runs_in_mlflow(),
        )

    def _runs_in_mlflow(self) -> list[bool]:
        """For each active run of a trial in the MLflow store whether it shows what the trial's last attempt has measured."""
        trials = "select run_uuid, value from runs join tags using (run_uuid) where key = 'blurb_tune.trial_id'"
        losses = "select step, value from metrics where key = 'dev/loss' and run_uuid = ?"
        numbers = self.numbers()
        with sqlite3.connect(self.store) as store:
            runs = store.execute(f"{trials} and lifecycle_stage = 'active'").fetchall()
            return [set(store.execute(losses, (run,))) == set(numbers[trial]) for run, trial in runs]


def workers(of: int) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(of).children(recursive=True):
        try:
            found += [process] if "TrialActor" in " ".join(process.cmdline()) else []
        except psutil.Error:
            continue
    return found


def kill_trials(sweep: Sweep, times: int) -> int:
    driver, done, rng = sweep.start(), 0, random.Random(1)
    while driver.poll() is None:
        time.sleep(rng.uniform(0.5, 2.0))
        at_work = workers(driver.pid) if driver.poll() is None else []
        if done < times and at_work and sweep.measured():
            rng.choice(at_work).kill()
            done += 1
    return done


def kill_driver(sweep: Sweep, times: int, most: float) -> int:
    """At random moments from its first second on, while it starts, runs and ends."""
    rng, done = random.Random(2), 0
    while done < times:
        driver = sweep.start()
        try:
            driver.wait(rng.uniform(1.0, most))
            if driver.returncode in (0, 3):
                return done
        except subprocess.TimeoutExpired:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
            done += 1
    sweep.finish()
    return done


@contextmanager
def node(folder: Path, port: int, cpus: int, *, is_head: bool) -> Iterator[subprocess.Popen[bytes]]:
    where = ["--head", "--port", str(port), "--include-dashboard", "false"] if is_head else ["--address", f"127.0.0.1:{port}"]
    temp = ["--temp-dir", str(folder)] if is_head else []
    options = ["--num-cpus", str(cpus), "--block", "--disable-usage-stats", "--node-ip-address", "127.0.0.1", *temp]
    with (folder.parent / "ray.log").open("ab") as log:
        process = subprocess.Popen([*RAY, "start", *where, *options], stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def wait_for_nodes(port: int, number: int) -> None:
    """Until so many have joined."""
    for _ in range(120):
        with suppress(Exception):
            nodes = GcsClient(address=f"127.0.0.1:{port}").get_all_node_info(timeout=5)
            if sum(node.state == GcsNodeInfo.ALIVE for node in nodes.values()) == number:
                return
        time.sleep(1)
    raise SystemExit(f"{number} nodes have not joined")


def kill_node(process: subprocess.Popen[bytes]) -> None:
    """At once, with all that runs on it."""
    children = psutil.Process(process.pid).children(recursive=True)
    for child in (psutil.Process(process.pid), *children):
        child.kill()
    process.wait()


def lose_node(sweep: Sweep, folder: Path, port: int) -> int:
    with node(folder, port, 0, is_head=True):
        wait_for_nodes(port, 1)
        with node(folder, port, 2, is_head=False) as first:
            wait_for_nodes(port, 2)
            driver = sweep.start()
            sweep.until(lambda: sweep.measured() > 30, driver)
            kill_node(first)
        with node(folder, port, 2, is_head=False):
            driver.wait()
    return 1


def lose_cluster(sweep: Sweep, folder: Path, port: int) -> int:
    with node(folder, port, 2, is_head=True) as head:
        wait_for_nodes(port, 1)
        driver = sweep.start()
        sweep.until(lambda: sweep.measured() > 30, driver)
        kill_node(head)
        assert driver.wait() == LOST, driver.returncode
    with node(folder, port, 2, is_head=True):
        sweep.finish()  # it waits for the cluster
    return 1


@contextmanager
def mlflow_server(store: Path, port: int, packages: Path | None = None) -> Iterator[None]:
    """On an SQLite database; `packages` has another version than the installed one."""
    path = {"PYTHONPATH": str(packages)} if packages else {}
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{store}", "--port", str(port)]
    with (store.parent / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--workers", "1"], env=os.environ | path, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def upgrade_tracking(sweep: Sweep, folder: Path, port: int) -> int:
    """In the middle of a sweep the server stops, its database is brought to the installed version, and it starts again."""
    old = folder / "packages"
    versions = [f"{name}=={OLD_MLFLOW}" for name in ("mlflow", "mlflow-skinny", "mlflow-tracing")]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(old), *versions], check=True)
    sweep.store = folder / "server.db"
    with mlflow_server(sweep.store, port, old):
        driver = sweep.start()
        sweep.until(lambda: sweep.store.exists() and sweep.measured() > 100, driver)
    before = sweep.measured()
    subprocess.run(
        [sys.executable, "-m", "mlflow", "db", "upgrade", f"sqlite:///{sweep.store}"], check=True, capture_output=True
    )
    sweep.until(lambda: sweep.measured() > before, driver)
    with mlflow_server(sweep.store, port):
        driver.wait()
        subprocess.run([sys.executable, "-m", "blurb_tune", "sync", str(sweep.out)], check=True, capture_output=True)
    return 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trial-kills", type=int, default=20)
    parser.add_argument("--driver-kills", type=int, default=50)
    parser.add_argument("--latest", type=float, default=25.0, help="seconds until a driver is killed at the latest")
    parser.add_argument("--only", default="trials,driver,node,cluster,upgrade")
    arguments = parser.parse_args()
    os.environ["RAY_AUTH_MODE"] = "disabled"  # all is on this machine
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    port = random.Random().randrange(21000, 29000)
    whole = Sweep(root / "whole")
    whole.finish()
    undisturbed = whole.numbers()
    remote, server = f"cluster=127.0.0.1:{port}", f"tracking.uri=http://127.0.0.1:{port + 1}"
    faults: dict[str, Callable[[], tuple[Sweep, int]]] = {
        "trials": lambda: (s := Sweep(root / "trials"), kill_trials(s, arguments.trial_kills)),
        "driver": lambda: (s := Sweep(root / "driver"), kill_driver(s, arguments.driver_kills, arguments.latest)),
        "node": lambda: (s := Sweep(root / "node", remote), lose_node(s, root / "node-ray", port)),
        "cluster": lambda: (s := Sweep(root / "cluster", remote), lose_cluster(s, root / "cluster-ray", port)),
        "upgrade": lambda: (s := Sweep(root / "upgrade", server), upgrade_tracking(s, root / "upgrade", port + 1)),
    }
    print(f"{'fault':10}{'tried':>7}{'trials':>8}{'lost':>6}{'doubled':>9}{'attempts':>10}{'MLflow whole':>14}  numbers")
    for name in arguments.only.split(","):
        sweep, tried = faults[name]()
        found = sweep.judge(undisturbed)
        runs = f"{sum(found.runs)} of {len(found.runs)}"
        same = "the same" if found.same else "DIFFERENT"
        row = f"{name:10}{tried:7}{found.trials:8}{found.lost:6}{found.doubled:9}{found.attempts:10}{runs:>14}  {same}"
        print(row, flush=True)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
