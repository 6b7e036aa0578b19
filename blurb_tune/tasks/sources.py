"""Where a task's data come from: a BLURB folder, a hub data set, a user's own tables, or code.

A `DataSource` is what a spec names. Only `data.load_test` reads the test split of one; everything else at most looks whether
it is there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from blurb_tune.errors import BlurbTuneError, InputError, Problem
from blurb_tune.paths import home_expanded
from blurb_tune.tasks import demo, hub
from blurb_tune.tasks.cells import typed
from blurb_tune.tasks.examples import NamedProblem, Row
from blurb_tune.tasks.readers import read_json_lines, read_table
from blurb_tune.tasks.task import Task, is_called

Split = Literal["train", "dev", "test"]
TUNING_SPLITS: tuple[Split, ...] = ("train", "dev")
SPLITS: tuple[Split, ...] = (*TUNING_SPLITS, "test")

DATA_VARIABLE = "BLURB_DATA_DIR"


class Tables(Protocol):
    """The rows of up to three splits, wherever they lie."""

    def problems(self) -> list[Problem]:
        """What is wrong with the splits' presence. Raises InputError where nothing is there at all."""
        ...

    def has(self, split: Split) -> bool:
        """Whether there is such a split; it is not opened."""
        ...

    def place(self, split: Split) -> str:
        """What a split is called in messages."""
        ...

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        """The rows of a split, and the SHA-256 of its content in hex. Raises BlurbTuneError when it cannot be read."""
        ...

    def describe(self) -> str:
        """A word for people on where the data lie."""
        ...


@dataclass(frozen=True)
class FileTables:
    """A file for each split. keys: what the spec calls each file, to name the right line of it; empty for a folder's files."""

    files: Mapping[Split, Path]
    keys: Mapping[Split, str]

    def problems(self) -> list[Problem]:
        return [self._named(split, "no such file") for split, file in self.files.items() if not file.exists()]

    def has(self, split: Split) -> bool:
        return split in self.files and self.files[split].exists()

    def place(self, split: Split) -> str:
        return str(self.files[split])

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        file = self.files[split]
        try:
            content = file.read_bytes()
        except OSError as error:
            return [self._named(split, f"cannot be read: {error.strerror}")], ""
        return list(read_table(content, file)), hashlib.sha256(content).hexdigest()

    def describe(self) -> str:
        folders = list(dict.fromkeys(str(file.parent) for file in self.files.values()))
        return folders[0] if not self.keys else ", ".join(str(file) for file in self.files.values())

    def _named(self, split: Split, what: str) -> Problem:
        place = self.place(split)
        return NamedProblem(place, what, self.keys[split]) if split in self.keys else Problem(place, what)


@dataclass(frozen=True)
class HubTables:
    """A data set of the hub, `owner/name` or `owner/name/config`. key: what the spec calls it."""

    name: str
    key: str
    needs_dev: bool

    def problems(self) -> list[Problem]:
        try:
            found = hub.hub_splits(self.name)
        except BlurbTuneError as error:
            raise InputError([NamedProblem(self.describe(), str(error), self.key)]) from None
        needed = TUNING_SPLITS if self.needs_dev else TUNING_SPLITS[:1]
        return [
            NamedProblem(self.describe(), f"there is no split {' or '.join(map(repr, hub.SPLIT_NAMES[split]))}", self.key)
            for split in needed
            if split not in found
        ]

    def has(self, split: Split) -> bool:
        return split in hub.hub_splits(self.name)

    def place(self, split: Split) -> str:
        return f"{self.describe()}, {split}"

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        rows = list(hub.hub_rows(self.name, hub.hub_splits(self.name)[split]))
        content = json.dumps([row.values for row in rows], default=str, sort_keys=True)
        return [*rows], hashlib.sha256(content.encode()).hexdigest()

    def describe(self) -> str:
        return f"{hub.PREFIX}{self.name}"


@dataclass(frozen=True)
class BuiltIn:
    """The demo's data, made by code."""

    def problems(self) -> list[Problem]:
        return []

    def has(self, split: Split) -> bool:
        return True

    def place(self, split: Split) -> str:
        return f"demo:{split}"

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        content = demo.jsonl(split).encode()
        return list(read_json_lines(content, self.place(split))), hashlib.sha256(content).hexdigest()

    def describe(self) -> str:
        return "built in"


@dataclass(frozen=True)
class Nowhere:
    """No data at all, and why."""

    problem: Problem

    def problems(self) -> list[Problem]:
        raise InputError([self.problem])

    def has(self, split: Split) -> bool:
        return False

    def place(self, split: Split) -> str:
        return self.problem.where

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        return [self.problem], ""

    def describe(self) -> str:
        return "nowhere"


@dataclass(frozen=True)
class DataSource:
    """The data of a task.

    is_own: a user's own task, where cells of text may stand for numbers and lists, and dev may be cut from train. dev_share:
    share of train that becomes dev then, None where nobody said. folds: of a cross-validation, 0 without one.
    """

    task: Task
    tables: Tables
    is_own: bool = False
    dev_share: float | None = None
    folds: int = 0

    @property
    def has_test(self) -> bool:
        """There is a test split; it is not opened."""
        return self.tables.has("test")

    def rows(self, split: Split) -> tuple[list[Row | Problem], str]:
        """The rows of a split, and the SHA-256 of its content in hex."""
        rows, digest = self.tables.read(split)
        return [typed(self.task, row) if self.is_own and isinstance(row, Row) else row for row in rows], digest

    def describe(self) -> str:
        return self.tables.describe()


def find_source(task: Task, data: str | None = None, base: Path = Path()) -> DataSource:
    """Where a task of the catalogue has its data, whether or not they are there.

    `data` is the spec's: a folder, relative to `base`, or `hf://owner/name[/config]`; BLURB_DATA_DIR stands in for it. The
    folder holds the task's folder, under any of its names in any spelling, or is itself that folder. A built-in task has its
    data in itself.
    """
    named = data or os.environ.get(DATA_VARIABLE) or None
    if task.is_builtin:
        return DataSource(task, BuiltIn())
    if named is None:
        return DataSource(task, Nowhere(Problem(f"task {task.name!r}", f"no data folder is given; {_advice(task)}")))
    if named.startswith(hub.PREFIX):
        without_ids = replace(task, id_field=None)  # which data sets of the hub seldom have
        return DataSource(without_ids, HubTables(named.removeprefix(hub.PREFIX), "data", needs_dev=True))
    root = home_expanded(named)
    return DataSource(task, _folder_tables(task, base / root if data else root))


def _folder_tables(task: Task, root: Path) -> Tables:
    inside = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    matches = [folder for folder in inside if is_called(task, folder.name)]
    exact = root / task.folder
    is_itself = not matches and _file(root, "train").is_file()
    folder = root if is_itself else exact if exact in matches or not matches else matches[0]
    if not folder.is_dir():
        foreign = [path for path in inside if path.name in ("seqcls", "tokcls")]
        hint = f"; LinkBERT's folders are read by `blurb-tune import-data {root} --to FOLDER`" if foreign else ""
        return Nowhere(NamedProblem(str(folder), f"no such folder; {_advice(task)} with its three .jsonl files{hint}", "data"))
    return FileTables({split: _file(folder, split) for split in SPLITS}, {})


def _file(folder: Path, split: Split) -> Path:
    return folder / f"{split}.jsonl"


def _advice(task: Task) -> str:
    return f"set `data:` in the spec or {DATA_VARIABLE} to the folder that holds {task.folder}/"
