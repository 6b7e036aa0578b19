"""The rows of a task's splits, wherever they lie: in files, on the hub, in code, or nowhere at all."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.paths import open_file, read_file
from blurb_tune.tasks.blurb import demo
from blurb_tune.tasks.examples import NamedProblem, Row, is_list
from blurb_tune.tasks.sources import hub_data
from blurb_tune.tasks.sources.readers import DEFAULT_LAYOUT, Layout, read_json_lines, read_table_or_conll

Split = Literal["train", "dev", "test"]
TUNING_SPLITS: tuple[Split, ...] = ("train", "dev")
SPLITS: tuple[Split, ...] = (*TUNING_SPLITS, "test")
_NO_FILE = "no such file"


class Splits(Protocol):
    """The rows of up to three splits, wherever they lie."""

    def problems(self) -> list[Problem]:
        """What is wrong with the splits' presence. Raises InputError where nothing is there at all."""
        ...

    def has(self, split: Split) -> bool:
        """Whether there is such a split; it is not opened."""
        ...

    def location(self, split: Split) -> str:
        """What a split is called in messages."""
        ...

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        """The rows of a split, and the SHA-256 of its content in hex. Raises BlurbTuneError when it cannot be read."""
        ...

    def describe(self) -> str:
        """A word for people on where the data lie."""
        ...


@dataclass(frozen=True)
class FileSplits:
    """A file for each split.

    keys: what the spec calls each file, to name the right line of it; empty for a folder's files. layout: how they are
    written. tagged: the columns of words and tags, of a task whose files may be CoNLL's.
    """

    files: Mapping[Split, Path]
    keys: Mapping[Split, str]
    layout: Layout = DEFAULT_LAYOUT
    tagged: tuple[str, str] | None = None

    def problems(self) -> list[Problem]:
        """Besides, all faults of test that show without opening it; those of train and dev show when they are read."""
        faults = {split: _fault_of_file(file) for split, file in self.files.items()}
        return [
            self._problem(split, fault) for split, fault in faults.items() if fault == _NO_FILE or (fault and split == "test")
        ]

    def has(self, split: Split) -> bool:
        return split in self.files and _fault_of_file(self.files[split]) != _NO_FILE

    def location(self, split: Split) -> str:
        return str(self.files[split])

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        file = self.files[split]
        try:
            content = read_file(file)
        except OSError as error:
            return [self._problem(split, f"cannot be read: {error.strerror}")], ""
        return list(read_table_or_conll(content, file, self.layout, self.tagged)), hashlib.sha256(content).hexdigest()

    def digest(self, split: Split) -> str:
        """That of `read`, without a look at the rows. Raises OSError when it cannot be read."""
        with open_file(self.files[split]) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def describe(self) -> str:
        folders = list(dict.fromkeys(str(file.parent) for file in self.files.values()))
        return folders[0] if not self.keys else ", ".join(str(file) for file in self.files.values())

    def _problem(self, split: Split, what: str) -> Problem:
        location = self.location(split)
        return NamedProblem(location, what, self.keys[split]) if split in self.keys else Problem(location, what)


def _fault_of_file(file: Path) -> str | None:
    """Why a file cannot be read, as far as that shows without opening it; None where nothing is known against it."""
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _NO_FILE
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISDIR(status.st_mode):
        return "expected a file, but this is a folder"
    if not os.access(file, os.R_OK):
        return "cannot be read: Permission denied"
    return "the file is empty" if stat.S_ISREG(status.st_mode) and status.st_size == 0 else None


@dataclass(frozen=True)
class HubSplits:
    """A data set of the hub, `owner/name` or `owner/name/config`.

    key: what the spec calls it. columns: what the data set calls columns that it calls otherwise. local_error: why the data
    were not found before anybody looked here; None where the spec names the hub.
    """

    name: str
    key: str
    needs_dev: bool
    columns: Mapping[str, str] = field(default_factory=dict)
    local_error: Problem | None = None

    def problems(self) -> list[Problem]:
        try:
            found = hub_data.hub_splits(self.name)
        except BlurbTuneError as error:
            problem = NamedProblem(self.describe(), str(error), self.key)
            raise InputError([self.local_error, problem] if self.local_error else [problem]) from None
        needed = TUNING_SPLITS if self.needs_dev else TUNING_SPLITS[:1]
        return [
            NamedProblem(self.describe(), f"there is no split {' or '.join(map(repr, hub_data.SPLIT_NAMES[split]))}", self.key)
            for split in needed
            if split not in found
        ]

    def has(self, split: Split) -> bool:
        return split in hub_data.hub_splits(self.name)

    def location(self, split: Split) -> str:
        return f"{self.describe()}, {split}"

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        rows = list(hub_data.hub_rows(self.name, hub_data.hub_splits(self.name)[split]))
        content = json.dumps([row.values for row in rows], default=str, sort_keys=True)
        return [self._with_task_columns(row) for row in rows], hashlib.sha256(content.encode()).hexdigest()

    def describe(self) -> str:
        return f"{hub_data.PREFIX}{self.name}"

    def _with_task_columns(self, row: Row) -> Row:
        """With our names of the columns, and without the list around a text or label that stands alone in one."""
        named = {ours: row.values[theirs] for ours, theirs in self.columns.items() if theirs in row.values}
        alone = {ours: value[0] if is_list(value) and len(value) == 1 else value for ours, value in named.items()}
        return replace(row, values={**row.values, **alone})


@dataclass(frozen=True)
class BuiltInSplits:
    """The demo's data, made by code."""

    def problems(self) -> list[Problem]:
        return []

    def has(self, split: Split) -> bool:
        return True

    def location(self, split: Split) -> str:
        return f"demo:{split}"

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        content = demo.jsonl(split).encode()
        return list(read_json_lines(content, self.location(split))), hashlib.sha256(content).hexdigest()

    def describe(self) -> str:
        return "built in"


@dataclass(frozen=True)
class NoSplits:
    """No data at all, and why."""

    problem: Problem

    def problems(self) -> list[Problem]:
        raise InputError([self.problem])

    def has(self, split: Split) -> bool:
        return False

    def location(self, split: Split) -> str:
        return self.problem.where

    def read(self, split: Split) -> tuple[list[Row | Problem], str]:
        return [self.problem], ""

    def describe(self) -> str:
        return "nowhere"
