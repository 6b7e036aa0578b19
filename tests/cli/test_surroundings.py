"""The program where machines are not as one would wish: variables, folders, files and rights that others have set up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blurb_tune.cli import _leave_working_folder
from blurb_tune.core.errors import ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution.forkserver import ADDRESS
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import find_events
from tests.cli.test_app import ROOT, command
from tests.learnable import write_spec

# What others import, none of it from the user's folder.
TRAPS = ("profile", "statistics", "torch", "queue", "random", "yaml", "token", "select", "numbers")


def set_traps(folder: Path) -> Path:
    """Files that are called like modules, and leave their names in the file that is returned when one imports them."""
    caught = folder / "caught"
    for name in TRAPS:
        (folder / f"{name}.py").write_text(f"with open({str(caught)!r}, 'a') as file: file.write({name!r})\n")
    return caught


@pytest.mark.parametrize("module", ["blurb_tune", "blurb_tune.cli"])
def test_files_of_the_user_that_are_called_like_modules_are_not_imported(tmp_path: Path, module: str) -> None:
    caught = set_traps(tmp_path)
    (tmp_path / "s.yaml").write_text("task: demo\nmodel: tiny\n")
    arguments = [*command()[:2], module, "validate", "s.yaml"]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == ExitCode.DONE, done.stderr
    assert not caught.exists(), caught.read_text()


def test_the_working_folder_is_left_also_where_the_program_is_installed_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    main = ROOT / "blurb_tune" / "__main__.py"
    for path, argument, is_left in (
        (ROOT.parent, main, True),
        (ROOT, main, False),
        (ROOT.parent, ROOT / "bin" / "blurb-tune", False),  # which is no working folder
    ):
        monkeypatch.setattr(sys, "path", [str(path), "/other"])
        monkeypatch.setattr(sys, "argv", [str(argument)])
        _leave_working_folder()
        assert sys.path == (["/other"] if is_left else [str(path), "/other"])


@pytest.mark.ray
@pytest.mark.slow
def test_a_sweep_runs_in_bad_surroundings(tmp_path: Path) -> None:
    """All at once: a home that cannot be, a folder for temporary files with a long name, a proxy that is away, a backend of
    Jupyter's, a terminal that knows ASCII, traps for imports, and one CPU of several."""
    caught = set_traps(tmp_path)
    write_spec(tmp_path, seeds=1, space={"strategy": ["vanilla"]}, final_test=False)
    long = tmp_path / ("x" * 100)
    long.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in (ADDRESS, "RAY_TMPDIR", "BLURB_CACHE_DIR")}
    bad = {
        "HOME": "/proc/none",
        "TMPDIR": str(long),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii",
        "PYTHONPATH": str(ROOT),
    }
    cpu = min(os.sched_getaffinity(0))
    done = subprocess.run(
        command("run", "small.yaml", "--output", "out"),
        cwd=tmp_path,
        env=kept | bad,
        capture_output=True,
        encoding="ascii",
        timeout=300,
        preexec_fn=lambda: os.sched_setaffinity(0, {cpu}),
    )
    assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "The answer" in done.stdout
    assert not caught.exists(), caught.read_text()
    paths = SweepPaths(tmp_path / "out")
    assert [event.slots for event in find_events(paths.events, ev.SweepStarted)] == [1]
    assert paths.report.stat().st_size
