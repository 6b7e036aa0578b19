"""What `submit` and its kin say before any cluster is asked."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from blurb_tune.cli import submission
from blurb_tune.cli.app import app
from blurb_tune.core.errors import ExitCode
from blurb_tune.core.lease import Lease
from blurb_tune.core.storage import open_storage
from blurb_tune.preflight import make_plan
from blurb_tune.service import agent
from blurb_tune.service.client import Service
from blurb_tune.service.kept_sweeps import CLAIMS, STATUS, End, KeptSweep, Submission
from blurb_tune.service.package import package
from blurb_tune.service.settings import Settings
from blurb_tune.spec import load_spec
from tests.learnable import write_spec


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "BLURB_TUNE_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BLURB_TUNE_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.chdir(tmp_path)
    write_spec(tmp_path)


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit", "small.yaml"], "--address: no cluster is named; give http://HEAD:8265"),
        (["submit", "small.yaml", "--address", "http://127.0.0.1:9"], "no Ray job server answers at http://127.0.0.1:9"),
        (["submit", "small.yaml", "--set", "tracking.uri=http://me:pw@x"], "tracking.uri: holds a password; write ${NAME}"),
        (["submit", "small.yaml", "--set", "sed=1"], "unknown key 'sed'"),
        (["list"], "--address: no cluster is named"),
        (["list", "--storage", "s4://x"], "storage: expected a folder, s3://bucket/path"),
        (["status", "x", "--storage", "."], "x: no sweep of this id"),
        (["change", "x", "--storage", ".", "--set", "sed=1"], "did you mean 'seeds'?"),
        (["doctor", "--address", "head:8265"], "expected the job server, such as http://HEAD:8265"),
    ],
)
def test_bad_input_is_told_and_nothing_is_done(arguments: list[str], message: str) -> None:
    code, output = call(*arguments)
    assert (code, "Traceback" in output) == (ExitCode.BAD_INPUT, False)
    assert message in output
    assert "pw@" not in output


def test_an_empty_storage_says_what_to_do_next(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    code, output = call("list", "--storage", "store")
    assert (code, "no sweeps yet" in output) == (ExitCode.DONE, True)
    assert call("list", "--storage", "store", "--json") == (ExitCode.DONE, "[]")


def test_the_spec_goes_along_with_the_data_that_only_this_machine_has(tmp_path: Path) -> None:
    plan = make_plan(load_spec(tmp_path / "small.yaml", ["cluster=auto", "storage=elsewhere"]))
    with package(plan) as folder:
        spec = yaml.safe_load((folder / "spec.yaml").read_text())
        assert {name: spec["task"][name] for name in ("train", "dev", "test")} == {
            split: f"data/{split}.csv" for split in ("train", "dev", "test")
        }
        assert (spec["cluster"], spec["storage"]) == (None, None)
        assert (folder / "data" / "train.csv").read_bytes() == (tmp_path / "train.csv").read_bytes()
        assert make_plan(load_spec(folder / "spec.yaml")).digest == plan.digest
    assert not folder.exists()


def driven(tmp_path: Path) -> tuple[Service, KeptSweep]:
    """A sweep in a folder, and who asks for it; no cluster is asked."""
    (tmp_path / "store").mkdir()
    sweep = KeptSweep(open_storage(str(tmp_path / "store")), "demo-1")
    sweep.submit(Submission("demo-1", "demo", "ada", 0.0))
    return Service(Settings(None, str(tmp_path / "store"))), sweep


@pytest.mark.parametrize("code", [ExitCode.DONE, ExitCode.BAD_INPUT, ExitCode.NO_RESULT, ExitCode.INTERRUPTED])
def test_who_waits_gets_the_exit_code_of_the_driver(tmp_path: Path, code: ExitCode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "POLL_SECONDS", 0.05)
    service, sweep = driven(tmp_path)
    sweep.end(End(int(code), "", "", 1.0))
    assert submission._follow(service, "demo-1", "job") is code


def test_who_waits_for_a_resumed_sweep_does_not_take_its_last_end_for_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "POLL_SECONDS", 0.05)
    service, sweep = driven(tmp_path)
    sweep.end(End(130, "", "pause", 1.0))
    looks = []

    class Jobs:
        """Of the new driver, which begins while it is asked for, and ends."""

        def fault(self, job: str) -> str:
            looks.append(job)
            if len(looks) == 3:
                sweep.end(End(0, "", "", 2.0))
            return ""

    service.__dict__["jobs"] = Jobs()
    assert submission._follow(service, "demo-1", "job", last_end=1.0) is ExitCode.DONE
    assert looks == ["job"] * 3


def test_who_waits_waits_for_the_driver_s_own_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the log's, it writes tables and waits for MLflow; what errored is in its exit code alone."""
    monkeypatch.setattr(submission, "POLL_SECONDS", 0.05)
    service, sweep = driven(tmp_path)
    sweep.storage.write(STATUS, b'{"state": "finished"}')
    with ThreadPoolExecutor() as pool:
        with Lease(sweep.storage.child(CLAIMS), patience=5):
            waits = pool.submit(submission._follow, service, "demo-1", "job")
            with pytest.raises(TimeoutError):
                waits.result(0.5)
            sweep.end(End(1, "", "", 1.0))
            with pytest.raises(TimeoutError):
                waits.result(0.3)
        assert waits.result(30) is ExitCode.FAILED


