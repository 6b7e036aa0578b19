"""The lists of what a spec can name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.catalog import KNOWN_MODELS, KnownModel, check_weights, describe_model
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.sources.data_source import DATA_VARIABLE, find_source
from blurb_tune.tasks.sources.hub_data import PREFIX
from blurb_tune.tasks.sources.splits import FileSplits, HubSplits, NoSplits
from blurb_tune.tasks.task import Task

_TASKS_NOTE = f"""
Sizes are as published: mentions of entities for NER, words with a tag for PICO, else examples.
Data are looked for in `data:` of the spec, a folder or {PREFIX}owner/name, else in
${DATA_VARIABLE} ({{variable}}), else on the hub where it has a copy.
`blurb-tune import-data` makes such a folder of other formats; a `task:` mapping
describes tables of your own (docs/own-data.md)."""


def print_tasks(*, as_json: bool = False) -> None:
    """A line for each task, and one that says what it is, which at 80 columns would not fit beside it."""
    if as_json:
        print(json.dumps([_plain_task(task) for task in TASKS.values()], indent=2))
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("task", "type", "metric", "train/dev/test", "data"):
        table.add_column(name, no_wrap=True)
    for task in TASKS.values():
        sizes = "/".join(str(size) for size in task.data_set.published.values())
        table.add_row(task.name, task.data_set.blurb_type or "-", task.metric, sizes, Text(_data(task)))
    console = Console(highlight=False)
    console.print(table)
    console.print()
    descriptions = Table.grid(padding=(0, 2, 0, 0))
    for task in TASKS.values():
        descriptions.add_row(task.name, Text(task.description))
    console.print(descriptions)
    note = _TASKS_NOTE.format(variable=os.environ.get(DATA_VARIABLE) or "not set")
    console.print(note, markup=False, soft_wrap=True)


def _plain_task(task: Task) -> dict[str, Any]:
    return {
        "task": task.name,
        "type": task.data_set.blurb_type,
        "metric": task.metric,
        "published": dict(task.data_set.published),
        "data": _data(task),
        "description": task.description,
    }


def _data(task: Task) -> str:
    """Where the data are; the hub is not asked."""
    match find_source(task).splits:
        case NoSplits():
            return f"no {task.data_set.folder}/"
        case HubSplits():
            return "the hub"
        case FileSplits() as splits:
            return f"{Path(splits.describe()).name}/{' lacks files' if splits.problems() else ''}"
        case splits:
            return splits.describe()


def print_models(*, as_json: bool = False) -> None:
    """A line for each known model."""
    if as_json:
        listed = [
            {"model": known.name, "blocks": known.blocks, "from": _origin(known), "description": known.description}
            for known in KNOWN_MODELS.values()
        ]
        print(json.dumps(listed, indent=2))
        return
    table = _table("model", "blocks", "from")
    for known in KNOWN_MODELS.values():
        table.add_row(known.name, str(known.blocks), _origin(known), known.description)
    console = Console(highlight=False)
    console.print(table)
    console.print("\nAlso: a local folder with config.json and *.safetensors, or any hub id (owner/name).")


def _origin(known: KnownModel) -> str:
    """Whether the weights are on this machine; the hub is not asked."""
    if known.hub_id is not None:
        return "the hub"
    try:
        check_weights(describe_model(known.name))
    except BlurbTuneError:
        return "not installed"
    return "this machine"


def _table(*names: str) -> Table:
    """A table whose last column, the description, takes what room is left."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in names:
        table.add_column(name, no_wrap=True)
    table.add_column("what it is", overflow="fold")
    return table
