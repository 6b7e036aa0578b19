"""The command line as a user meets it: real processes, exit codes, output; in this process where that makes no difference."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from blurb_tune.cli.app import app
from blurb_tune.core.errors import ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import HYPERPARAMETER_NAMES
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from tests.learnable import write_spec

ROOT = Path(__file__).parent.parent.parent
UNCONTROLLED = {"control_share": 0.0}
HEAVY = {"torch", "ray", "mlflow", "transformers", "optuna"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "blurb_tune.cli", *arguments]


def call(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command(*arguments), cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def invoke(*arguments: str) -> Result:
    """The same program in this process, without seconds of imports; an error that would be a traceback is raised."""
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, arguments, catch_exceptions=False)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["tasks"], ["models"], ["validate", "sweeps/quickstart.yaml"]]
)
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from blurb_tune.cli import main; sys.argv[1:] = sys.argv[2:]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, "-", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "HEAVY []", done.stdout + done.stderr


def test_no_example_is_wrapped_in_a_terminal_of_80_columns() -> None:
    """Each stands in the help as it is to be typed."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands) > 20
    for name in ("", *commands):
        runner = CliRunner(env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
        help_text = runner.invoke(app, [*([name] if name else []), "--help"]).output
        shown = help_text.partition("Example")[2].splitlines()[1:]
        examples = [" ".join(line.split()) for line in shown if line.strip()]
        assert all(line.startswith(("blurb-tune ", "# ")) for line in examples), (name, examples)
        for line in examples:
            words = shlex.split(line, comments=True)[1:]
            assert not words or words[0] in commands, line


def test_what_is_listed_can_be_read_by_a_program(tmp_path: Path) -> None:
    tasks, models = json.loads(invoke("tasks", "--json").stdout), json.loads(invoke("models", "--json").stdout)
    assert {"biosses", "demo"} <= {task["task"] for task in tasks}
    assert {"task", "type", "metric", "published", "data", "description"} == set(tasks[0])
    assert {"model", "blocks", "from", "description"} == set(models[0])
    spec = tmp_path / "s.yaml"
    spec.write_text("task: demo\nmodel: tiny\ntracking: {uri: 'http://me:secret@host:5000'}\n")
    done = invoke("validate", str(spec), "--spec-only", "--json", "--set", "seeds=4")
    plan = json.loads(done.stdout)
    assert (plan["task"], plan["models"], plan["seeds"]) == ("demo", {"tiny": 4}, [0, 1, 2, 3])
    assert plan["spec"]["space"]["epochs"], "defaults are written out"
    assert "secret" not in done.stdout


def test_ctrl_c_while_the_program_is_imported_is_an_interruption() -> None:
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    @staticmethod\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted)\n"
        "from blurb_tune.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (ExitCode.INTERRUPTED, "interrupted\n")


def test_the_package_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "blurb_tune", "--version"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (ExitCode.DONE, invoke("--version").stdout)


def test_help_shows_every_command_and_examples() -> None:
    done = invoke("--help")
    assert done.exit_code == 0
    for word in ("validate", "run", "tasks", "models", "ui", "sync", "--version", "--install-completion", "Examples"):
        assert word in done.stdout
    assert invoke("--version").stdout.startswith("blurb-tune 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str) -> None:
    environment = os.environ | {"_BLURB_TUNE_COMPLETE": f"source_{shell}", "PYTHONPATH": str(ROOT)}
    code = "import sys; sys.argv[0] = 'blurb-tune'; from blurb_tune.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert "blurb" in done.stdout


def test_bad_input_is_told_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("task: demo\nmodel: tiny\nlearing_rate: 1\nseeds: [1, 1]\n")
    for name in ("validate", "run"):
        done = call(name, str(file), folder=tmp_path)
        assert done.returncode == ExitCode.BAD_INPUT
        assert f"{file}:3: unknown key 'learing_rate'" in done.stderr
        assert f"{file}:4: seeds: seeds must differ" in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "nowhere.yaml"], ["fly"], ["ui", "nowhere"], ["sync", "."], ["ui", ".", "--port", "x"]]
)
def test_every_mistake_on_the_command_line_exits_with_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(*arguments).exit_code == ExitCode.BAD_INPUT


