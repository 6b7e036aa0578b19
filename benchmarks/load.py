"""A sweep under load, beside Ray Tune's own MLflowLoggerCallback and OptunaSearch; MLflow on PostgreSQL.

Usage: python benchmarks/load.py [--trials N...] [--rival N...] [--only SECTION...]

README.md beside this file says what is measured; `loading/` has what runs. PostgreSQL's programs are looked for in PATH and in
Debian's place.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from loading.drivers import EXPERIMENT, PACE, RATE, RESULTS, SLOTS, WORKERS, Row, ours, paced, quantile, theirs, workers
from loading.servers import Servers, ask, servers

READERS, RUNS = 50, 10_000
SECTIONS = ("trials", "paced", "workers", "readers")


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
