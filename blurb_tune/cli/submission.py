"""`submit`, `resume` and requests to drivers: what people do with sweeps on a cluster."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blurb_tune.cli.plan import print_plan
from blurb_tune.cli.program import program
from blurb_tune.cli.service import POLL_SECONDS, is_wanted, show_findings
from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError, Problem
from blurb_tune.core.secrets import holds_secret, redact
from blurb_tune.core.versions import versions
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.service.changes import changes
from blurb_tune.service.client import Service
from blurb_tune.service.kept_sweeps import Submission, user
from blurb_tune.service.package import package
from blurb_tune.service.settings import Settings, settings
from blurb_tune.service.sweep_state import HALTS, OVER
from blurb_tune.spec import load_spec

# Where no driver has left one: it was called off before it began, or what it left cannot be read. All others were lost.
_CODES = {"stopped": ExitCode.INTERRUPTED, "paused": ExitCode.INTERRUPTED, "failed": ExitCode.FAILED}


def submit_command(
    file: Path,
    overrides: Sequence[str],
    address: str | None,
    storage: str | None,
    *,
    yes: bool,
    wait: bool,
    dry_run: bool,
    as_json: bool,
) -> ExitCode:
    """Check a sweep here and on the cluster, and send it there."""
    plan = make_plan(load_spec(file, overrides), check_machine=False)
    _refuse_secrets(plan)
    service = Service(settings(address, storage or plan.spec.storage))
    with package(plan) as folder:
        found = service.ask("doctor", folder=folder, versions=versions(), gpus=plan.spec.resources.gpus)
        if not as_json:
            print_plan(plan)
        show_findings(found["findings"], only_faults=True)
        faults = [Problem("cluster", f"{of['what']}; {of['cure']}") for of in found["findings"] if of["level"] == "fault"]
        faults += [Problem("on the cluster", problem) for problem in found["problems"]]
        if faults:
            raise InputError(faults)
        if dry_run:
            return ExitCode.DONE
        if not (yes or is_wanted("Submit this sweep?")):
            return ExitCode.INTERRUPTED
        place = str(found["storage"])
        service.settings = Settings(service.settings.address, place)
        submission = Submission(
            id=f"{plan.spec.name}-{uuid.uuid4().hex[:8]}",
            name=plan.spec.name,
            owner=user(),
            submitted=time.time(),
            address=service.settings.address or "",
            priority=plan.spec.priority,
        )
        service.ask("submit", folder=folder, submission=asdict(submission))
    job = service.drive(submission.id, place, {"BLURB_TUNE_OWNER": submission.owner})
    _say_submitted(submission, plan, place, as_json=as_json)
    return _follow(service, submission.id, job) if wait else ExitCode.DONE


def _refuse_secrets(plan: Plan) -> None:
    """A password in the spec would lie in the storage and in the cluster's own store, for others to read."""
    tracking = plan.spec.tracking
    problems = [
        Problem(f"tracking.{name}", "holds a password; write ${NAME} in its place, which stands for a variable of the nodes")
        for name, address in {"uri": tracking.uri, "study_url": tracking.study_url}.items()
        if address is not None and holds_secret(address)
    ]
    if problems:
        raise InputError(problems)


def ask_command(
    command: str, sweep_id: str, address: str | None, storage: str | None, *, sets: Sequence[str] = (), as_json: bool
) -> ExitCode:
    """`stop`, `pause`, `change`, `retry`."""
    service = Service(settings(address, storage))
    arguments = changes(sets) if command == "change" else {}
    before = service.ask("status", id=sweep_id)
    if before["state"] in OVER and command in HALTS:
        raise InputError([Problem(sweep_id, f"this sweep is {before['state']} already")])
    after = service.ask("ask", id=before["id"], command=command, by=user(), arguments=arguments)
    if after["state"] in OVER and command not in HALTS:  # which only a new driver can follow
        return _drive_again(service, after, as_json=as_json)
    if before["state"] == "pending" and command in HALTS:
        _stop_pending(service, before["id"])
    found = service.ask("status", id=before["id"])
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print(f"{before['id']}: {command} asked for; its driver follows within seconds")
    return ExitCode.DONE


def resume_command(sweep_id: str, address: str | None, storage: str | None, *, wait: bool, as_json: bool) -> ExitCode:
    """Send a driver for a sweep that has none, also to another cluster than that which began it."""
    service = Service(settings(address, storage))
    before = service.ask("status", id=sweep_id)
    if before["state"] not in OVER:
        raise InputError([Problem(sweep_id, f"this sweep is {before['state']}; only one that has no driver is resumed")])
    if before["state"] in ("finished", "no result"):
        cure = f"make it larger with `{program()} change {before['id']} --set seeds=...`"
        raise InputError([Problem(sweep_id, f"this sweep is {before['state']}; {cure}")])
    return _drive_again(service, before, as_json=as_json, wait=wait)


def _drive_again(service: Service, before: Mapping[str, Any], *, as_json: bool, wait: bool = False) -> ExitCode:
    place = service.ask("forget", id=before["id"])["folder"].removesuffix(f"/{before['id']}")
    job = service.drive(before["id"], place, {"BLURB_TUNE_OWNER": before["owner"] or user()})
    if as_json:
        print(json.dumps({"id": before["id"], "job": job}, indent=2))
    else:
        print(f"{before['id']} goes on; `{program()} status {before['id']}` shows how it stands")
    return _follow(service, before["id"], job, last_end=before["ended"]) if wait else ExitCode.DONE


def _stop_pending(service: Service, sweep_id: str) -> None:
    """A driver that has not begun is called off; should it begin all the same, it finds the request."""
    if service.settings.address is not None:
        service.jobs.stop(sweep_id)


def _follow(service: Service, sweep_id: str, job: str, last_end: float | None = None) -> ExitCode:
    """Show the driver's output until it has ended; its exit code. A Ctrl-C leaves the sweep alone.

    last_end: when the driver before it ended, whose end the sweep has until this one begins.
    """
    start, silent, has_begun = 0, 0, False
    try:
        while True:
            found = service.ask("log", id=sweep_id, start=start)
            start = found["end"]
            sys.stdout.write(found["text"])
            sys.stdout.flush()
            state = found["state"]
            has_begun = has_begun or state not in OVER or found["ended"] not in (None, last_end)
            if has_begun and state in OVER:
                return _CODES.get(state, ExitCode.CLUSTER_LOST) if found["code"] is None else ExitCode(found["code"])
            silent = silent + 1 if state == "pending" or not has_begun else 0
            if silent and (message := service.jobs.fault(job)):
                raise BlurbTuneError(f"{sweep_id}: its driver could not be started: {message}")
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        print(f"\n{sweep_id} runs on; `{program()} stop {sweep_id}` ends it", file=sys.stderr)
        return ExitCode.INTERRUPTED


def _say_submitted(submission: Submission, plan: Plan, place: str, *, as_json: bool) -> None:
    tracking = plan.spec.tracking.uri and redact(plan.spec.tracking.uri)
    if as_json:
        print(json.dumps(asdict(submission) | {"storage": place, "tracking": tracking}, indent=2))
        return
    name = program()
    print(f"submitted: {submission.id}")
    if tracking:
        print(f"MLflow:    {tracking}")
    print(f"next:      {name} status {submission.id}    {name} logs -f {submission.id}    {name} stop {submission.id}")