def test_who_waits_for_a_driver_that_leaves_no_end_is_told_that_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "POLL_SECONDS", 0.05)
    service, sweep = driven(tmp_path)
    sweep.storage.write(STATUS, b'{"state": "finished"}')
    with ThreadPoolExecutor() as pool:
        with Lease(sweep.storage.child(CLAIMS), patience=5):
            waits = pool.submit(submission._follow, service, "demo-1", "job")
            time.sleep(0.5)
        assert waits.result(30) is ExitCode.CLUSTER_LOST


class Jobs:
    """The job server of a cluster that takes its time, up to 400 looks. called_off, driven: the sweeps it was asked to."""

    def __init__(self) -> None:
        self.called_off: list[str] = []
        self.driven: list[str] = []
        self._looks = 0

    def stop(self, sweep_id: str) -> None:
        self.called_off.append(sweep_id)

    def drive(self, sweep_id: str, entrypoint: str, environment: dict[str, str]) -> str:
        self.driven.append(sweep_id)
        return "job"

    def fault(self, job: str) -> str:
        self._looks += 1
        return "nothing begins" if self._looks > 400 else ""


@pytest.mark.parametrize(("command", "state"), [("stop", "stopped"), ("pause", "paused")])
def test_of_a_pending_sweep_the_driver_is_called_off_by_stop_and_pause_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, state: str
) -> None:
    jobs = Jobs()
    monkeypatch.setattr(Service, "jobs", jobs)
    monkeypatch.setattr(submission, "POLL_SECONDS", 0.05)
    service, sweep = driven(tmp_path)
    where = ("demo", "--storage", "store", "--address", "http://head:8265")
    for arguments in (("change", *where, "--set", "seeds=9"), ("retry", *where)):
        assert call(*arguments)[0] == ExitCode.DONE
    assert (sweep.status()["state"], jobs.called_off, jobs.driven) == ("pending", [], [])
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(submission._follow, service, "demo-1", "job")
        time.sleep(0.3)
        submission.ask_command(command, "demo", "http://head:8265", "store", as_json=False)
        assert waits.result(30) is ExitCode.INTERRUPTED
    assert (sweep.status()["state"], jobs.called_off, jobs.driven) == (state, ["demo-1"], [])
    assert f"this sweep is {state} already" in call(command, *where)[1]
    assert call("resume", *where)[0] == ExitCode.DONE
    assert (sweep.status()["state"], jobs.driven) == ("pending", ["demo-1"])
    assert [request.command for _, request in sweep.requests()] == ["change", "retry"]


def test_a_sweep_with_a_driver_gets_no_second_one_and_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs()
    monkeypatch.setattr(Service, "jobs", jobs)
    _, sweep = driven(tmp_path)
    where = ("demo", "--storage", "store", "--address", "http://head:8265")
    sweep.storage.write(STATUS, b'{"state": "interrupted"}')
    with Lease(sweep.storage.child(CLAIMS), patience=5):
        sweep.begin()
        code, said = call("resume", *where)
        assert (code, "this sweep is starting" in said) == (ExitCode.BAD_INPUT, True)
        for arguments in (("change", *where, "--set", "seeds=9"), ("stop", *where)):
            assert call(*arguments)[0] == ExitCode.DONE
    assert (jobs.called_off, jobs.driven) == ([], [])
    assert [request.command for _, request in sweep.requests()] == ["change", "stop"]


def test_files_of_any_size_come_from_a_storage_that_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_MOST_BYTES", 10)
    service, sweep = driven(tmp_path)
    sweep.storage.write("weights/c000-s0.safetensors", b"0" * 100)
    assert "weights/c000-s0.safetensors" in set(service.fetch("demo-1", tmp_path / "to"))
    assert (tmp_path / "to" / "weights" / "c000-s0.safetensors").read_bytes() == b"0" * 100
