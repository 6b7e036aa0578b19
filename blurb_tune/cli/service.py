"""`submit`, `list`, `status`, `logs` and their kin: what people do with sweeps on a cluster."""

from __future__ import annotations

import json
import sys
import time
import uuid
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from blurb_tune.cli.plan import print_plan
from blurb_tune.cli.program import program
from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError, Problem
from blurb_tune.core.numbers import duration, score
from blurb_tune.core.secrets import holds_secret, redact
from blurb_tune.core.storage import open_storage
from blurb_tune.core.versions import versions
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.service.changes import changes
from blurb_tune.service.client import Service
from blurb_tune.service.package import package
from blurb_tune.service.prune import leftovers, remove, work_folder
from blurb_tune.service.settings import Settings, settings
from blurb_tune.service.sweeps import Submission, user
from blurb_tune.spec import load_spec
from blurb_tune.tasks.encoding.cache import cache_folder, states_folder

_OVER = {"finished", "no result", "failed", "stopped", "paused", "interrupted", "lost"}
_CODES = {"finished": ExitCode.DONE, "no result": ExitCode.NO_RESULT, "failed": ExitCode.FAILED, "lost": ExitCode.FAILED}
_POLL_SECONDS = 3.0
_WIDE = 200  # where nobody looks on, nothing is cut
_SIGNS = {"ok": "[green]ok[/]     ", "warning": "[yellow]warning[/]", "fault": "[red]fault[/]  "}


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
        _show_findings(found["findings"], only_faults=True)
        faults = [Problem("cluster", f"{of['what']}; {of['cure']}") for of in found["findings"] if of["level"] == "fault"]
        faults += [Problem("on the cluster", problem) for problem in found["problems"]]
        if faults:
            raise InputError(faults)
        if dry_run:
            return ExitCode.DONE
        if not (yes or _is_wanted("Submit this sweep?")):
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


def list_command(address: str | None, storage: str | None, *, as_json: bool) -> None:
    sweeps = Service(settings(address, storage)).ask("list")["sweeps"]
    if as_json:
        print(json.dumps(sweeps, indent=2))
        return
    if not sweeps:
        print(f"no sweeps yet; `{program()} submit sweeps/quickstart.yaml` sends one")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "owner", "state", "progress", "best", "age", "left"):
        table.add_column(name, no_wrap=True)
    for sweep in sweeps:
        table.add_row(sweep["id"], sweep["owner"], sweep["state"], _percent(sweep), _best(sweep), _age(sweep), _left(sweep))
    Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE).print(table)


def status_command(sweep_id: str, address: str | None, storage: str | None, *, as_json: bool) -> None:
    found = Service(settings(address, storage)).ask("status", id=sweep_id)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    trials = {name: count for name, count in found["trials"].items() if count}
    rows = {
        "sweep": f"{found['id']}, {found['state']}" + (f": {found['message']}" if found["message"] else ""),
        "owner": found["owner"],
        "progress": f"{_percent(found)}, {_left(found) or 'no'} time left" if found["seconds_left"] else _percent(found),
        "trials": ", ".join(f"{count} {name}" for name, count in trials.items()),
        "slots": str(found["slots"] or "") + (f", waiting for {found['waiting_for']}" if found["waiting_for"] else ""),
        "best": _best(found),
        "dashboard": found["tracking"],
        "folder": found["folder"],
    }
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, text in rows.items():
        if text:
            grid.add_row(f"[bold]{name}[/]", text)
    for event in found["events"]:
        grid.add_row(time.strftime("%H:%M:%S", time.localtime(event["time"])), event["text"])
    Console(highlight=False).print(grid)


def logs_command(sweep_id: str, trial: str | None, address: str | None, storage: str | None, *, follow: bool) -> None:
    service = Service(settings(address, storage))
    start = 0
    while True:
        found = service.ask("log", id=sweep_id, trial=trial, start=start)
        start = found["end"]
        sys.stdout.write(found["text"])
        sys.stdout.flush()
        if not follow or found["state"] in _OVER:
            return
        time.sleep(_POLL_SECONDS)


def ask_command(
    command: str, sweep_id: str, address: str | None, storage: str | None, *, sets: Sequence[str] = (), as_json: bool
) -> ExitCode:
    """`stop`, `pause`, `change`, `retry`."""
    service = Service(settings(address, storage))
    arguments = changes(sets) if command == "change" else {}
    before = service.ask("status", id=sweep_id)
    if before["state"] in _OVER and command in ("stop", "pause"):
        raise InputError([Problem(sweep_id, f"this sweep is {before['state']} already")])
    service.ask("ask", id=before["id"], command=command, by=user(), arguments=arguments)
    if before["state"] in _OVER:  # which only a new driver can follow
        return _drive_again(service, before, as_json=as_json)
    if before["state"] == "pending":
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
    if before["state"] not in _OVER:
        raise InputError([Problem(sweep_id, f"this sweep is {before['state']}; only one that has no driver is resumed")])
    if before["state"] in ("finished", "no result"):
        cure = f"make it larger with `{program()} change {before['id']} --set seeds=...`"
        raise InputError([Problem(sweep_id, f"this sweep is {before['state']}; {cure}")])
    service.ask("forget", id=before["id"])
    return _drive_again(service, before, as_json=as_json, wait=wait)


