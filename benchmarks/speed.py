"""How fast a whole sweep is, beside what people do otherwise, in one run; and where its time and memory go.

Usage: python benchmarks/speed.py [--only SECTION...] [--rounds N] [--baseline CHECKOUT] [--json FILE]

README.md beside this file says what is measured. `contenders/` has ours, the rivals, and how they are run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from contenders.bench import RIVALS, Bench
from contenders.grid import job_of, short_sweep, spec_of
from contenders.tables import Rounds, in_turns, show_memory, show_steps, show_sweeps

ROOT = Path(__file__).resolve().parents[1]
STEP_TASKS = {"BIOSSES": {"batch_size": 16, "epochs": 20}, "chemprot": {"batch_size": 32, "epochs": 1}}
PACKAGES = ("torch", "transformers", "accelerate", "datasets", "ray", "mlflow")
Row = dict[str, Any]


def sweep_section(bench: Bench, options: argparse.Namespace) -> dict[str, Rounds]:
    result = {}
    for epochs in options.epochs:
        spec = short_sweep(epochs)
        contenders = ours(bench, bench.sweep, spec) | rivals(bench, options, job_of(spec, bench.facts, bench.slots))
        title = f"BIOSSES, MiniLM, 8 runs of 4 strategies, {epochs} epochs, {bench.slots} at a time"
        result[title] = in_turns(options.rounds, contenders)
        show_sweeps(title, result[title])
    return result


def question_section(bench: Bench, options: argparse.Namespace) -> dict[str, Rounds]:
    """Measured once; a rival on a few seeds, and the part between its first step and its last run's end multiplied."""
    spec = scaled(ROOT / "sweeps" / "biosses.yaml", options.scale) | {"seeds": options.seeds, "confirm": 0}
    seeds = min(options.rival_seeds, options.seeds)
    factor = options.seeds / seeds
    job = job_of(spec, bench.facts, bench.slots, seeds)
    contenders = ours(bench, bench.sweep, spec) | rivals(bench, options, job)
    found = in_turns(1, contenders)
    for name in contenders.keys() - bench.checkouts.keys():
        found[name] = [multiplied(row, factor) for row in found[name]]
    title = f"sweeps/biosses.yaml, {options.seeds} seeds, no confirmation, {spec['space']['epochs']} epochs"
    show_sweeps(title, found)
    if factor > 1:
        few = len(job["runs"])
        print(f"  The rivals' times are ESTIMATES. {few} of {round(few * factor)} runs were measured, and what lies between")
        print(f"  the first step and the last run's end was multiplied by {factor:.3g}.")
    return {title: found}


def multiplied(row: Row, factor: float) -> Row:
    """What a rival would take for so many times the runs; its own numbers are kept as `measured`."""
    between = row["seconds"] - row["first_step"] - row["end"]
    cpu = row["cpu"] * between / row["seconds"]
    grown = {"seconds": row["seconds"] + (factor - 1) * between, "cpu": row["cpu"] + (factor - 1) * cpu}
    return row | grown | {"measured": {name: row[name] for name in grown}}


def start_section(bench: Bench, options: argparse.Namespace) -> dict[str, Rounds]:
    result = {}
    demo = scaled(ROOT / "sweeps" / "quickstart.yaml", options.scale)
    specs = {"demo, sweeps/quickstart.yaml": demo, "BIOSSES, 8 runs": short_sweep(options.epochs[0])}
    for title, spec in specs.items():
        result[title] = in_turns(options.rounds, ours(bench, bench.sweep, spec))
        show_sweeps(title, result[title])
    return result


def memory_section(bench: Bench, options: argparse.Namespace) -> Rounds:
    found = in_turns(options.rounds, ours(bench, bench.slot_memory, short_sweep(1)))
    show_memory(found)
    return found


