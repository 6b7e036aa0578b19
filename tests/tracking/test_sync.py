"""`blurb-tune sync`: it says that everything is delivered where that is so, and else fails with what to do."""

from __future__ import annotations

from functools import partial

import pytest

from blurb_tune.cli.tracking import sync_command
from blurb_tune.core.errors import ExitCode
from blurb_tune.tracking.delivery import deliver
from tests.tracking.conftest import EXPERIMENT, Sweep


@pytest.fixture
def delivered(sweep: Sweep, uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sweep:
    """A small sweep whose events and files MLflow has got; what fails from here on is not waited for."""
    monkeypatch.setattr("blurb_tune.cli.tracking.deliver", partial(deliver, patience=0.0))
    sweep.paths.spec.write_text("name: quick\ntask: demo\nmodel: tiny\n")
    sweep.small()
    assert sync_command(sweep.paths) is ExitCode.DONE
    assert capsys.readouterr() == (f"{sweep.paths.root}: everything is delivered\n", "")
    return sweep


def test_an_experiment_that_was_deleted_since_then(delivered: Sweep, uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    number = client.get_experiment_by_name(EXPERIMENT).experiment_id
    client.delete_experiment(number)
    assert sync_command(delivered.paths) is ExitCode.FAILED
    said, warned = capsys.readouterr()
    assert said == ""
    assert "MLflow has had all events, but takes nothing now" in warned
    assert f"restore it with `mlflow experiments restore --experiment-id {number}`" in warned


def test_a_file_that_cannot_be_stored_stays_undelivered(
    delivered: Sweep, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    delivered.paths.report.write_text("the page")
    kept = delivered.paths.mlflow_artifacts.rename(delivered.paths.root / "kept")
    delivered.paths.mlflow_artifacts.write_text("a file where the folder should be")
    for _ in range(2):
        assert sync_command(delivered.paths) is ExitCode.FAILED
        said, warned = capsys.readouterr()
        assert said == ""
        assert warned.startswith("report.html could not be stored as an MLflow artifact")
    delivered.paths.mlflow_artifacts.unlink()
    kept.rename(delivered.paths.mlflow_artifacts)
    assert sync_command(delivered.paths) is ExitCode.DONE


def test_a_server_that_is_away(delivered: Sweep, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the store with the runs there is nothing left but its name."""
    delivered.paths.mlflow_store.unlink()
    delivered.paths.mlflow_store.mkdir()
    assert sync_command(delivered.paths) is ExitCode.FAILED
    said, warned = capsys.readouterr()
    assert said == ""
    assert "MLflow has had all events, but takes nothing now (" in warned
