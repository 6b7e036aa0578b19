"""Reaches sweeps from a machine that is no node: their storage where it can be read from here, else through the job server."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.storage import FolderStorage, open_storage
from blurb_tune.service.agent import ANSWER, QUESTION, answer
from blurb_tune.service.kept_sweeps import Sweeps
from blurb_tune.service.settings import Settings

if TYPE_CHECKING:
    from blurb_tune.service.job_server import JobServer

_ANSWER_SECONDS = 300.0


class Service:
    """Asks what can be asked of sweeps, wherever it can be answered."""

    def __init__(self, found: Settings):
        self.settings = found

    def ask(self, what: str, *, folder: Path | None = None, **arguments: Any) -> dict[str, Any]:
        """The answer. Raises InputError or BlurbTuneError, of what was wrong there or of nobody answering.

        folder: files that go along; the answer finds them in `folder`.
        """
        question = {"do": what, **arguments}
        if self.settings.storage is not None:
            question["storage"] = self.settings.storage
        if what != "doctor" and self._reaches_storage():
            return answer(question | ({"folder": str(folder)} if folder else {}))
        return self._ask_there(question | ({"folder": "."} if folder else {}), folder)

    def drive(self, sweep_id: str, storage: str, environment: Mapping[str, str]) -> str:
        """Send a driver for a sweep that lies in the storage; the id of its job."""
        entrypoint = shlex.join(["python", "-m", "blurb_tune", "drive", sweep_id, "--storage", storage])
        return self.jobs.drive(sweep_id, entrypoint, dict(environment))

    @cached_property
    def jobs(self) -> JobServer:
        """Raises InputError where none answers."""
        from blurb_tune.service.job_server import JobServer

        if self.settings.address is None:
            cure = "give http://HEAD:8265, or set RAY_ADDRESS or `address` in the user's settings"
            raise InputError([Problem("--address", f"no cluster is named; {cure}")])
        return JobServer(self.settings.address)

    def fetch(self, sweep_id: str, to: Path) -> Iterator[str]:
        """Bring a sweep's files to a folder; the name of each as it is there. What is half brought has no name."""
        for name in self.ask("files", id=sweep_id)["files"]:
            target = (to / name).resolve()
            if not target.is_relative_to(to.resolve()):
                raise BlurbTuneError(f"{name}: this is no file of a sweep")
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.part")
            temporary.write_bytes(self._content(sweep_id, name))
            temporary.replace(target)
            yield name

    def _content(self, sweep_id: str, name: str) -> bytes:
        """A file of a sweep; through the job server, no large one comes."""
        if self.settings.storage is None or not self._reaches_storage():
            return base64.b64decode(self.ask("file", id=sweep_id, name=name)["data"])
        try:
            return Sweeps(open_storage(self.settings.storage)).find(sweep_id).read(name)
        except OSError as error:
            raise BlurbTuneError(f"{name} cannot be read from {self.settings.storage}: {error}") from None

    def _reaches_storage(self) -> bool:
        if self.settings.storage is None:
            return False
        place = open_storage(self.settings.storage)
        return not isinstance(place, FolderStorage) or place.root.is_dir()

    def _ask_there(self, question: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
        environment: dict[str, Any] = {"env_vars": {QUESTION: json.dumps(question)}}
        if folder is not None:
            environment["working_dir"] = str(folder)
        job = self.jobs.submit(entrypoint="python -m blurb_tune.service.agent", runtime_env=environment)
        printed, message = self.jobs.output(job, _ANSWER_SECONDS)
        lines = [line for line in printed.splitlines() if line.startswith(ANSWER)]
        if not lines:
            last = next((line for line in reversed(printed.splitlines()) if line.strip()), message or "nothing was printed")
            raise BlurbTuneError(f"the cluster cannot answer; is blurb-tune installed there? It says: {last}")
        return _answer_of(json.loads(lines[-1].removeprefix(ANSWER)))


def _answer_of(data: Mapping[str, Any]) -> dict[str, Any]:
    if "problems" in data:
        raise InputError([Problem(where, what) for where, what in data["problems"]])
    if "error" in data:
        raise BlurbTuneError(str(data["error"]))
    return dict(data["answer"])
