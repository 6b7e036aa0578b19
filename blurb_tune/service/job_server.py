"""Ray's job server, as far as sweeps need it. Importing Ray takes a second, which a look into a storage does not."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ray._private.authentication import authentication_token_setup
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem

_START_SECONDS = 60.0
_OVER = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)
_SWEEP = "blurb_tune_sweep"


class JobServer:
    """Of the cluster whose head serves jobs at `address`. Every method raises InputError where it does not answer."""

    def __init__(self, address: str):
        self._address = address
        _send_token()
        with self._errors():
            self._client = JobSubmissionClient(address)

    def submit(self, **job: Any) -> str:
        """The job's id; a cluster that has just begun is given time to."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with self._errors():
                    return str(self._client.submit_job(**job))
            except BlurbTuneError as error:
                if "try again later" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(1.0)

    def drive(self, sweep_id: str, entrypoint: str, environment: dict[str, str]) -> str:
        """Submit a driver, which `stop` finds by the sweep's id."""
        return self.submit(
            entrypoint=entrypoint,
            submission_id=f"{sweep_id}-{int(time.time())}",
            runtime_env={"env_vars": environment},
            metadata={_SWEEP: sweep_id},
        )

    def output(self, job: str, patience: float) -> tuple[str, str]:
        """What a short job has printed, and the server's own words on it, once it is over; the job is forgotten then."""
        deadline = time.monotonic() + patience
        with self._errors():
            while (status := self._client.get_job_status(job)) not in _OVER:
                if time.monotonic() > deadline:
                    self._client.stop_job(job)
                    raise BlurbTuneError(f"the cluster gave no answer within {patience:.0f} s; its job is {status}")
                time.sleep(0.3)
            printed, message = self._client.get_job_logs(job), self._client.get_job_info(job).message
            with suppress(RuntimeError):
                self._client.delete_job(job)
        return printed, message or ""

    def fault(self, job: str) -> str:
        """Why a job has failed or was called off; empty where it was not."""
        with self._errors():
            details = self._client.get_job_info(job)
        return (details.message or "the job failed") if details.status in (JobStatus.FAILED, JobStatus.STOPPED) else ""

    def stop(self, sweep_id: str) -> None:
        """Call off all drivers of a sweep that have not begun. (Ray's own stop does nothing to a job that is pending; should
        one begin all the same, it finds the request in the storage.)"""
        with self._errors():
            for details in self._client.list_jobs():
                if (details.metadata or {}).get(_SWEEP) == sweep_id and details.submission_id:
                    self._client.stop_job(details.submission_id)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What Ray's client raises, in words that a user can act on."""
        try:
            yield
        except ConnectionError:
            raise InputError([Problem("--address", f"no Ray job server answers at {self._address}")]) from None
        except AuthenticationError:
            cure = "give the cluster's own in RAY_AUTH_TOKEN, in the file RAY_AUTH_TOKEN_PATH or in ~/.ray/auth_token"
            raise InputError([Problem("--address", f"{self._address} wants a token; {cure}")]) from None
        except RuntimeError as error:
            last = str(error).strip().splitlines()[-1]
            raise BlurbTuneError(f"the job server at {self._address} says: {last}") from None


def _send_token() -> None:
    """Where there is a token, it is sent: Ray's own command line does so, its client only when RAY_AUTH_MODE says so."""
    logging.getLogger(authentication_token_setup.__name__).setLevel(logging.ERROR)
    authentication_token_setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