def test_a_folder_that_cannot_be_written_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can make a folder in /proc, not even root, whose rights are enough everywhere else."""
    monkeypatch.chdir(tmp_path)
    write_spec(tmp_path, pruning=UNCONTROLLED)
    for arguments in (
        ["run", "small.yaml", "--output", "/proc/out"],
        ["validate", "small.yaml", "--set", "storage=/proc/out"],
    ):
        done = invoke(*arguments)
        assert done.exit_code == ExitCode.BAD_INPUT
        assert "nothing can be written to /proc: " in done.stderr
    assert not any(path.is_dir() for path in tmp_path.iterdir()), "nothing was begun"


@pytest.mark.ray
def test_a_sweep_goes_on_when_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    write_spec(tmp_path, seeds=1, space={"strategy": ["vanilla"]}, pruning=UNCONTROLLED)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    arguments = command("run", "small.yaml", "--output", "out")
    process = subprocess.Popen(
        arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert any("sweep small started" in line for line in process.stdout)
    process.stdout.close()
    assert process.wait(timeout=300) == ExitCode.DONE
    paths = SweepPaths(tmp_path / "out")
    assert json.loads(paths.summary.read_text())["status"] == "finished"
    assert paths.plot.exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A sweep run to its end from the command line: its working directory and what was printed."""
    folder = tmp_path_factory.mktemp("cli")
    write_spec(folder, seeds=1, pruning=UNCONTROLLED)
    return folder, call("run", "small.yaml", "--json", folder=folder)


def only_run(folder: Path) -> SweepPaths:
    (root,) = (folder / "runs").iterdir()
    return SweepPaths(root)


@pytest.mark.ray
def test_a_run_leaves_the_promised_files(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = finished
    assert done.returncode == ExitCode.DONE, done.stderr
    paths = only_run(folder)
    assert paths.root.name.startswith("small-")
    tables = (paths.trials, paths.configurations, paths.summary)
    for path in (paths.spec, paths.events, *tables, paths.plot, paths.report, paths.mlflow_store):
        assert path.stat().st_size > 0
    (artifact,) = paths.mlflow_artifacts.rglob("report.html")
    assert artifact.read_bytes() == paths.report.read_bytes()
    summary = json.loads(done.stdout)
    assert summary == json.loads(paths.summary.read_text())
    assert sum(summary["outcomes"].values()) == 3
    with paths.trials.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    wanted = ["trial_id", "configuration", "seed", "outcome", "prune_reason", "metric"]
    wanted += ["dev_score", "best_epoch", "epochs", "steps", "train_seconds"]
    assert list(rows[0])[: len(wanted)] == wanted
    assert {name.removeprefix("planned_") for name in rows[0]} >= set(HYPERPARAMETER_NAMES)


@pytest.mark.ray
def test_a_finished_sweep_is_shown_not_run_again(
    finished: tuple[Path, subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = finished
    monkeypatch.chdir(folder)
    before = only_run(folder).events.read_bytes()
    done = invoke("run", "small.yaml")
    assert done.exit_code == ExitCode.DONE
    assert "finished already" in done.stdout
    assert "The answer" in done.stdout
    assert only_run(folder).events.read_bytes() == before
    assert invoke("sync", str(only_run(folder).root)).exit_code == ExitCode.DONE


@pytest.mark.ray
def test_another_spec_does_not_get_the_folder(
    finished: tuple[Path, subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = finished
    monkeypatch.chdir(folder)
    done = invoke("run", "small.yaml", "--set", "seeds=3", "--output", str(only_run(folder).root))
    assert done.exit_code == ExitCode.BAD_INPUT
    assert "other values of seeds" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["ctrl-c", "sigterm", "hangup"])
def test_whatever_a_command_has_half_made_is_taken_away_when_it_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    code = """
import time
from pathlib import Path
from blurb_tune.cli import app, main
from blurb_tune.release.folder import new_folder
def export():
    with new_folder(Path("out")) as made:
        print((made / "model").write_text("half"), flush=True)
        time.sleep(60)
app.app = export
main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "4\n"
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("", "interrupted\n")
    assert process.returncode == ExitCode.INTERRUPTED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ray
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interruption_keeps_everything_and_the_same_command_goes_on(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spec(tmp_path, pruning=UNCONTROLLED)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    arguments = command("run", "small.yaml", "--set", "space.epochs=60", "--output", "out")
    process = subprocess.Popen(
        arguments,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    paths = SweepPaths(tmp_path / "out")
    deadline = time.monotonic() + 120
    while not (paths.events.exists() and b"measured" in paths.events.read_bytes()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == ExitCode.INTERRUPTED, output
    assert "The same command again goes on from here" in output
    assert psutil.wait_procs(children, timeout=30)[1] == [], "no process is left behind"
    events = [event for event, _ in read_events(paths.events)]
    assert isinstance(events[-1], ev.SweepEnded)
    assert events[-1].status == "interrupted"
    assert json.loads(paths.summary.read_text())["status"] == "interrupted"
    monkeypatch.chdir(tmp_path)
    assert invoke("validate", "small.yaml").exit_code == ExitCode.DONE