def step_section(bench: Bench, options: argparse.Namespace) -> dict[str, Rounds]:
    result = {}
    for task in options.tasks:
        space = STEP_TASKS[task]
        spec = spec_of(task.lower(), space, training={"eval_every": 1_000_000})
        result[task] = in_turns(options.rounds, ours(bench, bench.step, spec, task, options.steps))
        precision = bench.facts["precision"]
        show_steps(f"{task}, batches of {space['batch_size']}, one thread, {precision}", result[task])
    return result


SECTIONS: dict[str, Callable[[Bench, argparse.Namespace], Row]] = {
    "sweep": sweep_section,
    "question": question_section,
    "start": start_section,
    "memory": memory_section,
    "step": step_section,
}


def ours(bench: Bench, command: Callable[..., Row], *arguments: Any) -> dict[str, Callable[[], Row]]:
    """A command with each checkout."""
    return {name: partial(command, name, *arguments) for name in bench.checkouts}


def rivals(bench: Bench, options: argparse.Namespace, job: Row) -> dict[str, Callable[[], Row]]:
    """Those that were asked for and that this machine is made for."""
    chosen = [name for name in options.rivals if name != "trainer-bf16" or bench.facts["precision"] == "bf16"]
    return {name: partial(bench.rival, name, job) for name in chosen}


def scaled(file: Path, scale: float) -> Row:
    spec: Row = yaml.safe_load(file.read_text()) | {"name": file.stem}
    spec["space"]["epochs"] = max(1, round(scale * spec["space"]["epochs"]))
    return spec


def describe_machine(bench: Bench, options: argparse.Namespace) -> Row:
    model = next(line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line)
    commits = {name: commit_of(path) for name, path in bench.checkouts.items()}
    said = ", ".join(f"{name} {commit}" for name, commit in commits.items())
    date, load, precision = f"{datetime.now(UTC):%Y-%m-%d}", os.getloadavg()[0], bench.facts["precision"]
    versions = {"Python": sys.version.split()[0]} | {name: version(name) for name in PACKAGES}
    print(f"{date}, {said}, {os.cpu_count()} x {model}, load {load:.1f}, {precision}")
    print(", ".join(f"{name} {number}" for name, number in versions.items()))
    if "trainer-bf16" in options.rivals and precision != "bf16":
        print("The Trainer in bf16 is left out: this CPU does not multiply in bf16.")
    return {"date": date, "commits": commits, "cpus": os.cpu_count(), "model": model, "load": load, "versions": versions}


def commit_of(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=[name for name in SECTIONS if name != "question"])
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts; `question` has one")
    parser.add_argument("--epochs", type=int, nargs="+", default=[3, 10], help="of `sweep`, a table each")
    parser.add_argument("--slots", type=int, default=os.cpu_count(), help="runs at a time, one CPU each")
    parser.add_argument("--rivals", nargs="*", choices=RIVALS, default=list(RIVALS))
    parser.add_argument("--scale", type=float, default=1.0, help="on the epochs of `question` and of the demo")
    parser.add_argument("--seeds", type=int, default=10, help="of `question`")
    parser.add_argument("--rival-seeds", type=int, default=2, help="of those of `question`, run by a rival")
    parser.add_argument("--tasks", nargs="+", choices=STEP_TASKS, default=list(STEP_TASKS), help="of `step`")
    parser.add_argument("--steps", type=int, default=8, help="of `step`, behind four that do not count")
    parser.add_argument("--baseline", type=Path, help="another checkout of this repository, measured by the same script")
    parser.add_argument("--data", type=Path, default=os.environ.get("BLURB_DATA_DIR"), help="with BIOSSES and chemprot in it")
    parser.add_argument("--json", type=Path, help="where to write every round")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if options.data is None:
        parser.error("set --data or BLURB_DATA_DIR to the folder with BIOSSES and chemprot")
    checkouts = {"ours": ROOT} | ({"baseline": options.baseline.resolve()} if options.baseline else {})
    bench = Bench(checkouts, Path(options.data).resolve(), options.slots)
    result: Row = {"machine": describe_machine(bench, options)}
    for name in options.only:
        result[name] = SECTIONS[name](bench, options)
        if options.json:
            options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