def fetch_command(sweep_id: str, to: Path, address: str | None, storage: str | None, *, quiet: bool) -> None:
    service = Service(settings(address, storage))
    found = service.ask("status", id=sweep_id)
    for name in service.fetch(found["id"], to / found["id"]):
        if not quiet:
            print(to / found["id"] / name)


def open_command(sweep_id: str, address: str | None, storage: str | None) -> None:
    found = Service(settings(address, storage)).ask("status", id=sweep_id)
    if not found["tracking"].startswith("http"):
        cure = f"`{program()} fetch {found['id']} --to runs`, then `{program()} ui runs/{found['id']}`"
        raise BlurbTuneError(f"{found['id']} has no tracking server; {cure}")
    print(found["tracking"])
    webbrowser.open(found["tracking"])


def prune_command(address: str | None, storage: str | None, *, days: float, yes: bool, dry_run: bool) -> ExitCode:
    """Remove what nobody needs, once it has been shown."""
    uri = settings(address, storage).storage
    caches = [folder for folder in (cache_folder(), states_folder(), work_folder()) if folder]
    found = list(leftovers(open_storage(uri) if uri else None, caches, days))
    for leftover in found:
        print(f"{leftover.size / 1e6:9.1f} MB  {leftover.place.uri}: {leftover.why}")
    total = sum(leftover.size for leftover in found)
    print(f"{total / 1e6:9.1f} MB in all")
    if not found or dry_run:
        return ExitCode.DONE
    if not (yes or _is_wanted("Remove all of it?")):
        return ExitCode.INTERRUPTED
    for leftover in found:
        try:
            remove(leftover)
        except OSError as error:
            raise BlurbTuneError(f"{leftover.place.uri} cannot be removed: {error}") from None
    return ExitCode.DONE


def doctor_command(address: str | None, storage: str | None, *, gpus: float, tracking: str | None, as_json: bool) -> ExitCode:
    found = Service(settings(address, storage)).ask("doctor", versions=versions(), gpus=gpus, tracking=tracking)
    if as_json:
        print(json.dumps(found["findings"], indent=2))
    else:
        _show_findings(found["findings"])
    return ExitCode.FAILED if any(of["level"] == "fault" for of in found["findings"]) else ExitCode.DONE


def _drive_again(service: Service, before: Mapping[str, Any], *, as_json: bool, wait: bool = False) -> ExitCode:
    place = service.ask("status", id=before["id"])["folder"].removesuffix(f"/{before['id']}")
    job = service.drive(before["id"], place, {"BLURB_TUNE_OWNER": before["owner"] or user()})
    if as_json:
        print(json.dumps({"id": before["id"], "job": job}, indent=2))
    else:
        print(f"{before['id']} goes on; `{program()} status {before['id']}` shows how it stands")
    return _follow(service, before["id"], job) if wait else ExitCode.DONE


def _stop_pending(service: Service, sweep_id: str) -> None:
    """A driver that has not begun is called off; should it begin all the same, it finds the request."""
    if service.settings.address is not None:
        service.jobs.stop(sweep_id)


def _follow(service: Service, sweep_id: str, job: str) -> ExitCode:
    """Show the driver's output until it has ended; its exit code. A Ctrl-C leaves the sweep alone."""
    start, silent = 0, 0
    try:
        while True:
            found = service.ask("log", id=sweep_id, start=start)
            start = found["end"]
            sys.stdout.write(found["text"])
            sys.stdout.flush()
            state = found["state"]
            if state in _OVER:
                return _CODES.get(state, ExitCode.INTERRUPTED)
            silent = silent + 1 if state == "pending" else 0
            if silent and (message := service.jobs.fault(job)):
                raise BlurbTuneError(f"{sweep_id}: its driver could not be started: {message}")
            time.sleep(_POLL_SECONDS)
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


def _is_wanted(question: str) -> bool:
    if not sys.stdin.isatty():
        raise InputError([Problem("--yes", "nobody is there to be asked; give it to go ahead")])
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _show_findings(findings: Sequence[Mapping[str, str]], *, only_faults: bool = False) -> None:
    console = Console(stderr=only_faults, highlight=False, soft_wrap=True)
    for finding in findings:
        if not only_faults or finding["level"] == "warning":
            cure = f"; {finding['cure']}" if finding["cure"] else ""
            console.print(f"{_SIGNS[finding['level']]} {finding['what']}{cure}")


def _percent(sweep: Mapping[str, Any]) -> str:
    return "" if sweep["progress"] is None else f"{100 * sweep['progress']:.0f} %"


def _best(sweep: Mapping[str, Any]) -> str:
    best = sweep["best"]
    return f"{best['strategy']} {score(best['objective'])}" if best and best["objective"] is not None else ""


def _age(sweep: Mapping[str, Any]) -> str:
    return duration(time.time() - sweep["submitted"])


def _left(sweep: Mapping[str, Any]) -> str:
    return "" if sweep["seconds_left"] is None else duration(sweep["seconds_left"])
