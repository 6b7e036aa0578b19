"""A local Ray has what trials need, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray
from ray._private import node, services
from ray._private.authentication.authentication_token_setup import AUTH_MODE_ENV_VAR
from ray._raylet import AuthenticationMode, Config, get_authentication_mode

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.execution.cluster import ray_cluster
from blurb_tune.execution.forkserver import ADDRESS, HOME
from blurb_tune.execution.local import count_cpus, job_config, ray_folder, token_setting
from blurb_tune.execution.phases import Phases
from tests.disks import Disk
from tests.sweep.simulation import make_spec


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Ray's sockets have no longer names than pytest's folders."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="bt-") as name:
        yield Path(name)


def test_no_more_trials_run_than_this_process_may_use_cpus() -> None:
    allowed = os.sched_getaffinity(0)
    assert count_cpus() <= len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert count_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_ray_has_the_folder_that_it_would_take(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(short_folder))
    with ray_folder() as folder:
        assert folder == str(short_folder / "ray")


def test_where_its_disk_is_full_ray_has_another(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(tempfile.mktemp(dir="/tmp", prefix="bt-"))
    place.symlink_to(disk.folder)  # whose name is too long
    monkeypatch.setenv("RAY_TMPDIR", str(place))
    for kib, is_taken in ((9 * 1024, False), (30 * 1024, True)):
        disk.resize(kib)
        with ray_folder() as folder:
            assert (folder == f"{place}/ray") is is_taken
    place.unlink()


@pytest.mark.parametrize("fault", ["long", "taken"])
def test_where_ray_cannot_have_its_folder_it_has_another(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    (short_folder / "ray").write_text("")
    monkeypatch.setenv("RAY_TMPDIR", str(short_folder / ("x" * 80) if fault == "long" else short_folder))
    with ray_folder() as folder:
        place = Path(folder)
        assert len(folder) <= 40
        assert place.parent.stat().st_mode & 0o777 == 0o700, "it is nobody else's, though Ray opens what lies in it"
        place.mkdir()
    assert not place.parent.exists()


def test_where_a_home_keeps_no_token_a_process_has_its_own(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(short_folder))
    assert token_setting() == {}
    monkeypatch.setenv("HOME", "/proc/none")  # where nobody can make a folder
    (token,) = token_setting().values()
    assert len(token) == 64
    assert token_setting() == {"RAY_AUTH_TOKEN": token}
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of the user")
    assert token_setting() == {}


def test_nothing_is_imported_from_the_folders_of_script_and_work(tmp_path: Path) -> None:
    places = job_config()._py_driver_sys_path
    places.extend([str(tmp_path), str(HOME), "relative"])
    assert places == [str(HOME)]


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def loaded() -> tuple[int, set[str]]:
    return psutil.Process().ppid(), {"torch", "transformers"} & sys.modules.keys()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("is_forked", [True, False])
def test_only_what_trials_need_is_started_and_nothing_is_left(is_forked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_forked:  # as for trials on GPUs
        monkeypatch.setattr("blurb_tune.execution.cluster._is_forked", lambda spec: False)
    monkeypatch.delenv(ADDRESS, raising=False)
    before, others = (node.Node, services.ConsolePopen), children()
    with ray_cluster(make_spec()):
        assert (node.Node, services.ConsolePopen) == before
        found = "\n".join(" ".join(process.cmdline()) for process in children() - others)
        assert "raylet" in found
        for unused in ("dashboard", "log_monitor", "autoscaler", "runtime_env/agent"):
            assert f"{unused}.py" not in found
            assert f"{unused}/main.py" not in found
        _, modules = ray.get(ray.remote(loaded).options(num_cpus=0).remote())
        assert modules == ({"torch", "transformers"} if is_forked else set())
        processes = list(children() - others)
    assert psutil.wait_procs(processes, timeout=30)[1] == []


def fail(kind: str) -> None:
    if kind == "input":
        raise InputError([Problem("here", "is wrong")])
    if kind == "ours":
        raise BlurbTuneError("no")
    if kind == "bug":
        raise KeyError("x")
    psutil.Process().kill()


def speak(phases: Phases) -> str:
    for text in ("reading", "writing"):
        phases.say(text)
        time.sleep(1.5)
    return "done"


@pytest.mark.ray
@pytest.mark.slow
def test_the_driver_hears_what_a_task_does_and_why_it_failed() -> None:
    with ray_cluster(make_spec()):
        phases, heard = Phases(), list[str]()
        assert phases.result(ray.remote(speak).options(num_cpus=0).remote(phases), heard.append) == "done"
        assert heard == ["reading", "writing"]

        def result_of(kind: str) -> None:
            Phases().result(ray.remote(fail).options(num_cpus=0, max_retries=0).remote(kind), heard.append)

        with pytest.raises(InputError) as caught:
            result_of("input")
        assert caught.value.problems == (Problem("here", "is wrong"),)
        with pytest.raises(BlurbTuneError, match=r"^no$"):
            result_of("ours")
        with pytest.raises(ray.exceptions.RayTaskError, match="KeyError"):
            result_of("bug")
        with pytest.raises(BlurbTuneError, match="the process that prepares the sweep was lost"):
            result_of("lost")


def test_the_driver_imports_nothing_that_its_trials_have_imported() -> None:
    code = "import sys, blurb_tune.execution.driver; print({'torch', 'transformers', 'mlflow'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.ray
def test_a_local_ray_leaves_its_token_to_no_cluster_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(AUTH_MODE_ENV_VAR, raising=False)
    Config.initialize("")
    with ray_cluster(make_spec()):
        assert get_authentication_mode() == AuthenticationMode.TOKEN
    assert get_authentication_mode() != AuthenticationMode.TOKEN
    assert AUTH_MODE_ENV_VAR not in os.environ


WITH_GARBAGE = """
import gc, threading
import ray
from blurb_tune.execution.cluster import ray_cluster
from tests.sweep.simulation import make_spec

