"""What comes out of a sweep beside what comes out of its exported models: the same scores by plain transformers, and several
runs as one model beside the best of them.

Usage: python benchmarks/released.py [--only SECTION...] [--tasks TASK...] [--python PYTHON] [--output DIR]

README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from contenders.grid import spec_of

from blurb_tune.tasks.blurb.demo import jsonl

Row = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]
PLAIN = Path(__file__).resolve().parent / "contenders" / "plain.py"

MOST_CHARACTERS = 600  # fewer tokens than any of the tasks reads


@dataclass(frozen=True)
class Case:
    """folder: of the data, of which so many examples are taken. what: how `plain.py` scores it."""

    folder: str
    what: str
    examples: Row
    strategy: Row
    settings: Row


# Recipes and sizes that learn within minutes; what they reach is far from what all the data would give.
CASES = {
    "demo": Case(
        "demo", "pairs", {}, {"freeze_depth": 2, "reinit_count": 1}, {"epochs": 6, "batch_size": 8, "learning_rate": 7e-5}
    ),
    "biosses": Case(
        "BIOSSES", "pairs", {}, {"freeze_depth": 2, "reinit_count": 2}, {"epochs": 15, "batch_size": 16, "learning_rate": 5e-5}
    ),
    "ncbi-disease": Case(
        "NCBI-disease",
        "entities",
        {"train": 400, "dev": 200, "test": 300},
        {"freeze_depth": 2},
        {"epochs": 4, "batch_size": 16, "learning_rate": 2e-4},
    ),
    "ddi": Case(
        "DDI",
        "relations",
        {"train": 600, "dev": 300, "test": 300},
        {"freeze_depth": 2},
        {"epochs": 4, "batch_size": 16, "learning_rate": 2e-4},
    ),
}


def plain(name: str, scratch: Path, options: argparse.Namespace) -> None:
    """The winner's export by transformers alone, beside what the sweep measured on the test split."""
    sweep, data = swept(name, 1, scratch, options)
    run("export", sweep, "--to", scratch / "model")
    exported = json.loads((scratch / "model" / "blurb_tune.json").read_text())["trial"]
    measured = next(of for of in tests(sweep) if of["trial"] == exported)
    case = CASES[name]
    words = [options.python, "-I", PLAIN, scratch / "model", data / case.folder / "test.jsonl", case.what]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True, cwd=scratch)
    found = json.loads(done.stdout.splitlines()[-1])
    score = next(iter(measured["metrics"].values()))
    same = "the same" if math.isclose(score, found["score"], abs_tol=1e-6) else "OTHERWISE"
    print(f"{name}: {exported} has {score:.6f} on test by the sweep, {found['score']:.6f} by plain transformers: {same}")
    if found["ours"] or same == "OTHERWISE":
        sys.exit(f"{name}: not the same, or not plain: {found}")


def combined(name: str, scratch: Path, options: argparse.Namespace) -> None:
    """Soups and ensemble beside the best single run."""
    started = time.monotonic()
    init, order = options.seeds
    sweep, _ = swept(name, {"init": init, "order": order}, scratch, options)
    run("export", sweep, "--ensemble", "--to", scratch / "model")
    summary = json.loads((sweep / "summary.json").read_text())
    (final,) = (of for of in summary["final_test"] if of["configuration"] == summary["best_configuration"]["configuration"])
    print(f"\n{name}, {summary['metric']}, {init} initializations x {order} orders, {final['examples']} test examples")
    print(f"a single run, mean and standard deviation of {final['n']}: {final['mean']:.3f} ± {final['std']:.3f}\n")
    print("| model | runs | MB | ms per example | dev | test | 95 % | vs best single run | 95 %, paired |")
    print("|---|---|---|---|---|---|---|---|---|")
    for of in summary["combinations"]:
        costs = f"{len(of['members'])} | {of['size'] / 1e6:.0f} | {1000 * of['seconds']:.1f}"
        scores = f"{of['dev_score']:.3f} | {of['score']:.3f} | {bounds(of['interval'])}"
        print(f"| {of['method']} | {costs} | {scores} | {of['difference']:+.3f} | {bounds(of['difference_interval'])} |")
    print(f"\n{time.monotonic() - started:.0f} s in all")


def swept(name: str, seeds: Any, scratch: Path, options: argparse.Namespace) -> tuple[Path, Path]:
    """A sweep of one strategy, and the folder with its data."""
    case, data = CASES[name], scratch / "data"
    (data / case.folder).mkdir(parents=True)
    for split in ("train", "dev", "test"):
        text = jsonl(split) if name == "demo" else (options.data / case.folder / f"{split}.jsonl").read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        if split in case.examples:
            lines = some(lines, case.examples[split], even=split == "train" and case.what == "relations")
        (data / case.folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    space = case.settings | {"strategy": [case.strategy]} | ({"epochs": options.epochs} if options.epochs else {})
    spec = spec_of(name, space, seeds=seeds, data=str(data), training={"precision": "fp32"})
    (scratch / "sweep.yaml").write_text(yaml.safe_dump(spec))
    run("run", scratch / "sweep.yaml", "--output", scratch / "sweep", "--quiet")
    return scratch / "sweep", data


def some(lines: list[str], count: int, *, even: bool) -> list[str]:
    """So many rows at random, always the same ones, with texts that nobody cuts; even: half of them with a relation."""
    rows = [(line, json.loads(line)) for line in lines]
    short = [(line, row) for line, row in rows if len(row.get("sentence") or " ".join(row["tokens"])) < MOST_CHARACTERS]
    if not even:
        return random.Random(0).sample([line for line, _ in short], count)
    halves = [[line for line, row in short if (row["label"] == "0") is outside] for outside in (True, False)]
    return [line for half in halves for line in random.Random(0).sample(half, count // 2)]


def tests(sweep: Path) -> list[Row]:
    lines = (sweep / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["kind"] == "tested" and event["metrics"]]


def run(*words: object) -> None:
    command = [sys.executable, "-m", "blurb_tune", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def bounds(of: list[float]) -> str:
    return f"{of[0]:.3f} to {of[1]:.3f}" if of and of[0] is not None else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="SECTION")
    parser.add_argument("--tasks", nargs="+", choices=CASES, help="those of a section by default")
    parser.add_argument("--python", default=sys.executable, help="for `plain`, of an environment without this package")
    parser.add_argument("--seeds", nargs=2, type=int, default=(2, 5), metavar=("INIT", "ORDER"))
    parser.add_argument("--epochs", type=int, help="in place of each task's own")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BLURB_DATA_DIR", "data")))
    parser.add_argument("--output", type=Path, help="where the sweeps are left; by default nowhere")
    options = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores")
    for section in options.only:
        work, names = SECTIONS[section]
        for name in options.tasks or names:
            if options.output is None:
                with tempfile.TemporaryDirectory(prefix="released-") as scratch:
                    work(name, Path(scratch), options)
            else:
                (options.output / f"{section}-{name}").mkdir(parents=True)
                work(name, options.output / f"{section}-{name}", options)


SECTIONS = {"plain": (plain, ("demo", "ncbi-disease", "ddi")), "combined": (combined, ("biosses", "ncbi-disease"))}


if __name__ == "__main__":
    main()
