"""The services of compose.yaml as processes: they come up, ask for a login, run a sweep, and leave nothing behind."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import psutil
import pytest

from blurb_tune.core.errors import ExitCode
from blurb_tune.core.storage import open_storage
from blurb_tune.log.event_log import read_events
from blurb_tune.log.events import TrialStarted
from blurb_tune.service.kept_sweeps import Sweeps
from tests.cli.test_app import invoke
from tests.conftest import require
from tests.learnable import write_spec
from tests.stack import ROOT

pytestmark = pytest.mark.service
Call = Callable[..., "subprocess.CompletedProcess[str]"]
_PATIENCE = 600.0


def _status(url: str, authorization: str | None = None, data: bytes | None = None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    try:
        with urlopen(Request(url, data, headers, method="PUT" if data else "GET"), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def _basic(stack: dict[str, str], password: str | None = None) -> str:
    login = f"{stack['MLFLOW_TRACKING_USERNAME']}:{password or stack['MLFLOW_TRACKING_PASSWORD']}"
    return "Basic " + base64.b64encode(login.encode()).decode()


def test_mlflow_wants_a_login_and_keeps_artifacts_in_s3(stack: dict[str, str]) -> None:
    runs = stack["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert _status(runs) == 401
    assert _status(runs, _basic(stack, "password1234")) == 401
    assert _status(runs, _basic(stack)) == 200
    artifact = stack["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow-artifacts/artifacts/here.txt"
    assert _status(artifact, _basic(stack), b"kept") == 200
    s3 = boto3.client(
        "s3",
        endpoint_url=stack["AWS_ENDPOINT_URL"],
        aws_access_key_id=stack["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack["AWS_SECRET_ACCESS_KEY"],
        region_name=stack["AWS_DEFAULT_REGION"],
    )
    assert s3.get_object(Bucket="blurb-tune", Key="mlflow/here.txt")["Body"].read() == b"kept"


def test_ray_wants_its_token(stack: dict[str, str]) -> None:
    jobs = stack["RAY_ADDRESS"] + "/api/jobs/"
    assert _status(jobs) == 401
    assert _status(jobs, "Bearer 0123456789abcdef") == 403
    assert _status(jobs, f"Bearer {stack['RAY_AUTH_TOKEN']}") == 200


@pytest.mark.parametrize(
    ("host", "path", "status", "text"),
    [
        ("ray", "/api/jobs/", 401, "Missing authentication token"),
        ("mlflow", "/health", 200, "OK"),
        ("mlflow", "/", 401, "You are not authenticated"),
        ("s3", "/", 404, "NoSuchBucket"),  # moto takes the first word of the host for a bucket
    ],
)
def test_the_proxy_speaks_tls_for_each_of_them(stack: dict[str, str], host: str, path: str, status: int, text: str) -> None:
    require(shutil.which("caddy") is not None, "Caddy")
    address, port = stack["HTTPS_ADDRESS"].split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its own authority
    name = f"{host}.{stack['DOMAIN']}"
    connection = http.client.HTTPConnection(name, int(port), timeout=30)
    connection.sock = context.wrap_socket(socket.create_connection((address, int(port))), server_hostname=name)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == status
        assert text in answer.read().decode()


def test_no_secret_is_on_a_command_line(stack: dict[str, str]) -> None:
    secrets = {value for name, value in stack.items() if any(word in name for word in ("PASSWORD", "SECRET", "TOKEN"))}
    assert len(secrets) >= 5
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if any(secret in line for secret in secrets)]


@pytest.fixture
def call(stack: dict[str, str], tmp_path: Path) -> Call:
    """The program, in the environment of a client of the stack."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | stack | {"PYTHONPATH": str(ROOT), "BLURB_TUNE_CONFIG": str(tmp_path / "none.yaml")}
        done = subprocess.run(
            [sys.executable, "-m", "blurb_tune", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
        return done

    return run


def until(stack: dict[str, str], sweep_id: str, *states: str) -> dict[str, Any]:
    """The status once it is one of `states`; from the storage, for a command each time would take the sweep's own cores."""
    sweep = Sweeps(open_storage(stack["BLURB_TUNE_STORAGE"])).find(sweep_id)
    deadline = time.monotonic() + _PATIENCE
    while True:
        status = sweep.status()
        if status["state"] in states:
            return status
        assert time.monotonic() < deadline, status
        time.sleep(2)


@pytest.mark.ray
@pytest.mark.slow
def test_a_sweep_is_submitted_paused_resumed_and_fetched(
    call: Call, stack: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What asks the job server is a process of its own; the rest, which asks the storage, is called in this one.

    One trial at a time: for two, two processes of each driver would import what trials need.
    """
    for name in ("BLURB_TUNE_STORAGE", *(name for name in stack if name.startswith("AWS_"))):
        monkeypatch.setenv(name, stack[name])
    monkeypatch.setenv("BLURB_TUNE_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.chdir(tmp_path)
    settings: dict[str, Any] = {"final_test": False, "resources": {"concurrency": 1}, "recovery": {"checkpoint_minutes": 0.02}}
    write_spec(tmp_path, **settings, space={"strategy": ["vanilla", {"freeze_depth": 1}]})
    assert "fault" not in call("doctor").stdout
    call("submit", "small.yaml", "--set", "name=other", "-y")
    other = json.loads(invoke("list", "--json").stdout)[0]["id"]
    call("stop", other[:7])
    sent = json.loads(call("submit", "small.yaml", "-y", "--json").stdout)
    until(stack, sent["id"], "running")
    assert invoke("pause", sent["id"]).exit_code == ExitCode.DONE
    assert until(stack, sent["id"], "paused")["owner"] == sent["owner"]
    assert invoke("pause", sent["id"]).exit_code == ExitCode.BAD_INPUT
    call("resume", sent["id"])
    done = until(stack, sent["id"], "finished")
    assert (done["progress"], done["best"]["n"]) == (1.0, 2)
    assert [sweep["id"] for sweep in json.loads(invoke("list", "--json").stdout)] == [sent["id"], other]
    until(stack, other, "stopped")

    assert "sweep small started" in invoke("logs", sent["id"]).stdout
    # The pause may have come before the first attempt's process wrote a line.
    log = invoke("logs", sent["id"], "--trial", "c000-s0").stdout
    assert re.search(r"c000-s0, attempt [12] on .*\n(.*\n)*.* completed\n", log)
    assert invoke("fetch", sent["id"], "--to", "here").exit_code == ExitCode.DONE
    fetched = tmp_path / "here" / sent["id"]
    rows = (fetched / "trials.csv").read_text().splitlines()
    assert len(rows) == 1 + 4
    starts = [event for event, _ in read_events(fetched / "events.jsonl") if isinstance(event, TrialStarted)]
    assert len({(start.trial, start.attempt) for start in starts}) == len(starts) >= 4
    assert invoke("change", sent["id"], "--set", "sed=1").exit_code == ExitCode.BAD_INPUT