def leave_garbage():
    while references:
        knot = [references.pop()]
        knot.append(knot)
        sum(range(500))

gc.set_threshold(10)
with ray_cluster(make_spec()):
    name = ray.put(0).binary()
    references = [ray.ObjectRef(name) for _ in range(200_000)]
    thread = threading.Thread(target=leave_garbage, daemon=True)
    thread.start()
print(len(references))
"""


@pytest.mark.ray
def test_what_another_thread_leaves_behind_does_not_end_the_process() -> None:
    """Ray ends the driver where a reference is given back once its worker is gone; a collection may do so at any moment."""
    done = subprocess.run([sys.executable, "-c", WITH_GARBAGE], cwd=HOME, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


SIGNALED = """
import os, signal, threading
import ray
from blurb_tune.execution.cluster import ray_cluster
from tests.sweep.simulation import make_spec

def send():
    while not is_connecting.wait(0.01):
        os.kill(os.getpid(), signal.SIGTERM)

def connect(*arguments):
    is_connecting.set()
    thread.join()
    return worker(*arguments)

heard, stage = set(), "start"
signal.signal(signal.SIGTERM, lambda *_: heard.add(stage))
is_connecting, worker = threading.Event(), ray._raylet.CoreWorker
ray._raylet.CoreWorker = connect  # which has a handler in C++ until all is connected
thread = threading.Thread(target=send, daemon=True)
thread.start()
with ray_cluster(make_spec()):
    stage = "run"
    os.kill(os.getpid(), signal.SIGTERM)
stage = "end"
os.kill(os.getpid(), signal.SIGTERM)
print(sorted(heard))
"""


@pytest.mark.ray
def test_a_sigterm_is_the_driver_s_also_while_ray_starts_and_when_it_has_stopped() -> None:
    done = subprocess.run([sys.executable, "-c", SIGNALED], cwd=HOME, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "['end', 'run', 'start']\n"), done.stderr
