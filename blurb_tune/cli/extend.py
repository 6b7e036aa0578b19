"""`extend`: a sweep that is there already gets more seeds, configurations or confirmation, and runs what it lacks."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console

from blurb_tune.cli.live import open_view
from blurb_tune.cli.run import SweepRun, keep
from blurb_tune.cli.view import View
from blurb_tune.core.errors import ExitCode, InputError, Problem, did_you_mean
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.seeds import confirmation_seeds, more_seeds
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import find_events, has_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.spec import load_spec
from blurb_tune.spec.budget import BudgetSpec, budget_fault
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.tracking.target import spec_of

if TYPE_CHECKING:
    from blurb_tune.execution.storage_session import StorageSession

_ONLY = {"winner", "vanilla"}


@dataclass(frozen=True)
class Growth:
    """What is asked for, None for what stays: seeds of each configuration, configurations and confirmation seeds, each in
    all; `key=value` settings of the budget, or `none`; whether the seeds are for winner and vanilla alone; whether trials that
    errored run again; settings that change no number, by key path. prefix: of their names in messages. request: see
    `SweepExtended`."""

    seeds: int | None = None
    configurations: int | None = None
    confirm: int | None = None
    budget: Sequence[str] = ()
    only: str | None = None
    errored_again: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = field(default="--", compare=False)
    request: str = field(default="", compare=False)


def extend_command(
    paths: SweepPaths, growth: Growth, *, quiet: bool, as_json: bool, keeping: StorageSession | None = None
) -> ExitCode:
    """Make the plan of a sweep larger, run what it lacks, and show it. Returns the exit code. keeping: see `keep`."""
    console = Console(quiet=quiet or as_json)
    with open_view(console, str(paths.root)) as view:
        run = extend_sweep(paths, growth, view, keeping)
    return run.show(console, quiet=quiet, as_json=as_json)


def extend_sweep(paths: SweepPaths, growth: Growth, view: View, keeping: StorageSession | None = None) -> SweepRun:
    """Make the plan of a sweep larger, and run what it lacks; `view` is open. keeping: see `keep`.

    Without anything to grow by, it goes on with the plan in force. Raises InputError with all that is wrong at once.
    """
    from blurb_tune.execution.sweep_folder import check_folder

    started = time.monotonic()
    with keep(spec_of(paths).storage, paths, keeping) as session:
        view.on_phase("checking the plan")
        if not has_events(paths.events):
            raise InputError([Problem(str(paths.root), "the event log of this sweep is empty: nothing has run yet")])
        before, settings = plan_in_force(paths)
        check_folder(before, paths)
        changes = _changes(before.spec, SweepRecord.read(paths.events), growth)
        plan, extension = before, None
        if changes or growth.errored_again:
            plan, extension = _larger(paths, settings, changes, growth)
        if changes:
            view.say("Larger plan: " + "; ".join(_changes_in_words(before.spec, plan.spec, changes)))
        run = SweepRun(plan, paths, started, view, extension=extension, keeping=session)
        run.run()
    return run


def plan_in_force(paths: SweepPaths) -> tuple[Plan, dict[str, Any]]:
    """The plan of the sweep in a folder, by its spec and all its extensions, and what these have set."""
    settings: dict[str, Any] = {}
    for event in find_events(paths.events, ev.SweepExtended):
        settings |= event.settings
    return _plan(paths, settings), settings


def _plan(paths: SweepPaths, settings: Mapping[str, Any]) -> Plan:
    return make_plan(load_spec(paths.spec, _overrides(settings), is_kept=True), purpose="resume")


def _larger(
    paths: SweepPaths, settings: Mapping[str, Any], changes: Mapping[str, Any], growth: Growth
) -> tuple[Plan, ev.SweepExtended]:
    plan = _plan(paths, {**settings, **changes})
    had = SweepRecord.read(paths.events).header.confirmation_seeds
    new = confirmation_seeds(max(0, plan.spec.confirm - len(had)), {*had, *plan.spec.seeds})
    return plan, ev.SweepExtended(
        spec_digest=plan.digest,
        seeds=list(plan.spec.seeds),
        configurations=plan.configurations,
        confirmation_seeds=[*had, *new],
        settings=dict(changes),
        errored_again=growth.errored_again,
        request=growth.request,
    )


def _changes(spec: SweepSpec, record: SweepRecord, growth: Growth) -> dict[str, Any]:
    """The settings that grow, by key path; those that are as large already are left out."""
    problems: list[Problem] = []
    confirm, seeds, dashes = growth.confirm, growth.seeds, growth.prefix
    if growth.only is not None:
        names = {name.strip() for name in growth.only.split(",")}
        if names != _ONLY:
            problems.append(Problem(f"{dashes}only", f"expected `winner,vanilla`, but got {growth.only!r}"))
        if seeds is None or confirm is not None:
            what = f"say by {dashes}seeds, not {dashes}confirm, how many seeds these two have in all"
            problems.append(Problem(f"{dashes}only", what))
        else:
            confirm, seeds = max(spec.confirm, seeds - len(spec.seeds)), None
    planned = record.header.configurations or len(record.configurations)
    asked = {"seeds": (seeds, len(spec.seeds)), "configurations": (growth.configurations, planned)}
    for name, (wanted, has) in (asked | {"confirm": (confirm, spec.confirm)}).items():
        if wanted is not None and wanted < has:
            problems.append(Problem(f"{dashes}{name}", f"a sweep only grows, and this one has {has}, but got {wanted}"))
    if spec.crossed is not None and seeds is not None and seeds > len(spec.seeds):
        what = f"crossed seeds cannot grow; {dashes}confirm and {dashes}configurations can"
        problems.append(Problem(f"{dashes}seeds", what))
    budget = _budget(spec, growth, problems)
    if problems:
        raise InputError(problems)
    changes: dict[str, Any] = {}
    if seeds is not None and seeds > len(spec.seeds):
        changes["seeds"] = more_seeds(spec.seeds, seeds, taken=record.header.confirmation_seeds)
    if growth.configurations is not None and growth.configurations > planned:
        changes["search.configurations"] = growth.configurations
    if confirm is not None and confirm > spec.confirm:
        changes["confirm"] = confirm
    if budget is not None and budget != spec.budget.model_dump(mode="json"):
        changes["budget"] = budget
    changes |= growth.settings
    spent = record.budget_spent
    if spent is not None and growth != Growth() and "budget" not in changes:
        raise InputError([Problem(f"{dashes}budget", f"it is spent ({spent.reason}); give a larger one, or none")])
    return changes


def _budget(spec: SweepSpec, growth: Growth, problems: list[Problem]) -> dict[str, Any] | None:
    """The budget with what is given; None where nothing is."""
    if not growth.budget:
        return None
    if list(growth.budget) == ["none"]:
        return BudgetSpec().model_dump(mode="json")
    budget = spec.budget.model_dump(mode="json")
    for item in growth.budget:
        place = f"{growth.prefix}budget {item}"
        name, equals, value = item.partition("=")
        if not equals or name not in budget:
            hint = did_you_mean(name, budget)
            problems.append(Problem(place, f"expected `none` or a setting such as `trials=200`{hint}"))
        else:
            budget[name] = _value(value)
            if fault := budget_fault(name, budget[name]):
                problems.append(Problem(place, fault))
    return budget if problems else BudgetSpec.model_validate(budget).model_dump(mode="json")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _overrides(settings: Mapping[str, Any]) -> list[str]:
    return [f"{path}={json.dumps(value)}" for path, value in settings.items()]


def _changes_in_words(before: SweepSpec, after: SweepSpec, changes: Mapping[str, Any]) -> list[str]:
    said = {
        "seeds": f"{len(before.seeds)} to {len(after.seeds)} seeds of each configuration",
        "search.configurations": f"{after.search.configurations} configurations",
        "confirm": f"{before.confirm} to {after.confirm} confirmation seeds of winner and vanilla",
        "budget": "another budget",
    }
    return [said.get(path, f"{path} {value}") for path, value in changes.items()]
