"""`import-data`: BLURB data sets in other people's formats become the folders that a sweep reads.

It reads test splits, too, since it copies them: apart from the final evaluation of a sweep nothing else does.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.tasks.blurb.definitions import find_task
from blurb_tune.tasks.importing.copying import import_data_sets
from blurb_tune.tasks.importing.foreign import find_data_sets
from blurb_tune.tasks.sources.data_source import DATA_VARIABLE
from blurb_tune.tasks.sources.splits import SPLITS
from blurb_tune.tasks.task import Task


def import_command(source: Path, target: Path, task: str | None, *, force: bool) -> None:
    """Import what is found in `source` and say what came of it."""
    try:
        found, strangers = find_data_sets(source, _find_task(task) if task else None)
    except OSError as error:
        raise InputError([Problem(str(error.filename or source), f"cannot be read: {error.strerror}")]) from None
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(found) * len(SPLITS))

        def show(what: str) -> None:
            progress.update(bar, description=f"reading {what}")
            progress.advance(bar)

        imported = import_data_sets(found, target, show, force=force)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for data_set in imported:
        counts = "/".join(str(count) for count in data_set.counts.values())
        console.print(f"{data_set.folder}: {data_set.task.name}, {counts} examples in {'/'.join(data_set.counts)}")
    for remark in (remark for data_set in imported for remark in data_set.remarks):
        console.print(f"note: {remark}")
    if strangers and task is None:
        console.print(f"left out, not called like a data set of BLURB: {', '.join(map(str, strangers))}")
    console.print(f"To use it: export {DATA_VARIABLE}={shlex.quote(str(target.resolve()))}")


def _find_task(name: str) -> Task:
    try:
        task = find_task(name)
    except BlurbTuneError as error:
        raise InputError([Problem("--task", str(error))]) from None
    if task.data_set.is_builtin:
        raise InputError([Problem("--task", f"{task.name} has its data built in")])
    return task
