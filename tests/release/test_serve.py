"""`blurb-tune serve` as a person meets it: a line to copy, answers by HTTP, no file of the folder's imported, and no process
left behind Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow.environment_variables import _MLFLOW_IS_IN_SERVING_ENVIRONMENT
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

from blurb_tune.cli.app import app
from blurb_tune.core.errors import ExitCode
from blurb_tune.release.folder import Facts
from tests.cli.test_surroundings import set_traps
from tests.release.conftest import ANSWERS, PAIRS, WORDS, MakeModel
from tests.release.test_scoring import ANSWER_ROWS, PAIR_ROWS, WORD_ROWS, loaded, predicted
from tests.tracking.conftest import free_port, wait_until

ROOT = Path(__file__).parent.parent.parent
Post = Callable[[str], tuple[int, Any]]


def ask(address: str, body: str) -> tuple[int, Any]:
    request = urllib.request.Request(address, body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def check_answers(
    post: Post, folder: Path, rows: list[dict[str, Any]], wrong: dict[str, Any], said: str, scratch: Path
) -> None:
    """To rows that `predict` can read, and to one that it cannot."""
    status, answer = post(json.dumps({"dataframe_records": rows}))
    assert (status, answer["predictions"]) == (200, list(predicted(folder, rows, scratch)))
    status, answer = post(json.dumps({"dataframe_records": [wrong]}))
    assert status == 400
    assert said in answer["message"]
    assert "Traceback" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("facts", "rows", "wrong", "said"),
    [
        (PAIRS, PAIR_ROWS, {"note": "", "other": "b"}, 'row 1: note: expected a text, but got ""'),
        (WORDS, WORD_ROWS, {"words": []}, "row 1: words: expected a text or a list of words, but got []"),
    ],
    ids=["pairs", "words"],
)
def test_the_server_answers_what_predict_writes(
    make_model: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    facts: Facts,
    rows: list[dict[str, Any]],
    wrong: dict[str, Any],
    said: str,
) -> None:
    """MLflow's own application, in this process."""
    monkeypatch.setenv(_MLFLOW_IS_IN_SERVING_ENVIRONMENT.name, "true")  # it sets this itself, for good
    folder = make_model(facts)
    client = TestClient(scoring_server.init(loaded(folder, tmp_path / "mlflow")))

    def post(body: str) -> tuple[int, Any]:
        answer = client.post("/invocations", content=body, headers={"Content-Type": "application/json"})
        return answer.status_code, answer.json()

    check_answers(post, folder, rows, wrong, said, tmp_path)


@pytest.mark.service
@pytest.mark.slow
def test_a_line_to_copy_answers_and_no_process_is_left(make_ensemble: MakeModel, tmp_path: Path) -> None:
    folder, out, err = make_ensemble(ANSWERS), tmp_path / "out", tmp_path / "err"
    caught = set_traps(folder)
    command = [sys.executable, "-m", "blurb_tune", "serve", ".", "--port", str(free_port())]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=folder, stdout=stdout, stderr=stderr, env=environment)
    try:
        wait_until(lambda: out.read_text().count("\n") == 2 or process.poll() is not None, "it has said how to ask", 240)
        assert process.poll() is None, err.read_text()
        started = psutil.Process(process.pid).children(recursive=True)
        curl, address, header, _, option, body = shlex.split(out.read_text().splitlines()[1])
        assert (curl, header, option) == ("curl", "-H", "-d")
        status, answer = ask(address, body)
        assert (status, len(answer["predictions"])) == (200, 1)
        wrong, said = {"question": ["a"], "note": "b"}, 'row 1: question: expected a text, but got ["a"]'
        check_answers(partial(ask, address), folder, ANSWER_ROWS, wrong, said, tmp_path)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.read_text().splitlines() in ([], ["interrupted"])
    assert started
    assert not [child for child in started if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert list(tmp_path.glob("blurb-tune-*")) == []
    assert not caught.exists(), caught.read_text()


def test_a_folder_that_is_none_and_a_port_that_is_taken(
    make_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, said in (
            ([str(make_model()), "--port", str(port)], "cannot be listened on"),
            ([str(tmp_path), "--port", str(free_port())], "this is no exported model"),
            ([str(tmp_path), "--host", "no.such.host.invalid"], "is no address of this machine"),
        ):
            with pytest.raises(SystemExit) as end:
                app(["serve", *arguments])
            assert end.value.code == ExitCode.BAD_INPUT
            assert said in " ".join(capsys.readouterr().err.split())
