"""`blurb-tune report`: what it writes, where, and its exit codes; it changes nothing else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from blurb_tune.cli.app import app
from blurb_tune.cli.run import write_everything
from blurb_tune.core.errors import ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog
from blurb_tune.log.lines import to_line
from blurb_tune.log.record import SweepRecord
from tests.report.sweeps import SweepWriter, large_sweep, small_sweep


def write_log(folder: Path, sweep: SweepWriter, events: Sequence[ev.Event] | None = None) -> SweepPaths:
    paths = SweepPaths(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [to_line(event) + "\n" for event in (sweep.events if events is None else events)]
    paths.events.write_text("".join(lines), encoding="utf-8")
    paths.spec.write_text("name: toy\n", encoding="utf-8")
    return paths


def report(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture
def paths(tmp_path: Path) -> SweepPaths:
    sweep = large_sweep(4, 4)
    sweep.finish()
    return write_log(tmp_path / "sweep", sweep)


def test_the_page_is_written_into_the_folder_and_nothing_else_is_touched(paths: SweepPaths) -> None:
    before = {file: file.read_bytes() for file in paths.root.iterdir()}
    done = report(paths.root)
    assert (done.exit_code, done.stdout) == (ExitCode.DONE, f"{paths.report}\n")
    assert paths.report.read_text().startswith("<!DOCTYPE html>")
    assert {file: file.read_bytes() for file in paths.root.iterdir() if file != paths.report} == before


def test_to_names_another_file(paths: SweepPaths, tmp_path: Path) -> None:
    assert report(paths.root, "--to", tmp_path / "x.html").exit_code == ExitCode.DONE
    assert (tmp_path / "x.html").is_file()
    assert not paths.report.exists()


@pytest.mark.parametrize(
    ("kind", "begin"), [("md", "# toy\n"), ("csv", "configuration,strategy,"), ("json", "{\n"), ("latex", "% \\usepackage")]
)
def test_other_formats_are_printed_or_written(paths: SweepPaths, tmp_path: Path, kind: str, begin: str) -> None:
    done = report(paths.root, "--format", kind)
    assert done.exit_code == ExitCode.DONE
    assert done.stdout.startswith(begin)
    report(paths.root, "--format", kind, "--to", tmp_path / "out")
    assert (tmp_path / "out").read_text() == done.stdout
    assert not paths.report.exists()


def test_figures_are_written_as_png_and_svg(paths: SweepPaths, tmp_path: Path) -> None:
    done = report(paths.root, "--figures", tmp_path / "figures")
    assert done.exit_code == ExitCode.DONE
    files = {file.name: file.read_bytes() for file in (tmp_path / "figures").iterdir()}
    assert files["seeds.png"].startswith(b"\x89PNG")
    assert b"<svg" in files["seeds.svg"]
    assert str(tmp_path / "figures" / "seeds.png") in done.stdout


def test_a_log_that_is_being_written_is_read_as_far_as_it_is(tmp_path: Path) -> None:
    paths = write_log(tmp_path, small_sweep())
    with paths.events.open("ab") as file:
        file.write(b'{"kind": "measured", "ti')
    writer = EventLog(tmp_path / "other.jsonl", paths.lock)  # holds the lock, as a driver does
    try:
        assert report(tmp_path).exit_code == ExitCode.DONE
    finally:
        writer.close()
    assert "not finished" in paths.report.read_text()


def test_what_is_no_sweep_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLURB_TUNE_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("BLURB_TUNE_STORAGE", raising=False)
    for sweep in (tmp_path, tmp_path / "missing", "toy-1a2b"):
        assert report(sweep).exit_code == ExitCode.BAD_INPUT
    assert report(tmp_path, "--format", "hmtl").exit_code == ExitCode.BAD_INPUT


def test_an_unknown_format_gets_the_nearest_and_watch_is_for_the_page(paths: SweepPaths) -> None:
    assert "did you mean 'html'" in report(paths.root, "--format", "hmtl").stderr
    assert report(paths.root, "--format", "md", "--watch").exit_code == ExitCode.BAD_INPUT
    assert report(paths.root, "--format", "md", "--open").exit_code == ExitCode.BAD_INPUT


def test_an_empty_or_damaged_log_is_said(tmp_path: Path) -> None:
    paths = write_log(tmp_path, small_sweep(), [])
    done = report(tmp_path)
    assert done.exit_code == ExitCode.FAILED
    assert "has not begun" in done.stderr
    paths.events.write_text("{}\n{}\n")
    assert report(tmp_path).exit_code == ExitCode.FAILED
    assert not paths.report.exists()


def test_a_page_that_cannot_be_written_names_to(paths: SweepPaths, tmp_path: Path) -> None:
    done = report(paths.root, "--to", tmp_path / "missing" / "x.html")
    assert done.exit_code == ExitCode.FAILED
    assert "--to names another file" in " ".join(done.stderr.split())


def test_a_sweep_in_a_storage_is_found_by_the_beginning_of_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(tmp_path / "storage" / "toy-1a2b3c4d", small_sweep())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = report("toy-1a", "--storage", tmp_path / "storage")
    assert (done.exit_code, done.stdout) == (ExitCode.DONE, "toy-1a2b3c4d.html\n")
    assert "not finished" in Path("toy-1a2b3c4d.html").read_text()
    assert [file.name for file in (tmp_path / "storage" / "toy-1a2b3c4d").iterdir() if file.suffix == ".html"] == []
    assert report("toy-9", "--storage", tmp_path / "storage").exit_code == ExitCode.BAD_INPUT


def wait_for_text(file: Path, text: str) -> None:
    end = time.monotonic() + 60
    while not (file.exists() and text in file.read_text()):
        assert time.monotonic() < end, f"{file} has no {text}"
        time.sleep(0.05)


def test_watch_renews_the_page_until_the_sweep_has_ended(tmp_path: Path) -> None:
    sweep = large_sweep(4, 4)
    half = len(sweep.events) // 2
    sweep.finish()
    paths = write_log(tmp_path, sweep, sweep.events[:half])
    command = [sys.executable, "-m", "blurb_tune", "report", str(tmp_path), "--watch", "--every", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        wait_for_text(paths.report, ' data-renew="1.0"')
        write_log(tmp_path, sweep)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == ExitCode.DONE
    assert output == f"{paths.report}\nthe sweep is finished\n"
    page = paths.report.read_text()
    assert " data-renew=" not in page
    assert "finished after 1 min 00 s" in page


def test_who_ends_the_watch_leaves_a_page_that_does_not_renew(tmp_path: Path) -> None:
    paths = write_log(tmp_path, small_sweep())
    figures = tmp_path / "figures"
    command = [sys.executable, "-m", "blurb_tune", "report", str(tmp_path), "--watch", "--figures", str(figures)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_text(paths.report, " data-renew=")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == ExitCode.INTERRUPTED
    finally:
        process.kill()
    assert " data-renew=" not in paths.report.read_text()
    assert (figures / "seeds.png").is_file()


def test_a_watch_of_a_sweep_that_has_ended_writes_the_figures_too(paths: SweepPaths, tmp_path: Path) -> None:
    done = report(paths.root, "--watch", "--figures", tmp_path / "figures")
    assert done.exit_code == ExitCode.DONE
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == (str(paths.report), "the sweep is finished")
    assert str(tmp_path / "figures" / "seeds.png") in lines
    assert (tmp_path / "figures" / "seeds.png").is_file()


def test_a_sweep_that_ends_has_its_report(paths: SweepPaths) -> None:
    assert write_everything(SweepRecord.read(paths.events), paths) == []
    assert paths.report.is_file()
    assert json.loads(paths.summary.read_text())["name"] == "toy"


def test_a_fault_of_the_report_is_none_of_the_sweep(
    paths: SweepPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("blurb_tune.report.sections.answer_of", stumble)
    assert write_everything(SweepRecord.read(paths.events), paths) == []
    assert "no report, because of a fault in it: ZeroDivisionError('a fault')" in capsys.readouterr().err
    assert not paths.report.exists()
    assert paths.summary.is_file()


def test_a_page_that_cannot_be_written_is_told(paths: SweepPaths) -> None:
    record = SweepRecord.read(paths.events)
    paths.report.unlink(missing_ok=True)
    paths.report.mkdir()
    assert any("report.html" in fault for fault in write_everything(record, paths))


def test_it_needs_no_torch_ray_or_mlflow(paths: SweepPaths) -> None:
    heavy = {"torch", "ray", "mlflow", "transformers", "datasets"}
    script = (
        "import sys; from blurb_tune.cli.app import app; "
        f"app(['report', {str(paths.root)!r}], standalone_mode=False); print(sorted({heavy!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr
