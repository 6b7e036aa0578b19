"""The fork server: what it forks is what was asked for, and nobody is left behind. `test_driver` runs sweeps on it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from blurb_tune.execution import worker
from blurb_tune.execution.forkserver import ADDRESS, HOME, fork_server, search_path
from blurb_tune.execution.worker import _run_forked

_SAYS = """
import json, os, sys
print(json.dumps({"argv": sys.argv, "folder": os.getcwd(), "is": __name__, "session": os.getsid(0) == os.getpid(),
    "environment": dict(os.environ), "torch": "torch" in sys.modules, "files": len(os.listdir("/proc/self/fd"))}))
sys.exit(7)
"""
_IMPORTS = """
import json, sys
print(json.dumps("accelerate" in sys.modules or "sklearn" in sys.modules))
import accelerate, scipy.stats
print(json.dumps([accelerate.__name__, scipy.stats.norm.cdf(0.0)]))
"""
_SLEEPS = "import os, sys, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """That of the sweeps of these tests, where there are any: it has imported everything already."""
    with fork_server():
        yield os.environ[ADDRESS]


def program(folder: Path, text: str) -> str:
    file = folder / "program.py"
    file.write_text(text)
    return str(file)


@contextmanager
def asked_for(command: list[str], **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A process that asks for another to run `command`, which prints to the same output."""
    code = "import sys; from blurb_tune.execution.worker import _run_forked; sys.exit(_run_forked(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, *command],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        yield process


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def check_that_it_serves(file: str) -> None:
    with asked_for([file]) as process:
        assert line_of(process)
        assert process.wait() == 7


@pytest.mark.slow
def test_a_forked_process_is_as_one_that_was_started(server: str, tmp_path: Path) -> None:
    file = program(tmp_path, _SAYS)
    with asked_for([file, "--one", "two"], HUE="blue") as process:
        found: dict[str, Any] = json.loads(line_of(process))
        assert process.wait() == 7, "its exit code is passed on"
    assert (found["argv"], found["folder"], found["is"]) == ([file, "--one", "two"], str(Path.cwd()), "__main__")
    assert found["environment"] == {**os.environ, "HUE": "blue"}
    assert found["torch"], "it is imported"
    assert found["session"], "no signal to the driver's group comes to it"
    assert found["files"] == 4, "standard input, output and error, and the folder that it lists"


@pytest.mark.slow
def test_what_no_trial_uses_is_not_imported_and_can_be(server: str, tmp_path: Path) -> None:
    """A user's environment may have them, and transformers imports what it finds."""
    with asked_for([program(tmp_path, _IMPORTS)]) as process:
        assert [json.loads(line_of(process)) for _ in range(2)] == [False, ["accelerate", 0.5]]
        assert process.wait() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no')", 1, "no"),
        ("1 / 0", 1, "ZeroDivisionError"),
    ],
)
def test_a_forked_process_ends_as_any_other(end: str, code: int, said: str, server: str, tmp_path: Path) -> None:
    file = program(tmp_path, f"import atexit, sys\natexit.register(print, 'the end')\nprint('half', end=' ')\n{end}")
    with asked_for([file]) as process:
        output = process.communicate()[0]
        assert process.returncode == code
    assert "half" in output
    assert output.endswith("the end\n")
    assert said in output


@pytest.mark.slow
def test_no_two_forked_processes_draw_the_same_name(server: str, tmp_path: Path) -> None:
    """Ray's generator starts in each; two objects of one name in its store end the second process, and a start hangs."""
    file = program(tmp_path, "import ray\nprint(ray.UniqueID.from_random().hex())")
    names = set()
    for _ in range(3):
        with asked_for([file]) as process:
            names.add(line_of(process))
    assert len(names) == 3


@pytest.mark.slow
def test_whoever_comes_early_gets_a_process_before_all_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    rooms = ("prepare", "trainable")
    file = program(tmp_path, f"import sys\nprint([f'blurb_tune.execution.{{room}}' in sys.modules for room in {rooms}])")
    with fork_server():
        with asked_for([file]) as first:
            assert line_of(first) == "[True, False]\n"
        with asked_for([file]) as second:
            assert line_of(second) == "[True, True]\n"
    assert ADDRESS not in os.environ


@pytest.mark.slow
def test_a_process_ends_with_whoever_asked_for_it(server: str, tmp_path: Path) -> None:
    with asked_for([program(tmp_path, _SLEEPS)]) as process:
        forked = psutil.Process(int(line_of(process)))
        process.kill()
    forked.wait(timeout=30)
    check_that_it_serves(program(tmp_path, _SAYS))


