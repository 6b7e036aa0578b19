"""A sweep's folder: made for a new sweep, taken up again for one of the same spec, refused to any other."""

from __future__ import annotations

import getpass
import os
import platform
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.core.paths import OF_THE_SERVICE, SweepPaths, fault_of_folder, whole_path, write_atomically
from blurb_tune.core.secrets import redact
from blurb_tune.core.seeds import confirmation_seeds
from blurb_tune.core.storage import FolderStorage, Storage, is_object_store, open_storage
from blurb_tune.core.versions import versions
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog, find_events, read_events
from blurb_tune.preflight import Plan
from blurb_tune.spec.documents import dump
from blurb_tune.spec.source import read_source
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.tasks.sources.splits import SPLITS

_MAY_GROW = {"seeds", "confirm", "budget", "search"}


def default_folder(plan: Plan) -> Path:
    """`<storage>/<name>-<id>`; the id follows from the spec and the data, so the same command finds its folder again.

    A sweep that is kept in an object store has its log and tables in `runs` too, where its driver works.
    """
    storage = plan.spec.storage
    home = Path("runs") if storage is None or is_object_store(storage) else FolderStorage.at(storage).root
    return home / f"{plan.spec.name}-{plan.digest[:8]}"


def storage_of(uri: str | None, paths: SweepPaths) -> Storage:
    """The sweep's own place in the storage `uri`, which all nodes reach: its part of an object store, or its folder."""
    if uri is not None and is_object_store(uri):
        return open_storage(uri).child(paths.root.name)
    return FolderStorage(paths.root.resolve())


def check_folder(plan: Plan, paths: SweepPaths) -> ev.SweepStarted | None:
    """The first event of the sweep in the folder, None for a new folder.

    Raises InputError when the folder holds a sweep of another spec or data, or something that is no sweep, when nothing can be
    written to it, or when the sampler has yet to hear of earlier sweeps that cannot be read.
    """
    first = _first_event(plan, paths)
    if plan.earlier_problems and not _knows_earlier(paths):
        raise InputError(plan.earlier_problems)
    return first


def _first_event(plan: Plan, paths: SweepPaths) -> ev.SweepStarted | None:
    if fault := fault_of_folder(paths.root):
        raise InputError([Problem(str(paths.root), fault)])
    if not paths.root.exists():
        return None
    first = next((event for event, _ in read_events(paths.events)), None) if paths.events.exists() else None
    if first is None:
        ours = {paths.events.name, paths.spec.name, paths.lock.name, *OF_THE_SERVICE}
        strangers = [path for path in paths.root.iterdir() if path.name not in ours]
        if strangers:
            raise InputError([Problem(str(paths.root), "this folder is not empty and holds no sweep; name another --output")])
        return None
    if not isinstance(first, ev.SweepStarted):
        raise InputError([Problem(f"{paths.events}:1", "the event log does not start with a sweep")])
    larger = find_events(paths.events, ev.SweepExtended)
    if (larger[-1] if larger else first).spec_digest != plan.digest:
        raise InputError([Problem(str(paths.root), f"holds a sweep of another spec ({_difference(plan, paths)})")])
    return first


def _knows_earlier(paths: SweepPaths) -> bool:
    """Whether the log has what earlier sweeps tell the sampler, or the sampler has begun without."""
    events = read_events(paths.events) if paths.events.exists() else ()
    return any(isinstance(event, ev.WarmStarted | ev.ConfigurationSuggested) for event, _ in events)


def tell_earlier(plan: Plan, paths: SweepPaths, log: EventLog) -> None:
    """Log once what earlier sweeps tell the sampler: a driver that was lost behind its first event has not come to it."""
    if plan.earlier and not _knows_earlier(paths):
        log.append(ev.WarmStarted(configurations=[of for sweep in plan.earlier for of in sweep.configurations]))


def _difference(plan: Plan, paths: SweepPaths) -> str:
    try:
        before = read_source(paths.spec).data
    except InputError:
        before = {}
    now = resolve_spec(plan)
    changed = [name for name in now if before.get(name) != now[name] and name != "base"]
    names = f"other values of {', '.join(changed)}" if changed else "the data differ"
    grow = ", or make it larger with `blurb-tune extend`" if changed and set(changed) <= _MAY_GROW else ""
    return f"{names}; name another --output, or none{grow}"


def resolve_spec(plan: Plan) -> dict[str, Any]:
    """The spec as plain data, every default written out and files by their whole paths, so that it can be read anywhere.

    Models keep their names, by which the log knows them; `base` is where their folders are.
    """
    data = plan.spec.model_dump(mode="json") | {"base": str(plan.base.resolve())}
    if data["data"] is not None:
        data["data"] = whole_path(data["data"], plan.base)
    data["search"]["warm_start"] = [whole_path(folder, plan.base) for folder in data["search"]["warm_start"]]
    if isinstance(data["task"], dict):
        data["task"] |= {key: whole_path(data["task"][key], plan.base) for key in SPLITS if data["task"][key] is not None}
    return data


def write_spec(plan: Plan, paths: SweepPaths) -> None:
    """Keep the spec beside the log, for its owner's eyes alone where it holds the password of a server."""
    header = f"# {plan.spec.name}: every setting of this sweep, defaults written out\n"
    text = header + dump(resolve_spec(plan))
    write_atomically(paths.spec, text, mode=0o644 if redact(text) == text else 0o600)


def owner() -> str:
    """Whose sweep this is: the user who submitted it, else the one whose process this is; empty where neither has a name."""
    try:
        return os.environ.get("BLURB_TUNE_OWNER") or getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        return ""


def first_event(plan: Plan, facts: SweepFacts, slots: int, precision: str, notes: Sequence[str]) -> ev.SweepStarted:
    """The event a new sweep's log begins with."""
    spec = plan.spec
    return ev.SweepStarted(
        sweep_id=f"{spec.name}-{uuid.uuid4().hex[:8]}",
        name=spec.name,
        spec_digest=plan.digest,
        task=plan.task.name,
        metric=plan.metric,
        models=dict(facts.blocks),
        objective=spec.objective,
        score=spec.score,
        seeds=list(spec.seeds),
        confirmation_seeds=confirmation_seeds(spec.confirm, spec.seeds),
        crossed=spec.crossed,
        configurations=plan.configurations,
        trivial_score=facts.trivial_score,
        trivial_loss=facts.trivial_loss,
        noise_bound=facts.level(None).noise_bound,
        log_version=ev.LOG_VERSION,
        slots=slots,
        folds=facts.folds,
        precision=precision,
        max_failed_share=spec.max_failed_share,
        notes=list(notes),
        owner=owner(),
        host=platform.node(),
        data_source=redact(plan.source.describe()),
        data_digest=plan.data_digest,
        settings_digest=plan.settings_digest,
        examples={name: n for name, n in (("train", plan.train_examples), ("dev", plan.dev_examples)) if n is not None},
        versions=versions(),
    )
