"""What has failed behind a finished folder is tried again from that folder, by the command that the message names."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import blurb_tune as bt
from blurb_tune.cli.app import app
from blurb_tune.core.errors import BlurbTuneError, ExitCode
from tests.release.conftest import PAIRS, MakeModel
from tests.release.hub import NAME, Hub
from tests.tracking.conftest import Sweep

BEST = "c001-s7"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def call_what_is_said(result: Result) -> Result:
    """The command in the last line of an error, which stands behind the program's name."""
    assert result.exit_code == ExitCode.FAILED, result.output
    words = shlex.split(result.stderr.splitlines()[-1])
    return call(*words[words.index("export") + 1 :])


@pytest.fixture
def exported(won: Sweep, make_model: MakeModel) -> Path:
    """As `export` leaves it of the winner's best run; the card is the user's from then on."""
    folder = make_model(replace(PAIRS, sweep=won.sweep_id, trial=BEST))
    (folder / "README.md").write_text("---\nlibrary_name: transformers\nlicense: mit\n---\n\n# notes\n")
    return folder


def test_a_folder_that_is_there_goes_to_the_hub_as_it_is(won: Sweep, exported: Path, hub: Hub) -> None:
    before = {file.name: file.read_bytes() for file in exported.iterdir()}
    hub.refusal = 403
    refused = call(won.paths.root, "--to", exported, "--push", NAME)
    assert f"the model itself is in {exported}, from which the same export goes on:" in refused.stderr
    hub.refusal = None
    done = call_what_is_said(refused)
    assert done.exit_code == ExitCode.DONE, done.output
    assert "It was there already, and was left as it is." in done.stdout
    assert f"uploaded as a private model to {hub.address}/{NAME}" in done.stdout
    assert {name: content for name, content in hub.repositories[NAME].items() if name != ".gitattributes"} == before
    assert {file.name: file.read_bytes() for file in exported.iterdir()} == before


def test_a_machine_without_what_the_trials_needed_exports_all_the_same(won: Sweep, tmp_path: Path) -> None:
    needs = "resources: {gpus: 64}\ntracking: {uri: 'https://${NO_TOKEN}@mlflow.invalid'}\nsearch: {warm_start: [gone]}\n"
    won.paths.spec.write_text(f"name: quick\ntask: demo\nmodel: tiny\n{needs}")
    result = call(won.paths.root, "--to", tmp_path / "model")
    assert result.exit_code == ExitCode.FAILED
    assert f"the weights of {BEST} cannot be read" in result.stderr, "of which this sweep has none"


def test_python_goes_on_by_the_same_call(won: Sweep, exported: Path, hub: Hub) -> None:
    hub.refusal = 403
    with pytest.raises(BlurbTuneError, match="from which the same export goes on"):
        bt.open(won.paths.root).export(exported, push=NAME)
    hub.refusal = None
    assert bt.open(won.paths.root).export(exported, push=NAME) == exported
    assert "model.safetensors" in hub.repositories[NAME]


def test_a_model_that_mlflow_did_not_take_is_registered_later(won: Sweep, exported: Path) -> None:
    won.paths.mlflow_artifacts.mkdir(exist_ok=True)
    in_the_way = won.paths.mlflow_artifacts / "models"
    in_the_way.write_text("")
    refused = call(won.paths.root, "--to", exported, "--register", "notes")
    in_the_way.unlink()
    done = call_what_is_said(refused)
    assert done.exit_code == ExitCode.DONE, done.output
    assert "registered as notes version 1" in done.stdout


def test_another_model_is_left_alone(won: Sweep, exported: Path, hub: Hub) -> None:
    for options, said in (
        (["--trial", "c001-s3"], f"{exported} holds another model already, {BEST} of the sweep quick-abcd"),
        (["--ensemble"], "holds another model already"),
        (["--onnx"], "holds the model already, without an ONNX file; name a new folder"),
    ):
        refused = call(won.paths.root, "--to", exported, *options, "--push", NAME)
        assert refused.exit_code == ExitCode.BAD_INPUT
        assert said in refused.stderr
    refused = call(won.paths.root, "--to", exported)
    assert refused.exit_code == ExitCode.BAD_INPUT
    assert f"{exported} is there already; name a new folder" in refused.stderr
    assert hub.repositories == {}
