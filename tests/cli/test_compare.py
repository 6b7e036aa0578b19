"""`blurb-tune compare`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blurb_tune.cli.app import app
from blurb_tune.core.errors import ExitCode
from tests.report.comparison.examples import FREEZE, VANILLA, in_folder, numbered, written

ROOT = Path(__file__).parent.parent.parent
HEAVY = {"torch", "ray", "mlflow", "transformers", "datasets", "matplotlib"}


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    scores = {"c0": (VANILLA, numbered(0.1, 0.2, 0.3, 0.2, 0.1)), "c1": (FREEZE, numbered(0.8, 0.9, 0.7, 0.8, 0.9))}
    return [str(in_folder(written(task, scores, task=task), tmp_path / task)) for task in ("biosses", "ddi")]


def test_the_terminal_has_every_table(folders: list[str]) -> None:
    done = CliRunner().invoke(app, ["compare", *folders])
    assert done.exit_code == ExitCode.DONE, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2 sweeps, 2 tasks, 1 model, 2 strategies: biosses, ddi.")
    cells = [line.split() for line in lines]
    assert ["freeze", "2", "0.82", "(0.08)", "+", "0.82", "(0.08)", "+"] in cells
    assert any(" ".join(line) == "freeze 2 (c1) 5:5 +0.64 +0.52 to +0.76 0.016 1.00 0 of 5 0 to 43 % 2" for line in cells)
    assert any(line.startswith("On 2 of 2 tasks a strategy is better than vanilla by more than chance") for line in lines)
    assert max(map(len, lines)) <= 120


def test_sweeps_that_have_just_begun_are_compared_as_far_as_they_go(tmp_path: Path) -> None:
    folders = []
    for name in ("a", "b"):
        sweep = written(name, {"c0": (VANILLA, {})}, seeds=(0, 1), finished=False)
        sweep.start("c0", 0)
        folders.append(str(in_folder(sweep, tmp_path / name)))
    done = CliRunner().invoke(app, ["compare", *folders])
    assert done.exit_code == ExitCode.DONE, done.output
    assert "a and b have not ended: the numbers are those so far." in " ".join(done.stdout.split())


def test_a_narrow_terminal_breaks_no_word(folders: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blurb_tune.cli.compare._PLAIN_WIDTH", 60)
    done = CliRunner().invoke(app, ["compare", *folders])
    words = {word for line in done.stdout.splitlines() for word in line.split()}
    assert {"strategy", "vanilla", "interval", "needed", "+0.52", "+0.76"} <= words
    assert max(map(len, done.stdout.splitlines())) <= 60


@pytest.mark.parametrize("form", ["terminal", "html", "md", "csv", "json", "latex"])
def test_a_file_holds_what_would_be_printed(folders: list[str], tmp_path: Path, form: str) -> None:
    target = tmp_path / "out.txt"
    done = CliRunner().invoke(app, ["compare", *folders, "--format", form, "--to", str(target)])
    assert (done.exit_code, done.stdout) == (ExitCode.DONE, f"{target}\n")
    printed = CliRunner().invoke(app, ["compare", *folders, "--format", form])
    assert target.read_text().split() == printed.stdout.split()


def test_mistakes_are_all_named(folders: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["compare", *folders, "--format", "jsno", "--to", str(tmp_path / "no" / "x")])
    assert done.exit_code == ExitCode.BAD_INPUT
    assert "unknown format 'jsno'; did you mean 'json'?" in done.stderr
    assert "there is no folder" in done.stderr
    done = CliRunner().invoke(app, ["compare", folders[0], str(tmp_path)])
    assert done.exit_code == ExitCode.BAD_INPUT
    assert "It holds sweeps itself: biosses, ddi" in done.stderr
    assert done.stdout == ""


def test_a_damaged_log_fails(folders: list[str]) -> None:
    log = Path(folders[1]) / "events.jsonl"
    log.write_text(log.read_text().replace('"metric": "pearson"', '"metric": "spearman"', 1))
    done = CliRunner().invoke(app, ["compare", *folders])
    assert done.exit_code == ExitCode.FAILED
    assert "events.jsonl:1" in done.stderr


def test_nothing_heavy_is_imported(folders: list[str]) -> None:
    code = (
        "import sys; from blurb_tune.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", code, "compare", *folders, "--format", "json"]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "HEAVY []", done.stdout + done.stderr
    assert json.loads(done.stdout.rpartition("HEAVY")[0])["sweeps"]
