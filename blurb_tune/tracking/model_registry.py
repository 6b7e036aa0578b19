"""Exported models in MLflow: logged beside the run that they come from, and registered under a name.

Imports MLflow; see `delivery.load_mlflow`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from blurb_tune.tracking.run_data import SWEEP_ID, TRIAL_ID
from blurb_tune.tracking.served import MODEL, write_model

CHAMPION = "champion"
_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_SECONDS_TO_STORE = 600  # a server answers when it has passed a whole file of weights on
_LONGEST_DESCRIPTION = 5000  # in MLflow's databases


@dataclass(frozen=True)
class Entry:
    """What a registry is told of a model. folder: as it was exported. example: a row that it reads. answers: what it says of
    that row. tags: besides the names of sweep and trial."""

    folder: Path
    sweep_id: str
    trial: str
    example: Mapping[str, Any]
    answers: Sequence[Mapping[str, Any]]
    description: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """A version of a registered model. is_new: it was not there before. champion: which version has that alias, empty for
    none; before: which one had it."""

    name: str
    number: str
    is_new: bool
    champion: str = ""
    before: str = ""


class Registry:
    """The registered models of the MLflow at `uri`. All methods raise what MLflow raises."""

    def __init__(self, uri: str):
        self._client = MlflowClient(tracking_uri=uri)

    def find(self, name: str, sweep_id: str, trial: str) -> Version | None:
        """The version that this trial's model has under this name; the latest of several."""
        wanted = {SWEEP_ID: sweep_id, TRIAL_ID: trial}
        versions, token = list[ModelVersion](), None
        while token != "":
            found = self._client.search_model_versions(f"name = '{name}'", page_token=token)
            versions += [version for version in found if wanted.items() <= version.tags.items()]
            token = found.token or ""
        if not versions:
            return None
        holder = self._champion(name)
        return Version(name, max((str(version.version) for version in versions), key=int), False, holder, holder)

    def add(self, name: str, entry: Entry, experiment_id: str, run_id: str) -> Version:
        """Log the model as one of the run's, and make it a version of `name`, which is made where nobody has it.

        What was begun of a model whose files could not be stored is removed.
        """
        tags = {SWEEP_ID: entry.sweep_id, TRIAL_ID: entry.trial, **entry.tags}
        client = self._client
        model = client.create_logged_model(experiment_id, name=entry.trial, source_run_id=run_id, tags=tags)
        try:
            with tempfile.TemporaryDirectory(prefix="blurb-tune-") as scratch:
                around = Path(scratch) / "mlflow"
                write_model(around, entry.example, entry.answers)
                client.log_model_artifacts(model.model_id, str(around))
            with _patience():
                client.log_model_artifacts(model.model_id, str(entry.folder), artifact_path=MODEL)
            client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
            client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
            self._ensure(name)
            version = client.create_model_version(
                name,
                model.artifact_location,  # `models:/ID` is looked up in another MLflow than this one, where there are several
                run_id=run_id,
                tags=tags,
                description=entry.description[:_LONGEST_DESCRIPTION],
                model_id=model.model_id,
            )
        except BaseException:  # after a Ctrl-C too
            with suppress(MlflowException):  # a server that is away has said so already
                client.delete_logged_model(model.model_id)
            raise
        holder = self._champion(name)
        return Version(name, str(version.version), True, holder, holder)

    def make_champion(self, version: Version) -> Version:
        """Give the version the alias `champion`, which another one may have."""
        self._client.set_registered_model_alias(version.name, CHAMPION, version.number)
        return Version(version.name, version.number, version.is_new, version.number, version.champion)

    def _ensure(self, name: str) -> None:
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _champion(self, name: str) -> str:
        """Its version; empty where there is none."""
        return str(self._client.get_registered_model(name).aliases.get(CHAMPION, ""))


@contextmanager
def _patience() -> Iterator[None]:
    before = os.environ.get(_TIMEOUT)
    os.environ[_TIMEOUT] = str(max(_SECONDS_TO_STORE, int(before or 0)))
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TIMEOUT]
        else:
            os.environ[_TIMEOUT] = before