@pytest.mark.slow
def test_who_asks_for_nonsense_gets_nothing(server: str, tmp_path: Path) -> None:
    for data in (b"", b"        ", b"99999999", b"       9[1,", b"       2{}"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(server)
            connection.sendall(data)
    check_that_it_serves(program(tmp_path, _SAYS))


@pytest.mark.slow
def test_nobody_outlives_the_server_or_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it ends; what it has imported by then does not matter."""
    monkeypatch.delenv(ADDRESS, raising=False)
    for name in ("torch", "transformers"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(HOME)]))
    code = (
        "import os, sys; from blurb_tune.execution.forkserver import fork_server\n"
        "with fork_server(): print(os.environ['BLURB_TUNE_FORK_SERVER'], flush=True); sys.stdin.read()"
    )
    for ends in ("owner", "server"):
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen([sys.executable, "-c", code], **pipes) as owner:
            address = line_of(owner).strip()
            (serving,) = psutil.Process(owner.pid).children()
            with asked_for([program(tmp_path, _SLEEPS)], **{ADDRESS: address}) as process:
                forked = psutil.Process(int(line_of(process)))
                os.kill(owner.pid if ends == "owner" else serving.pid, signal.SIGKILL)
                assert process.wait(timeout=30) == 256 - signal.SIGKILL
            owner.kill()  # only then is nobody left who would have to take notice of the server's end
            forked.wait(timeout=30)
            serving.wait(timeout=30)


def test_without_a_server_a_process_becomes_ray_s_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class BecomesError(Exception):
        pass

    def become(path: str, command: list[str]) -> None:
        raise BecomesError(command)

    monkeypatch.setattr(os, "execv", become)
    monkeypatch.delenv(ADDRESS, raising=False)
    own = [sys.executable, worker._program(), "--x"]
    assert Path(own[1]).is_file()
    for address in (None, str(tmp_path / "nothing")):
        if address is not None:
            monkeypatch.setenv(ADDRESS, address)
        with pytest.raises(BecomesError) as caught:
            worker.main(["--x"])
        assert caught.value.args == (own,)
    monkeypatch.setattr(worker, "_SECONDS_TO_END", 0.1)
    ended = (0, -signal.SIGKILL, -signal.SIGTERM, int(signal.SIGTERM))
    for code, is_own in ((1, True), (-signal.SIGABRT, True), *((code, False) for code in ended)):
        monkeypatch.setattr(worker, "_run_forked", lambda command, code=code: code)
        if is_own:
            with pytest.raises(BecomesError):
                worker.main(["--x"])
        else:
            assert worker.main(["--x"]) == (code if code >= 0 else 128 - code)


def test_a_process_that_ends_with_its_raylet_is_not_replaced(tmp_path: Path) -> None:
    """It would wait half a minute for a Ray that is gone."""
    code = (
        "import os, time; from blurb_tune.execution import worker\n"
        f"if os.fork(): print(open({str(tmp_path / 'pipe')!r}).read(), flush=True); os._exit(0)\n"
        f"file = open({str(tmp_path / 'pipe')!r}, 'w')\n"
        "worker._run_forked = lambda command: (file.write('it has ended'), file.close(), 1)[2]\n"
        f"ended = worker.main([]); open({str(tmp_path / 'code')!r}, 'w').write(str(ended))"
    )
    os.mkfifo(tmp_path / "pipe")
    done = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, timeout=60)
    assert done.stdout == "it has ended\n", done.stderr
    assert (tmp_path / "code").read_text() == "1"


def test_it_imports_nothing_from_the_folders_of_script_and_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    work, script, other = (tmp_path / name for name in ("work", "script", "other"))
    for folder in (work, script, other):
        folder.mkdir()
    monkeypatch.setattr(sys, "argv", [str(script / "run.py")])
    monkeypatch.setattr(sys, "path", [str(script), "", str(work), str(other), str(HOME)])
    monkeypatch.chdir(work)
    assert search_path() == [str(other), str(HOME)]
    monkeypatch.chdir(HOME)  # where this package lies
    assert search_path() == [str(HOME), str(work), str(other), str(HOME)]


def test_a_server_is_no_condition(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a socket cannot have the path, or there is no folder for it."""
    monkeypatch.delenv(ADDRESS, raising=False)
    long = tmp_path / ("x" * 100)
    long.mkdir()
    for folder in (long, tmp_path / "nothing"):
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        with fork_server():
            assert ADDRESS not in os.environ
    assert list(long.iterdir()) == []


def test_one_server_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, "/there")
    with fork_server():
        assert os.environ[ADDRESS] == "/there"
    assert os.environ[ADDRESS] == "/there"
    assert _run_forked(["x"]) is None
