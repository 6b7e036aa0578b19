"""Runs the contenders' commands, each in a new folder with empty caches, and ours with whichever checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from contenders.grid import sample
from contenders.process import Measured, measure

Row = dict[str, Any]
RIVALS = {"trainer": "Trainer in Ray Tune", "trainer-bf16": "Trainer in Ray Tune, bf16", "bare": "plain PyTorch loops"}
_HERE = Path(__file__).resolve().parent
MOST_EXAMPLES = {"train": 6400, "dev": 640}  # batches are sorted by length within 50 of 32, as of any larger set
_NO_RESULT = 3  # the exit code of `blurb-tune run` where nothing is better than chance, as after one epoch


@dataclass(frozen=True)
class Bench:
    """checkouts: of this repository, by name. data: the folder with BIOSSES and chemprot. slots: runs at a time."""

    checkouts: dict[str, Path]
    data: Path
    slots: int

    @cached_property
    def facts(self) -> Row:
        return self.ask("ours", "facts")

    def ask(self, checkout: str, command: str, *arguments: str | Path) -> Row:
        """What `ours.py` says, with a checkout's package, of which it takes one thread."""
        words = [sys.executable, str(_HERE / "ours.py"), command, *map(str, arguments)]
        with tempfile.TemporaryDirectory() as scratch:
            environment = self._environment(Path(scratch), self.checkouts[checkout]) | {"OMP_NUM_THREADS": "1"}
            done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=scratch)
        if done.returncode:
            sys.exit(f"{' '.join(words)} failed:\n{done.stderr[-4000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def sweep(self, checkout: str, spec: Row) -> Row:
        """`blurb-tune run`, as many runs at a time as there are slots."""
        with tempfile.TemporaryDirectory(prefix="speed-") as scratch:
            folder = Path(scratch)
            (folder / "sweep.yaml").write_text(yaml.safe_dump(spec | {"resources": {"concurrency": self.slots}}))
            words = [sys.executable, "-m", "blurb_tune", "run", "sweep.yaml", "--output", "sweep"]
            environment = self._environment(folder, self.checkouts[checkout])
            measured = measure(words, folder / "log", environment, is_fine=(0, _NO_RESULT))
            return _row(measured, **self.ask(checkout, "log", folder / "sweep"))

    def rival(self, name: str, job: Row) -> Row:
        with tempfile.TemporaryDirectory(prefix="speed-") as scratch:
            folder, runs = Path(scratch), Path(scratch) / "runs.json"
            precision = {"trainer": "fp32", "trainer-bf16": "bf16"}.get(name, self.facts["precision"])
            places = {"data": str(self.data / "BIOSSES"), "scratch": scratch, "out": str(runs), "precision": precision}
            (folder / "job.json").write_text(json.dumps(job | places))
            script = _HERE / ("bare.py" if name == "bare" else "trainer.py")
            measured = measure([sys.executable, str(script), "job.json"], folder / "log", self._environment(folder))
            found = json.loads(runs.read_text())
        return _row(measured, found, min(run["began"] for run in found), max(run["ended"] for run in found))

    def slot_memory(self, checkout: str, spec: Row) -> Row:
        with tempfile.TemporaryDirectory(prefix="speed-") as scratch:
            file = Path(scratch) / "spec.json"
            file.write_text(json.dumps(spec))
            self.ask(checkout, "prepare", file, scratch)
            return self.ask(checkout, "slot", file, scratch)

    def step(self, checkout: str, spec: Row, data: str, steps: int) -> Row:
        """data: the task's folder, of which so many examples are taken that a frozen depth is soon computed."""
        with tempfile.TemporaryDirectory(prefix="speed-") as scratch:
            file, folder = Path(scratch) / "spec.json", Path(scratch) / data
            sample(self.data / data, folder, MOST_EXAMPLES)
            file.write_text(json.dumps(spec | {"data": scratch}))
            return self.ask(checkout, "steps", file, str(steps))

    def _environment(self, folder: Path, checkout: Path | None = None) -> dict[str, str]:
        own = {"PYTHONPATH": str(checkout)} if checkout else {}
        caches = {"BLURB_CACHE_DIR": str(folder / "tokens"), "HF_DATASETS_CACHE": str(folder / "datasets")}
        return {**os.environ, **caches, **own, "BLURB_DATA_DIR": str(self.data), "HF_HUB_OFFLINE": "1"}


def _row(measured: Measured, runs: Sequence[Row], first_step: float, last_end: float) -> Row:
    """first_step: seconds from the command's start to the first training step. end: from the last run's to the command's."""
    return {
        "seconds": measured.seconds,
        "cpu": measured.cpu,
        "first_step": first_step - measured.began,
        "end": measured.ended - last_end,
        "processes": len({run["process"] for run in runs}),
        "runs": [{name: run.get(name) for name in ("label", "seed", "score", "outcome")} for run in runs],
    }
