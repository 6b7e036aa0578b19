"""`list`, `status`, `logs` and their kin: what people see and fetch of sweeps on a cluster."""

from __future__ import annotations

import json
import sys
import time
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from blurb_tune.cli.program import program
from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError, Problem
from blurb_tune.core.numbers import duration, score
from blurb_tune.core.storage import open_storage
from blurb_tune.core.versions import versions
from blurb_tune.service.client import Service
from blurb_tune.service.prune import leftovers, remove, work_folder
from blurb_tune.service.settings import settings
from blurb_tune.service.sweep_state import OVER
from blurb_tune.tasks.encoding.cache import cache_folder, states_folder

POLL_SECONDS = 3.0
_WIDE = 200  # where nobody looks on, nothing is cut
_SIGNS = {"ok": "[green]ok[/]     ", "warning": "[yellow]warning[/]", "fault": "[red]fault[/]  "}


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
        cells = (sweep["id"], sweep["owner"], sweep["state"], _percent(sweep), _best(sweep), _age(sweep), _time_left(sweep))
        table.add_row(*map(Text, cells))
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
        "progress": f"{_percent(found)}, {_time_left(found) or 'no'} time left" if found["seconds_left"] else _percent(found),
        "trials": ", ".join(f"{count} {name}" for name, count in trials.items()),
        "slots": str(found["slots"] or "") + (f", waiting for {found['waiting_for']}" if found["waiting_for"] else ""),
        "best": _best(found),
        "dashboard": found["tracking"],
        "folder": found["folder"],
    }
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, text in rows.items():
        if text:
            grid.add_row(Text(name, style="bold"), Text(text))
    for event in found["events"]:
        grid.add_row(time.strftime("%H:%M:%S", time.localtime(event["time"])), Text(event["text"]))
    Console(highlight=False).print(grid)


def logs_command(sweep_id: str, trial: str | None, address: str | None, storage: str | None, *, follow: bool) -> None:
    service = Service(settings(address, storage))
    start = 0
    while True:
        found = service.ask("log", id=sweep_id, trial=trial, start=start)
        start = found["end"]
        sys.stdout.write(found["text"])
        sys.stdout.flush()
        if not follow or found["state"] in OVER:
            return
        time.sleep(POLL_SECONDS)


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
    place = open_storage(uri) if uri else None
    caches = [folder for folder in (cache_folder(), states_folder(), work_folder()) if folder]
    found = list(leftovers(place, caches, days))
    for leftover in found:
        print(f"{leftover.size / 1e6:9.1f} MB  {leftover.storage.uri}: {leftover.why}")
    total = sum(leftover.size for leftover in found)
    print(f"{total / 1e6:9.1f} MB in all")
    if not found or dry_run:
        return ExitCode.DONE
    if not (yes or is_wanted("Remove all of it?")):
        return ExitCode.INTERRUPTED
    for leftover in remove(found, place, caches, days):
        print(f"kept: {leftover.storage.uri}, which has changed meanwhile")
    return ExitCode.DONE


def doctor_command(address: str | None, storage: str | None, *, gpus: float, tracking: str | None, as_json: bool) -> ExitCode:
    found = Service(settings(address, storage)).ask("doctor", versions=versions(), gpus=gpus, tracking=tracking)
    if as_json:
        print(json.dumps(found["findings"], indent=2))
    else:
        show_findings(found["findings"])
    return ExitCode.FAILED if any(of["level"] == "fault" for of in found["findings"]) else ExitCode.DONE


def is_wanted(question: str) -> bool:
    if not sys.stdin.isatty():
        raise InputError([Problem("--yes", "nobody is there to be asked; give it to go ahead")])
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def show_findings(findings: Sequence[Mapping[str, str]], *, only_faults: bool = False) -> None:
    console = Console(stderr=only_faults, highlight=False, soft_wrap=True)
    for finding in findings:
        if not only_faults or finding["level"] == "warning":
            cure = f"; {finding['cure']}" if finding["cure"] else ""
            console.print(_SIGNS[finding["level"]], Text(f"{finding['what']}{cure}"))


def _percent(sweep: Mapping[str, Any]) -> str:
    return "" if sweep["progress"] is None else f"{100 * sweep['progress']:.0f} %"


def _best(sweep: Mapping[str, Any]) -> str:
    best = sweep["best"]
    return f"{best['strategy']} {score(best['objective'])}" if best and best["objective"] is not None else ""


def _age(sweep: Mapping[str, Any]) -> str:
    return duration(time.time() - sweep["submitted"])


def _time_left(sweep: Mapping[str, Any]) -> str:
    return "" if sweep["seconds_left"] is None else duration(sweep["seconds_left"])
