"""Where secrets get to: a real sweep, with a real server, whose every trace is searched for marked ones."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from blurb_tune.cli.app import validate
from blurb_tune.cli.tracking import open_dashboard
from blurb_tune.core.errors import ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.secrets import VARIABLES
from blurb_tune.tracking.addresses import basic_token
from tests.learnable import write_spec
from tests.tracking.conftest import ServerProcess, look, wait_until

ROOT = Path(__file__).parent.parent.parent
MARK = "m4rked"


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Ray's sockets have names of a hundred characters at most."""
    with tempfile.TemporaryDirectory(prefix="bt-") as name:
        yield Path(name)


def holds(content: bytes, secrets: set[bytes]) -> bool:
    return any(secret in content for secret in secrets)


def told(folder: Path, secrets: set[bytes]) -> list[Path]:
    """The files of a folder that hold a secret, in their name or in their content."""
    files = [file for file in folder.rglob("*") if not file.is_symlink()]
    assert files, f"{folder} holds nothing to search"
    return [
        file
        for file in files
        if holds(os.fsencode(file.name), secrets) or (file.is_file() and holds(file.read_bytes(), secrets))
    ]


def command_lines() -> Iterator[bytes]:
    """What `ps` shows of every process of this machine."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield process.read_bytes()
        except OSError:  # it has just ended
            continue


@pytest.mark.ray
@pytest.mark.service
@pytest.mark.slow
def test_a_sweep_leaves_no_secret_behind(
    tmp_path: Path,
    short_folder: Path,
    mlflow_server: ServerProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = mlflow_server
    server.start()
    marked = {name: f"{MARK}-{name}-0123456789" for name in VARIABLES}
    password = marked["MLFLOW_TRACKING_PASSWORD"] = f"{MARK}-password"
    uri = server.url.replace("http://", f"http://me:{password}@")
    secrets = {MARK.encode(), basic_token("me", password).encode(), base64.b64encode(password.encode())[:-4]}
    work = tmp_path / "work"
    work.mkdir()
    write_spec(work, seeds=1, space={"strategy": ["vanilla"]}, tracking={"uri": "${MY_MLFLOW}"}, final_test=False)
    environment = os.environ | marked | {"MY_MLFLOW": uri, "PYTHONPATH": str(ROOT), "TMPDIR": str(short_folder)}
    environment |= {"RAY_TMPDIR": str(short_folder), "HF_HUB_OFFLINE": "1"}
    program = [sys.executable, "-m", "blurb_tune"]
    output = short_folder / "output"
    modes: set[int] = set()
    listed: list[bytes] = []
    with output.open("wb") as stream:
        run = [*program, "run", "small.yaml", "--output", "out"]
        process = subprocess.Popen(run, cwd=work, env=environment, stdout=stream, stderr=stream)
        deadline = time.monotonic() + 250
        while process.poll() is None:
            assert time.monotonic() < deadline
            listed += [line for line in command_lines() if holds(line, secrets)]
            modes |= {stat.S_IMODE(folder.stat().st_mode) for folder in short_folder.glob("blurb-tune-*")}
            time.sleep(0.5)
    assert listed == []
    assert process.returncode == ExitCode.DONE, output.read_text()
    assert modes == {0o700}, "what Tune pickles is for nobody else to write"
    paths = SweepPaths(work / "out")
    assert "uri: ${MY_MLFLOW}" in paths.spec.read_text()
    wait_until(lambda: look(server.url, "blurb-tune/train").get("sweep"), "the runs have arrived")
    assert (server.log.parent / "files").is_dir(), "files have arrived"
    assert list(short_folder.glob("ray/session_*/logs")), "Ray's session logs are there to be searched"
    for folder in (work, server.log.parent, short_folder):
        assert told(folder, secrets) == []

    for name, value in (marked | {"MY_MLFLOW": uri}).items():
        monkeypatch.setenv(name, value)
    validate(work / "small.yaml")
    open_dashboard(paths, "127.0.0.1", 5000)
    monkeypatch.setenv("MY_MLFLOW", uri.replace(server.url[-5:], "1/"))
    validate(work / "small.yaml")
    monkeypatch.delenv("MY_MLFLOW")
    with pytest.raises(typer.Exit):
        validate(work / "small.yaml")
    shown = capsys.readouterr()
    assert not holds((shown.out + shown.err).encode(), secrets)
    assert shown.out.count("is valid") == 2
    assert f"{server.url}/#/experiments/" in shown.out
    assert "does not answer" in " ".join(shown.out.split())
    assert "MY_MLFLOW, which stands here as ${MY_MLFLOW}, is not set" in shown.err
