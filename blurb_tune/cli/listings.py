"""The lists of what a spec can name."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blurb_tune.errors import BlurbTuneError
from blurb_tune.models.catalogue import KNOWN_MODELS, KnownModel, check_weights, describe_model
from blurb_tune.tasks.data import DATA_VARIABLE, data_folder
from blurb_tune.tasks.task import TASKS, Task


def print_tasks() -> None:
    table = _table("task", "metric", "train/dev/test", "data")
    for task in TASKS.values():
        counts = "/".join(str(count) for count in task.counts.values())
        table.add_row(task.name, task.metric, counts, _data(task), Text(f"{task.kind}: {task.description}"))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"\nData folders are looked for in `data:` of the spec, else in ${DATA_VARIABLE}.")


def _data(task: Task) -> str:
    if task.is_builtin:
        return "built in"
    folder = data_folder(task, None)
    return "found" if folder is not None and folder.is_dir() else f"needs {task.folder}/"


def print_models() -> None:
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
