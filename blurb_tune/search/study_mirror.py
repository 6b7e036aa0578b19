"""Keeps a copy of the study in a database, where Optuna's dashboard shows it while the sweep runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import optuna
from optuna.storages import RDBStorage

from blurb_tune.core.background_copy import BackgroundCopy
from blurb_tune.core.secrets import redact, resolve
from blurb_tune.search.study import CONFIGURATION

_PLACE = "the database of tracking.study_url"
_FLUSH_SECONDS = 10.0
_logger = logging.getLogger(__name__)


@dataclass
class _Target:
    """The study in the database. trials: how many it has. running: the ids, by number, of those that have not ended there."""

    storage: RDBStorage
    study_id: int
    trials: int = 0
    running: dict[int, int] = field(default_factory=dict)


class StudyMirror(BackgroundCopy):
    """Copies the trials of a study to the database at `url`, as a study called `name`.

    Nothing is read from there: what decides is the study in memory, which is made of the log. So a study of that name is
    replaced, not taken up: in one that an earlier driver has left the trials have other numbers, and in one behind an outage
    nobody knows what has arrived.
    """

    def __init__(self, study: optuna.Study, url: str, name: str):
        super().__init__("study", _PLACE)
        self._study, self._url, self._name = study, url, name
        self._target: _Target | None = None

    def _copy(self) -> None:
        try:
            self._target = self._target or self._replace()
            self._copy_trials(self._target)
        except Exception as error:  # SQLAlchemy and its drivers raise types of their own
            self._target = None
            cause = error.__cause__ or error
            raise OSError(redact(str(cause)).partition("\n")[0] or type(cause).__name__) from error

    def _replace(self) -> _Target:
        # A firewall drops a connection on which nothing was said for hours.
        storage = RDBStorage(self._url, engine_kwargs={"pool_pre_ping": True})
        with suppress(KeyError):
            storage.delete_study(storage.get_study_id_from_name(self._name))
        return _Target(storage, storage.create_new_study(self._study.directions, self._name))

    def _copy_trials(self, target: _Target) -> None:
        trials = self._study.get_trials(deepcopy=False)
        for number, trial_id in list(target.running.items()):
            trial = trials[number]
            if trial.state.is_finished():
                for key, value in trial.system_attrs.items():  # the constraints
                    target.storage.set_trial_system_attr(trial_id, key, value)
                target.storage.set_trial_state_values(trial_id, trial.state, trial.values)
                del target.running[number]
        for trial in trials[target.trials :]:
            is_finished = trial.state.is_finished()
            if not is_finished and CONFIGURATION not in trial.user_attrs:
                return  # it is being drawn
            trial_id = target.storage.create_new_trial(target.study_id, template_trial=trial)
            target.trials += 1
            if not is_finished:
                target.running[trial.number] = trial_id


@contextmanager
def mirrored(
    study: optuna.Study, url: str | None, name: str, observe: Callable[[Callable[[object], None]], None]
) -> Iterator[None]:
    """Have the database `url`, where there is one, follow a study while the block lasts.

    url: `${NAME}` in it stands for an environment variable. observe: takes whom to call when the study may have changed.
    """
    if url is None:
        yield
        return
    mirror = StudyMirror(study, resolve(url), name)
    mirror.start()
    mirror.notify()
    observe(mirror.notify)
    try:
        yield
    finally:
        if fault := mirror.close(_FLUSH_SECONDS):
            _logger.warning("%s lacks the end of the study: %s", _PLACE, fault)
