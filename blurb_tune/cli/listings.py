"""The lists of what a spec can name."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blurb_tune.errors import BlurbTuneError
from blurb_tune.models.catalogue import KNOWN_MODELS, check_weights, describe_model
from blurb_tune.tasks.data import DATA_VARIABLE, data_folder
from blurb_tune.tasks.task import TASKS, Task


def _table(*names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def print_tasks() -> None:
    table = _table("task", "kind", "metrics", "train/dev/test", "data", "what it is")
    for task in TASKS.values():
        counts = "/".join(str(count) for count in task.counts.values())
        cells = (task.name, task.kind, ", ".join(task.metrics), counts, _data(task), task.description)
        table.add_row(*map(Text, cells))
    console = Console()
    console.print(table)
    console.print(f"Data folders are looked for in `data:` of the spec, else in ${DATA_VARIABLE}.", highlight=False)


def _data(task: Task) -> str:
    if task.is_builtin:
        return "built in"
    folder = data_folder(task, None)
    return "found" if folder is not None and folder.is_dir() else f"needs {task.folder}/"


def print_models() -> None:
    table = _table("model", "family", "blocks", "hidden", "here", "from", "what it is")
    for known in KNOWN_MODELS.values():
        cells = (known.name, known.family, str(known.blocks), str(known.hidden_size), _here(known.name), known.source)
        table.add_row(*map(Text, cells), Text(known.description))
    console = Console()
    console.print(table)
    console.print("Also: a local folder with config.json and *.safetensors, or any hub id (owner/name).", highlight=False)


def _here(name: str) -> str:
    """Whether the weights are on this machine; the hub is not asked."""
    try:
        model = describe_model(name)
        if model.hub_id is None:
            check_weights(model)
            return "yes"
    except BlurbTuneError:
        return "no"
    return "hub"
