"""The study's copy in a real SQLite file, whatever becomes of the file meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from blurb_tune.core import background_copy
from blurb_tune.search.study import ConfigurationStudy, Suggestion
from blurb_tune.search.study_mirror import StudyMirror, mirrored
from tests.search.test_study import finish, make_study

SPACE = {"freeze_depth": [0, 2, 4], "reinit_count": {"low": 0, "high": 2}, "learning_rate": {"low": 1e-5, "high": 1e-4}}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_copy, "_SECONDS_BETWEEN_COPIES", 0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "there"
    path.mkdir()
    return path


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/study.db"


def new_study() -> ConfigurationStudy:
    return make_study(SPACE, configurations=12, startup_configurations=3)


def ask(study: ConfigurationStudy) -> Suggestion:
    suggestion = study.ask()
    assert suggestion is not None
    return suggestion


@contextmanager
def copying(study: ConfigurationStudy, folder: Path) -> Iterator[StudyMirror]:
    mirror = StudyMirror(study.study, url_of(folder), "sweep")
    mirror.start()
    mirror.notify()
    try:
        yield mirror
    finally:
        mirror.close(20)


def copied(folder: Path) -> list[FrozenTrial]:
    return optuna.load_study(study_name="sweep", storage=url_of(folder)).trials


def told(trial: FrozenTrial) -> dict[str, Any]:
    names = ("number", "state", "values", "params", "distributions", "user_attrs", "constraints")
    return {name: getattr(trial, name) for name in names}


def is_whole(study: ConfigurationStudy, folder: Path) -> bool:
    return list(map(told, copied(folder))) == list(map(told, study.study.trials))


def wait_for(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_trial_is_there_while_it_runs_and_ends_there_when_it_has_ended(folder: Path) -> None:
    study = new_study()
    with copying(study, folder) as mirror:
        first = ask(study)
        mirror.notify()
        wait_for(lambda: mirror._target and mirror._target.trials == 1)
        (trial,) = copied(folder)
        assert (trial.state, trial.params, trial.user_attrs) == (
            TrialState.RUNNING,
            first.parameters,
            {"configuration": "c000"},
        )
        study.learn(first.configuration, [0.4], 0.0)
        second, third = ask(study), ask(study)
        study.tell(first.configuration_id, [0.5], 0.25)
        study.tell(third.configuration_id, [float("nan")], 1.0)
        mirror.notify()
        wait_for(lambda: mirror._target and mirror._target.trials == 4)
        assert is_whole(study, folder)
        study.tell(second.configuration_id, [0.7], 0.0)
    assert mirror.fault == ""
    assert is_whole(study, folder)
    states = [trial.state for trial in copied(folder)]
    assert states == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.COMPLETE, TrialState.FAIL]


def test_a_resumed_sweep_replaces_what_its_earlier_driver_has_copied_and_nothing_else(folder: Path) -> None:
    optuna.create_study(study_name="another", storage=url_of(folder)).ask()
    past: list[Suggestion] = []
    for _ in range(2):
        study = new_study()
        for suggestion in past:
            study.replay(suggestion.parameters)
        with mirrored(study.study, url_of(folder), "sweep", lambda notify: None):
            past.append(ask(study))
    assert len(copied(folder)) == 2
    assert is_whole(study, folder)
    assert len(optuna.load_study(study_name="another", storage=url_of(folder)).trials) == 1


@pytest.mark.parametrize("comes_back", [True, False], ids=["away for a while", "replaced by an empty one"])
def test_a_database_that_goes_away_stops_nothing_and_has_everything_once_later(
    folder: Path, caplog: pytest.LogCaptureFixture, comes_back: bool
) -> None:
    study, elsewhere = new_study(), folder.with_name("elsewhere")
    with caplog.at_level(logging.WARNING, logger=background_copy.__name__), copying(study, folder) as mirror:
        first = ask(study)
        mirror.notify()
        wait_for(lambda: mirror._target and mirror._target.trials == 1)
        folder.rename(elsewhere)
        finish(study, first)
        mirror.notify()
        wait_for(lambda: mirror.fault)
        for _ in range(3):
            finish(study, ask(study))
            mirror.notify()
        if comes_back:
            elsewhere.rename(folder)
        else:
            folder.mkdir()
        wait_for(lambda: not mirror.fault)
        assert is_whole(study, folder)
        assert len(study.study.trials) == 4
    away, back = (record.getMessage() for record in caplog.records)
    assert away.startswith("the database of tracking.study_url takes nothing at present, the study is kept here: ")
    assert back == "the database of tracking.study_url is back, and has the whole study"


def test_a_database_that_never_answers_is_told_without_its_password(caplog: pytest.LogCaptureFixture) -> None:
    study = new_study()
    with mirrored(study.study, "postgresql://user:hidden-word@127.0.0.1:1/none", "sweep", lambda notify: None):
        finish(study, ask(study))
    away, missing = (record.getMessage() for record in caplog.records)
    assert away.startswith("the database of tracking.study_url takes nothing at present, the study is kept here: ")
    assert missing.startswith("the database of tracking.study_url lacks the end of the study: ")
    assert "hidden-word" not in caplog.text
