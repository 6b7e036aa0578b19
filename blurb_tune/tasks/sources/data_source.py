"""Where a task's data come from: a BLURB folder, a hub data set, a user's own tables, or code.

A `DataSource` is what a spec names. Only `checking.task_data.load_test` reads the test split of one; everything else at most
looks whether it is there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from blurb_tune.core.errors import Problem
from blurb_tune.core.paths import expand_home
from blurb_tune.tasks.examples import NamedProblem
from blurb_tune.tasks.sources import hub_data
from blurb_tune.tasks.sources.columns import Rows, coerce_columns, join_flags, join_words
from blurb_tune.tasks.sources.splits import SPLITS, BuiltInSplits, FileSplits, HubSplits, NoSplits, Split, Splits
from blurb_tune.tasks.task import Task

DATA_VARIABLE = "BLURB_DATA_DIR"


@dataclass(frozen=True)
class Table:
    """The rows of a split. digest: the SHA-256 of its content in hex. separator: that of its labels, as `columns` has it."""

    rows: Rows
    digest: str
    separator: str | None


@dataclass(frozen=True)
class DataSource:
    """The data of a task.

    is_custom: a custom task, where cells of text may stand for numbers and lists, and dev may be cut from train. dev_share:
    share of train that becomes dev then, None where nobody said. folds: of a cross-validation, 0 without one. flags: columns
    with 0 and 1 that stand for one of labels. separator, sentence: as `columns` has them; where nobody named the separator, an
    inspection takes that of train.
    """

    task: Task
    splits: Splits
    is_custom: bool = False
    dev_share: float | None = None
    folds: int = 0
    flags: tuple[str, ...] = ()
    separator: str | None = None
    sentence: str | None = None

    @property
    def has_test(self) -> bool:
        """There is a test split; it is not opened."""
        return self.splits.has("test")

    def read(self, split: Split) -> Table:
        """The rows of a split as the task's kind reads them."""
        (rows, digest), separator = self.splits.read(split), self.separator
        if self.flags:
            rows = join_flags(rows, self.flags, self.task.label_field, self.splits.location(split))
        if self.is_custom or isinstance(self.splits, HubSplits):
            location = self.splits.location(split)
            rows = join_words(self.task, rows, location, self.sentence)
            rows, separator = coerce_columns(self.task, rows, location, separator=separator)
        return Table(rows, digest, separator)

    def describe(self) -> str:
        return self.splits.describe()


def find_source(task: Task, data: str | None = None, base: Path = Path()) -> DataSource:
    """Where a task of the catalog has its data, whether or not they are there.

    `data` is the spec's: a folder, relative to `base`, or `hf://owner/name[/config]`. Without it BLURB_DATA_DIR names the
    folder, and where the task is not in that one, there is the hub's copy. A folder holds the task's folder, under any of its
    names in any spelling, or is itself that folder. A built-in task has its data in itself.
    """
    if task.data_set.is_builtin:
        return DataSource(task, BuiltInSplits())
    if data and data.startswith(hub_data.PREFIX):
        return _on_the_hub(task, data.removeprefix(hub_data.PREFIX))
    if data:
        return DataSource(task, _folder_splits(task, base / expand_home(data)))
    folder = os.environ.get(DATA_VARIABLE)
    splits = _folder_splits(task, expand_home(folder)) if folder else _nowhere(task)
    if isinstance(splits, NoSplits) and task.data_set.hub_copy is not None:
        return _on_the_hub(task, task.data_set.hub_copy.name, local_error=splits.problem)
    return DataSource(task, splits)


def _on_the_hub(task: Task, name: str, local_error: Problem | None = None) -> DataSource:
    columns = task.data_set.hub_copy.columns if task.data_set.hub_copy and task.data_set.hub_copy.name == name else {}
    without_ids = replace(task, id_field=None)  # which data sets of the hub seldom have
    return DataSource(without_ids, HubSplits(name, "data", needs_dev=True, columns=columns, local_error=local_error))


def _nowhere(task: Task) -> NoSplits:
    without_hub = "" if task.data_set.hub_copy else " (there is no copy on the hub)"
    return NoSplits(Problem(f"task {task.name!r}", f"no data folder is given; {_advice(task)}{without_hub}"))


def _folder_splits(task: Task, root: Path) -> Splits:
    try:
        inside = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    except OSError as error:
        return NoSplits(NamedProblem(str(root), f"the folder cannot be read: {error.strerror}", "data"))
    matches = [folder for folder in inside if task.is_called(folder.name)]
    exact = root / task.data_set.folder
    is_itself = not matches and _file(root, "train").is_file()
    folder = root if is_itself else exact if exact in matches or not matches else matches[0]
    if not folder.is_dir():
        foreign = [path for path in inside if path.name in ("seqcls", "tokcls")]
        hint = f"; LinkBERT's folders are read by `blurb-tune import-data {root} --to FOLDER`" if foreign else ""
        return NoSplits(
            NamedProblem(str(folder), f"no such folder; {_advice(task)} with its three .jsonl files{hint}", "data")
        )
    return FileSplits({split: _file(folder, split) for split in SPLITS}, {})


def _file(folder: Path, split: Split) -> Path:
    return folder / f"{split}.jsonl"


def _advice(task: Task) -> str:
    return f"set `data:` in the spec or {DATA_VARIABLE} to the folder that holds {task.data_set.folder}/"
