"""The runs of one sweep in MLflow. Imports MLflow; see `delivery.open_store`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.tracking import dashboard
from blurb_tune.tracking.description import RUN_PAGE
from blurb_tune.tracking.run_data import ATTEMPT, NOTE, SWEEP_ID, TRIAL_ID, DataSet, RefusedError, RunUpdate

_PAGE = 200
_PARENT = "mlflow.parentRunId"
_REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
_TRAINING = {"mlflow.experimentKind": "custom_model_development"}  # the dashboard shows training runs, not chat traces


@dataclass(frozen=True)
class _Known:
    run_id: str
    attempt: int


def make_database(file: Path) -> None:
    """An SQLite database with MLflow's tables and its default experiment, which takes seconds."""
    MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments(max_results=1)


class Store:
    """Writes updates to the runs of the sweep `sweep_id`, which it finds by their own tags.

    Every method can be repeated after a failure: a run that is there is not created again, and MLflow drops a value whose
    name, step, timestamp and value it has. All raise what MLflow raises.
    """

    def __init__(self, uri: str, experiment: str, artifacts: str | None, sweep_id: str):
        """Find or create the experiment, new ones with their files at the URI `artifacts`, and look the sweep's runs up.

        Raises BlurbTuneError when the experiment lies in MLflow's bin.
        """
        self._client = MlflowClient(tracking_uri=uri)
        self._sweep_id = sweep_id
        self.experiment_id = self._find_experiment(experiment, artifacts)
        self._runs: dict[str | None, _Known] = {}
        self.find_runs()

    @property
    def run_id(self) -> str:
        """The sweep's own run, empty while there is none."""
        known = self._runs.get(None)
        return known.run_id if known else ""

    def run_of(self, trial: str) -> str:
        """The run of a trial. Raises LookupError where there is none."""
        return self._runs[trial].run_id

    def find_runs(self) -> None:
        """Look the sweep's active runs up, and remove all but one of each trial.

        There can be more after a crash between the removal of an attempt and the start of the next, or when a request that
        was given up as lost arrived after all. The latest attempt stays, of one attempt the run that holds most.
        """
        kept: dict[str | None, Run] = {}
        surplus: list[Run] = []
        for run in self._active_runs():
            trial = run.data.tags.get(TRIAL_ID)
            rival = kept.get(trial)
            if rival is not None:
                run, loser = (run, rival) if _rank(run) > _rank(rival) else (rival, run)
                surplus.append(loser)
            kept[trial] = run
        for run in surplus:
            self._client.delete_run(run.info.run_id)
        self._runs = {trial: _Known(run.info.run_id, _attempt(run)) for trial, run in kept.items()}

    def holds(self, trial: str | None, attempt: int) -> bool:
        """Whether there is an active run for this attempt of the trial (None: for the sweep), or for a later one."""
        known = self._runs.get(trial)
        return known is not None and known.attempt >= attempt

    def write(self, update: RunUpdate) -> None:
        """Bring one run up to date. A new attempt removes the run of the one before.

        Raises LookupError when the run should exist and does not, and RefusedError when MLflow will not have what it is given.
        """
        try:
            self._write(update)
        except MlflowException as error:
            if error.error_code not in _REFUSALS:
                raise
            raise RefusedError(update, str(error)) from error

    def _write(self, update: RunUpdate) -> None:
        known = self._runs.get(update.trial)
        if known is not None and known.attempt > update.attempt:
            return  # replayed: its successor is there already
        if known is not None and known.attempt < update.attempt:
            self._client.delete_run(known.run_id)
            del self._runs[update.trial]
        tags = dict(update.tags)
        if update.trial is not None and update.is_new:
            tags[_PARENT] = self.run_id
        note = tags.pop(NOTE, None)
        if update.trial not in self._runs:
            self._create(update, tags)
            tags = {}
        run_id = self._runs[update.trial].run_id
        if note is not None:
            tags[NOTE] = note.replace(RUN_PAGE, f"#/experiments/{self.experiment_id}/runs/{run_id}")
        if update.data is not None:
            self._client.log_inputs(run_id, [_data_set(update.data)])
        self._client.log_batch(
            run_id,
            metrics=[Metric(point.name, point.value, point.timestamp, point.step) for point in update.points],
            params=[Param(name, value) for name, value in update.params.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )
        if update.status is not None and update.ended is not None:
            self._client.set_terminated(run_id, update.status, update.ended)
        elif update.status is not None:
            self._client.update_run(run_id, update.status)

    def upload(self, file: Path) -> None:
        """Keep a copy of `file` as an artifact of the sweep's run."""
        self._client.log_artifact(self.run_id, str(file))

    def upload_text(self, text: str, name: str) -> None:
        """Keep `text` as the artifact `name` of the sweep's run."""
        self._client.log_text(self.run_id, text, name)

    def _find_experiment(self, name: str, artifacts: str | None) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name, artifacts, _TRAINING | {dashboard.TAG: dashboard.STATE}))
        if found.lifecycle_stage != "active":
            raise BlurbTuneError(
                f"the MLflow experiment {name!r} was deleted: restore it with "
                f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or set `tracking.experiment`"
            )
        if found.tags.get(dashboard.TAG) != dashboard.STATE:
            self._client.set_experiment_tag(found.experiment_id, dashboard.TAG, dashboard.STATE)
        return str(found.experiment_id)

    def _create(self, update: RunUpdate, tags: dict[str, str]) -> None:
        if not update.is_new:
            raise LookupError(f"the MLflow run {update.name!r} is gone")
        run = self._client.create_run(self.experiment_id, update.started, tags, update.name)
        self._runs[update.trial] = _Known(run.info.run_id, update.attempt)

    def _active_runs(self) -> Iterable[Run]:
        token: str | None = None
        while token != "":
            page = self._client.search_runs(
                [self.experiment_id], f"tags.`{SWEEP_ID}` = '{self._sweep_id}'", max_results=_PAGE, page_token=token
            )
            yield from page
            token = page.token or ""


def _data_set(data: DataSet) -> DatasetInput:
    """Of the digest as much as a page can show; MLflow takes 36 characters."""
    source, profile = json.dumps({"uri": data.source}), json.dumps(dict(data.examples))
    known = Dataset(data.name, data.digest[:12], "local", source, profile=profile)
    return DatasetInput(known, [InputTag("mlflow.data.context", "train, dev")])


def _attempt(run: Run) -> int:
    return int(run.data.tags.get(ATTEMPT, "1"))


def _rank(run: Run) -> tuple[int, int, str]:
    held = len(run.data.metrics) + len(run.data.params) + len(run.data.tags)
    return _attempt(run), held, run.info.run_id
