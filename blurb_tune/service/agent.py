"""Answers one question on the cluster, for somebody who reaches only its job server: `python -m blurb_tune.service.agent`.

The question comes in an environment variable, which `ps` does not show, the answer leaves as the last line of the output.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.storage import Storage, open_storage
from blurb_tune.service.kept_sweeps import PAYLOAD, KeptSweep, Request, Submission, Sweeps
from blurb_tune.service.sweep_state import HALTS

QUESTION, ANSWER = "BLURB_TUNE_QUESTION", "BLURB_TUNE_ANSWER "
STORAGE = "BLURB_TUNE_STORAGE"
_MOST_BYTES = 64 << 20


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for; raises BlurbTuneError. It is the same wherever it runs."""
    what, uri = question["do"], question.get("storage") or os.environ.get(STORAGE)
    if what == "doctor":
        return _doctor(question, uri)
    if uri is None:
        raise InputError([Problem("storage", "no storage is named; give --storage, or set BLURB_TUNE_STORAGE on the cluster")])
    try:
        return ANSWERS[what](open_storage(uri), question)
    except OSError as error:
        raise BlurbTuneError(f"storage {uri} does not answer: {error}") from None


def _doctor(question: Mapping[str, Any], uri: str | None) -> dict[str, Any]:
    import ray

    from blurb_tune.service.doctor import examine

    ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
    try:
        client, gpus, tracking = question["versions"], question.get("gpus", 0.0), question.get("tracking")
        findings = examine(uri, client, gpus, tracking)
        problems, warnings = _look_at_spec(question, uri)
        findings += [{"level": "warning", "what": warning, "cure": ""} for warning in warnings]
        return {"storage": uri, "findings": findings, "problems": problems}
    finally:
        ray.shutdown()


def _look_at_spec(question: Mapping[str, Any], uri: str | None) -> tuple[list[str], Sequence[str]]:
    """What is wrong with the spec in `folder` on this machine, from which data, weights and servers must be reached, and what
    is amiss."""
    if "folder" not in question:
        return [], []
    from blurb_tune.preflight import make_plan
    from blurb_tune.spec import load_spec

    overrides = ["cluster=auto", *([f"storage={open_storage(uri).uri}"] if uri else [])]
    try:
        return [], make_plan(load_spec(Path(question["folder"]) / "spec.yaml", overrides)).warnings
    except InputError as error:
        return [str(problem) for problem in error.problems], []


def _list(storage: Storage, question: Mapping[str, Any]) -> dict[str, Any]:
    return {"sweeps": Sweeps(storage).list()}


def _status(storage: Storage, question: Mapping[str, Any]) -> dict[str, Any]:
    sweep = Sweeps(storage).find(question["id"])
    return sweep.status() | {"events": sweep.events(question.get("events", 10))}


def _log(storage: Storage, question: Mapping[str, Any]) -> dict[str, Any]:
    sweep = Sweeps(storage).find(question["id"])
    status = sweep.status()  # before the text, which is whole once there is no driver
    text, end = sweep.log(question.get("trial"), question.get("start", 0))
    return {"id": sweep.id, "text": text, "end": end} | {name: status[name] for name in ("state", "code", "ended")}


def _ask(storage: Storage, question: Mapping[str, Any]) -> dict[str, Any]:
    """Leave a request for the driver. One of a sweep that has none is for the next."""
    sweep = Sweeps(storage).find(question["id"])
    sweep.ask(Request(question["command"], question["by"], dict(question.get("arguments", {}))))
    return sweep.status()


def _forget(storage: Storage, question: Mapping[str, Any]) -> dict[str, Any]:
    """Take back the requests that nobody has answered: the sweep is to go on."""
    sweep = Sweeps(storage).find(question["id"])
    for name, request in list(sweep.requests()):
        if request.command in HALTS:
            sweep.answer(name)
    return sweep.status()


def _submit(storage: Storage, question: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a sweep down: its spec and data come in the working folder, or as text."""
    submission = Submission(**question["submission"])
    sweep = KeptSweep(storage, submission.id)
    for file in sorted(Path(question["folder"]).rglob("*")):
        if file.is_file():
            sweep.storage.write(f"{PAYLOAD}/{file.relative_to(question['folder']).as_posix()}", file.read_bytes())
    sweep.submit(submission)
    return {"id": submission.id, "storage": storage.uri}


def _files(storage: Storage, question: Mapping[str, Any]) -> dict[str, Any]:
    sweep = Sweeps(storage).find(question["id"])
    return {"id": sweep.id, "files": sweep.files()}


def _file(storage: Storage, question: Mapping[str, Any]) -> dict[str, Any]:
    sweep = Sweeps(storage).find(question["id"])
    data = sweep.read(question["name"])
    if len(data) > _MOST_BYTES:
        raise BlurbTuneError(
            f"{question['name']} is too large to come through the job server; copy it from {sweep.storage.uri}"
        )
    return {"data": base64.b64encode(data).decode()}


ANSWERS: Mapping[str, Callable[[Storage, Mapping[str, Any]], dict[str, Any]]] = {
    "list": _list,
    "status": _status,
    "log": _log,
    "ask": _ask,
    "forget": _forget,
    "submit": _submit,
    "files": _files,
    "file": _file,
}


def main() -> None:
    """Answer the question in the environment."""
    answered: dict[str, Any]
    try:
        answered = {"answer": answer(json.loads(os.environ[QUESTION]))}
    except InputError as error:
        answered = {"problems": [[problem.where, problem.what] for problem in error.problems]}
    except BlurbTuneError as error:
        answered = {"error": str(error)}
    sys.stdout.write(f"\n{ANSWER}{json.dumps(answered)}\n")
    sys.stdout.flush()
    time.sleep(0.2)  # the job server reads the output from a file


if __name__ == "__main__":
    main()
