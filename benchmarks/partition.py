"""A sweep on several hosts, one of which is cut off for a while: `sudo python benchmarks/partition.py`.

Head, workers and a laptop are network namespaces of this machine, each with an address of its own on a bridge. The sweep is
submitted from the laptop, which is no node; then a worker's cable is pulled, and another node comes. Needs iproute2 and root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from faults import SPEC, Sweep

NET = "10.77.0."
HOSTS = {"head": 1, "first": 2, "second": 3, "third": 4, "laptop": 9}
RAY = str(Path(sys.executable).with_name("ray"))
PORT, JOBS = 6379, 8265
EPOCHS = 25


def ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=not check)


@contextmanager
def hosts() -> Iterator[None]:
    """The namespaces, joined by a bridge."""
    ip("link", "add", "bt-bridge", "type", "bridge")
    ip("link", "set", "bt-bridge", "up")
    try:
        for name, number in HOSTS.items():
            ip("netns", "add", f"bt-{name}")
            ip("link", "add", f"bt-{name}", "type", "veth", "peer", "name", "eth0", "netns", f"bt-{name}")
            ip("link", "set", f"bt-{name}", "master", "bt-bridge", "up")
            ip("-n", f"bt-{name}", "addr", "add", f"{NET}{number}/24", "dev", "eth0")
            ip("-n", f"bt-{name}", "link", "set", "eth0", "up")
            ip("-n", f"bt-{name}", "link", "set", "lo", "up")
        yield
    finally:
        for name in HOSTS:
            ip("netns", "del", f"bt-{name}", check=False)
            ip("link", "del", f"bt-{name}", check=False)
        ip("link", "del", "bt-bridge", check=False)


@contextmanager
def node(root: Path, name: str, cpus: int, environment: dict[str, str]) -> Iterator[None]:
    role = ["--head", f"--port={PORT}", f"--dashboard-port={JOBS}", "--dashboard-host=0.0.0.0"]
    where = role if name == "head" else [f"--address={NET}{HOSTS['head']}:{PORT}"]
    options = [f"--node-ip-address={NET}{HOSTS[name]}", f"--num-cpus={cpus}", f"--temp-dir={root / name}", "--block"]
    with (root / f"{name}.log").open("wb") as log:
        command = ["ip", "netns", "exec", f"bt-{name}", RAY, "start", *where, *options]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def from_laptop(environment: dict[str, str], *arguments: str) -> str:
    command = ["ip", "netns", "exec", "bt-laptop", sys.executable, "-m", "blurb_tune", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="bt-"))
    storage = root / "storage"
    storage.mkdir()
    (root / "s.yaml").write_text(yaml.safe_dump(SPEC | {"space": SPEC["space"] | {"epochs": EPOCHS}}))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(16).hex()}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ADDRESS": f"http://{NET}{HOSTS['head']}:{JOBS}"}
    environment["BLURB_TUNE_STORAGE"] = str(storage)
    ray = {name: value for name, value in environment.items() if name != "RAY_ADDRESS"}
    whole = Sweep(root / "whole", f"space.epochs={EPOCHS}")
    whole.finish()
    with hosts(), ExitStack() as stack:
        stack.enter_context(node(root, "head", 0, ray))
        time.sleep(15)
        for name in ("first", "second"):
            stack.enter_context(node(root, name, 1, ray))
        time.sleep(15)
        print(from_laptop(environment, "doctor"))
        sweep_id = json.loads(from_laptop(environment, "submit", str(root / "s.yaml"), "-y", "--json"))["id"]
        sweep = Sweep.__new__(Sweep)
        sweep.out = storage / sweep_id
        sweep.store = sweep.out / "mlflow.db"

        def status() -> dict[str, Any]:
            return dict(json.loads(from_laptop(environment, "status", sweep_id, "--json")))

        while sweep.measured() < 40:
            time.sleep(1)
        ip("link", "set", "bt-first", "down")
        cut = time.monotonic()
        print("first worker cut off")
        while not any(event["kind"] == "trial_ended" and event["retry"] for event in sweep.events()):
            time.sleep(1)
        print(f"its trial is given up after {time.monotonic() - cut:.0f} s, and goes on elsewhere")
        stack.enter_context(node(root, "third", 1, ray))
        ip("link", "set", "bt-first", "up")
        print("first worker healed, a third one joined")
        while (now := status())["state"] in ("running", "starting", "ending"):
            time.sleep(3)
        print(f"{now['state']}: {now['trials']}")
        print(sweep.judge(whole.numbers()))


if __name__ == "__main__":
    main()
