"""A sweep's model in MLflow: beside its run, once, with the alias that it has earned, and loadable by its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.release.folder import Facts
from blurb_tune.release.register import Registered, register
from blurb_tune.tracking.addresses import tracking_uri
from blurb_tune.tracking.delivery import Delivery, deliver
from blurb_tune.tracking.target import spec_of, tracking_target
from tests.release.conftest import PAIRS, TRIAL, MakeModel
from tests.tracking.conftest import Sweep


@pytest.fixture
def hand_over(won: Sweep, make_model: MakeModel) -> Callable[..., Registered]:
    folder = make_model(Facts(**vars(PAIRS) | {"trial": TRIAL, "sweep": won.sweep_id}))

    def hand_over(trial: str = TRIAL, name: str = "notes") -> Registered:
        return register(won.paths, name, trial, trial, lambda: folder)

    return hand_over


def test_a_version_beside_its_run_once_and_a_champion(won: Sweep, hand_over: Callable[..., Registered]) -> None:
    done = hand_over()
    assert (done.version.number, done.version.is_new, done.version.champion, done.version.before) == ("1", True, "1", "")
    client = MlflowClient(tracking_uri=tracking_uri(won.paths, None))
    version = client.get_model_version_by_alias("notes", "champion")
    run = client.get_run(version.run_id)
    assert run.data.tags["blurb_tune.trial_id"] == TRIAL
    (of_run,) = run.outputs.model_outputs
    assert f"/{of_run.model_id}/" in version.source
    assert version.tags["dev pearson"] == "0.8"
    assert version.tags["test pearson"] == "0.8"
    assert version.tags["verdict"] == "better"
    assert "is better than vanilla fine-tuning" in version.description
    again = register(won.paths, "notes", TRIAL, TRIAL, lambda: pytest.fail("it is there already"))
    assert (again.version.number, again.version.is_new) == ("1", False)
    assert str(again).startswith("registered already, as notes version 1 at ")

    other = hand_over("c000-s1")
    assert (other.version.number, other.version.champion) == ("2", "1")
    assert str(other).endswith("without the alias `champion`: it is not one of the winner's runs")
    third = hand_over("c001-s3")
    assert (third.version.number, third.version.champion, third.version.before) == ("3", "3", "1")
    assert str(third).endswith("with the alias `champion`, which version 1 had before")


def test_a_newer_champion_stays_where_a_command_is_repeated(won: Sweep, hand_over: Callable[..., Registered]) -> None:
    hand_over()
    newer = hand_over("c001-s3")
    assert (newer.version.number, newer.version.champion, newer.version.before) == ("2", "2", "1")
    again = hand_over()
    assert (again.version.number, again.version.champion) == ("1", "2")
    assert str(again).endswith("without the alias `champion`: version 2, which is newer, has it")
    client = MlflowClient(tracking_uri=tracking_uri(won.paths, None))
    assert int(client.get_model_version_by_alias("notes", "champion").version) == 2

    client.set_registered_model_alias("notes", "champion", "1")  # as where a call ended before it could set the alias
    assert hand_over("c001-s3").version.before == "1"
    client.delete_registered_model_alias("notes", "champion")
    assert hand_over().version.champion == "1"


def test_it_is_loaded_by_its_name_where_the_sweep_has_moved(
    won: Sweep, hand_over: Callable[..., Registered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over()
    won.log.close()
    moved = SweepPaths(tmp_path / "elsewhere" / "sweep")
    shutil.copytree(won.paths.root, moved.root)
    shutil.rmtree(won.paths.root)
    uri, experiment = tracking_target(moved, spec_of(moved))
    assert deliver(moved, uri, experiment) == Delivery(0)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(moved, None))
    model = mlflow.pyfunc.load_model("models:/notes@champion", suppress_warnings=True)
    assert len(model.predict(pd.DataFrame([PAIRS.example()]))) == 1
    assert [column.name for column in model.metadata.signature.inputs] == ["note", "other"]


def test_nothing_is_left_of_a_model_that_cannot_be_stored(won: Sweep, hand_over: Callable[..., Registered]) -> None:
    (won.paths.mlflow_artifacts).mkdir(exist_ok=True)
    models = won.paths.mlflow_artifacts / "models"
    models.write_text("in the way")
    with pytest.raises(BlurbTuneError, match="does not take the model"):
        hand_over()
    client = MlflowClient(tracking_uri=tracking_uri(won.paths, None))
    experiment = client.get_experiment_by_name("blurb-tune/demo")
    assert client.search_registered_models() == []
    assert client.search_logged_models([experiment.experiment_id]) == []
    models.unlink()
    assert hand_over().version.number == "1"
