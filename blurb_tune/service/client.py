"""Reaches sweeps from a machine that is no node: their storage where it can be read from here, else through the job server."""

from __future__ import annotations

import base64
import json
import logging
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ray._private.authentication import authentication_token_setup
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.storage import FolderStorage, open_storage
from blurb_tune.service.agent import ANSWER, QUESTION, answer
from blurb_tune.service.settings import Settings

_ANSWER_SECONDS = 300.0
_START_SECONDS = 60.0
_OVER = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)


class Service:
    """Asks what can be asked of sweeps, wherever it can be answered."""

    def __init__(self, found: Settings):
        self.settings = found
        self._jobs: JobSubmissionClient | None = None

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
        return self._send(
            entrypoint=shlex.join(["python", "-m", "blurb_tune", "drive", sweep_id, "--storage", storage]),
            submission_id=f"{sweep_id}-{int(time.time())}",
            runtime_env={"env_vars": dict(environment)},
            metadata={"blurb_tune_sweep": sweep_id},
        )

    def _send(self, **job: Any) -> str:
        """Submit a job; a cluster that has just begun is given time to."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with _job_server(self.settings.address):
                    return str(self.jobs.submit_job(**job))
            except BlurbTuneError as error:
                if "try again later" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(1.0)

    def job_message(self, job: str) -> str:
        """Why a driver does not run, by the job server; empty where it does or did."""
        with suppress(RuntimeError, ConnectionError, BlurbTuneError):
            details = self.jobs.get_job_info(job)
            if details.status is JobStatus.FAILED:
                return details.message or "the job failed"
        return ""

    @property
    def jobs(self) -> JobSubmissionClient:
        """Raises InputError where none answers."""
        if self._jobs is None:
            address = self.settings.address
            if address is None:
                raise InputError(
                    [
                        Problem(
                            "--address",
                            "no cluster is named; give http://HEAD:8265, or set RAY_ADDRESS or `address` in the "
                            "user's settings",
                        )
                    ]
                )
            _send_token()
            with _job_server(address):
                self._jobs = JobSubmissionClient(address)
        return self._jobs

    def _reaches_storage(self) -> bool:
        if self.settings.storage is None:
            return False
        place = open_storage(self.settings.storage)
        return not isinstance(place, FolderStorage) or place.root.is_dir()

    def _ask_there(self, question: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
        environment: dict[str, Any] = {"env_vars": {QUESTION: json.dumps(question)}}
        if folder is not None:
            environment["working_dir"] = str(folder)
        job = self._send(entrypoint="python -m blurb_tune.service.agent", runtime_env=environment)
        with _job_server(self.settings.address):
            deadline = time.monotonic() + _ANSWER_SECONDS
            while (status := self.jobs.get_job_status(job)) not in _OVER:
                if time.monotonic() > deadline:
                    self.jobs.stop_job(job)
                    raise BlurbTuneError(f"the cluster gave no answer within {_ANSWER_SECONDS:.0f} s; its job is {status}")
                time.sleep(0.3)
            output = self.jobs.get_job_logs(job)
            message = self.jobs.get_job_info(job).message
            with suppress(RuntimeError):
                self.jobs.delete_job(job)
        lines = [line for line in output.splitlines() if line.startswith(ANSWER)]
        if not lines:
            last = next((line for line in reversed(output.splitlines()) if line.strip()), message or "nothing was printed")
            raise BlurbTuneError(f"the cluster cannot answer; is blurb-tune installed there? It says: {last}")
        return _answer_of(json.loads(lines[-1].removeprefix(ANSWER)))

    def fetch(self, sweep_id: str, to: Path) -> Iterator[str]:
        """Bring a sweep's files to a folder; the name of each as it is there. What is half brought has no name."""
        for name in self.ask("files", id=sweep_id)["files"]:
            target = (to / name).resolve()
            if not target.is_relative_to(to.resolve()):
                raise BlurbTuneError(f"{name}: this is no file of a sweep")
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.part")
            temporary.write_bytes(base64.b64decode(self.ask("file", id=sweep_id, name=name)["data"]))
            temporary.replace(target)
            yield name


def _answer_of(data: Mapping[str, Any]) -> dict[str, Any]:
    if "problems" in data:
        raise InputError([Problem(where, what) for where, what in data["problems"]])
    if "error" in data:
        raise BlurbTuneError(str(data["error"]))
    return dict(data["answer"])


def _send_token() -> None:
    """Where there is a token, it is sent: Ray's own command line does so, its client only when RAY_AUTH_MODE says so."""
    logging.getLogger(authentication_token_setup.__name__).setLevel(logging.ERROR)
    authentication_token_setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


@contextmanager
def _job_server(address: str | None) -> Iterator[None]:
    """What Ray's job client raises, in words that a user can act on."""
    try:
        yield
    except ConnectionError:
        raise InputError([Problem("--address", f"no Ray job server answers at {address}")]) from None
    except AuthenticationError:
        cure = "give the cluster's own in RAY_AUTH_TOKEN, in the file RAY_AUTH_TOKEN_PATH or in ~/.ray/auth_token"
        raise InputError([Problem("--address", f"{address} wants a token; {cure}")]) from None
    except RuntimeError as error:
        text = str(error)
        raise BlurbTuneError(f"the job server at {address} says: {text.strip().splitlines()[-1]}") from None
