"""cluster/slurm.sh with real Ray nodes and a real driver; of SLURM itself, only that `srun` runs a command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.learnable import write_spec
from tests.stack import ROOT

SLURM = {
    "srun": 'while [[ $1 == -* ]]; do shift; done; exec "$@"',
    "scontrol": 'if [ "$1" = show ]; then printf "%s\\n" one two; else echo "$*" >> scontrol.log; fi',
}
DRIVER = {"blurb-tune": f'exec {sys.executable} -m blurb_tune "$@"'}
# A cluster that is up at once, for what does not depend on it.
RAY = {"ray": 'if [ "$1" = start ]; then touch started; exec sleep 600; else printf " 1 node_%s\\n" one two; fi'}
JOB = "4711"


@contextmanager
def running_job(folder: Path, commands: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The script in `folder`, with `commands` before all others in PATH; behind the block nothing of it runs."""
    (folder / "commands").mkdir()
    for name, body in commands.items():
        (folder / "commands" / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / "commands" / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{folder / 'commands'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SLURM_JOB_ID": JOB,
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_CPUS_PER_TASK": "1",
        "TMPDIR": "/tmp",  # the names of Ray's sockets must be short
    }
    script = ROOT / "cluster" / "slurm.sh"
    with (folder / "job.log").open("wb") as log:
        job = subprocess.Popen([script, "small.yaml", "--quiet"], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield job
    finally:
        with suppress(psutil.NoSuchProcess):
            for process in [*psutil.Process(job.pid).children(recursive=True), job]:
                process.kill()
        job.wait()


def _requeued(folder: Path) -> list[str]:
    log = folder / "scontrol.log"
    return log.read_text().splitlines() if log.exists() else []


def _wait_for(job: subprocess.Popen[bytes], folder: Path, pattern: str, text: str = "") -> Path:
    """The file of that pattern, once it has the text."""
    while not (found := [file for file in folder.glob(pattern) if text in file.read_text()]):
        assert job.poll() is None, (folder / "job.log").read_text()
        time.sleep(0.1)
    return found[0]


def _still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
@pytest.mark.ray
def test_a_job_whose_time_is_up_ends_resumably_and_is_queued_again(tmp_path: Path) -> None:
    write_spec(tmp_path, seeds=40, space={"epochs": 30})
    with running_job(tmp_path, SLURM | DRIVER) as job:
        events = _wait_for(job, tmp_path, "sweeps/small-*/events.jsonl", '"measured"')
        started = psutil.Process(job.pid).children(recursive=True)
        assert sum(process.name() == "raylet" for process in started) == 2
        job.send_signal(signal.SIGTERM)  # to the script alone, as `--signal=B:` does
        assert job.wait() == 130, (tmp_path / "job.log").read_text()
        assert not _still_running(started)
    assert _requeued(tmp_path) == [f"requeue {JOB}"]
    last = json.loads(events.read_text().splitlines()[-1])
    assert (last["kind"], last["status"]) == ("sweep_ended", "interrupted")


def test_a_job_that_is_interrupted_before_its_driver_runs_is_queued_again(tmp_path: Path) -> None:
    with running_job(tmp_path, SLURM | RAY | {"ray": RAY["ray"].replace("one two", "one")}) as job:
        _wait_for(job, tmp_path, "started")
        started = psutil.Process(job.pid).children(recursive=True)
        job.send_signal(signal.SIGTERM)
        assert job.wait() == 130
        assert not _still_running(started)
    assert _requeued(tmp_path) == [f"requeue {JOB}"]


@pytest.mark.parametrize("lost", ["--head", "--address"])
def test_a_job_ends_when_ray_does_not_come_up_on_one_of_its_nodes(tmp_path: Path, lost: str) -> None:
    others = RAY["ray"].replace("one two", "one")
    with running_job(tmp_path, SLURM | {"ray": f'if [[ "$*" == "start "*" {lost} "* ]]; then exit 1; fi\n{others}'}) as job:
        assert job.wait(timeout=60) == 1
    name = {"--head": "one", "--address": "two"}[lost]
    assert f"Ray has ended on {name};" in (tmp_path / "job.log").read_text()
    assert not _requeued(tmp_path)


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_job_ends_as_its_driver_does(tmp_path: Path, code: int) -> None:
    with running_job(tmp_path, SLURM | RAY | {"blurb-tune": f'echo "$*" > driver.log; exit {code}'}) as job:
        assert job.wait() == code
    assert not _requeued(tmp_path)
    assert "run small.yaml" in (tmp_path / "driver.log").read_text()
    assert "--quiet" in (tmp_path / "driver.log").read_text()
