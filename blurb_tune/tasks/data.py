"""Finding and reading a task's data.

A data set is a folder with `train.jsonl`, `dev.jsonl` and `test.jsonl`: one JSON object a line, with `id`, the task's text
fields and `label`. Only `load_split(..., "test")` opens the test split.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blurb_tune.errors import InputError, Problem
from blurb_tune.tasks import demo
from blurb_tune.tasks.examples import Example, parse
from blurb_tune.tasks.task import Task

Split = Literal["train", "dev", "test"]

DATA_VARIABLE = "BLURB_DATA_DIR"
_TUNING_SPLITS: tuple[Split, ...] = ("train", "dev")


@dataclass(frozen=True)
class TaskData:
    """The examples that a sweep works with. The test split is not among them."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]


def data_folder(task: Task, data: Path | None) -> Path | None:
    """Where the task's files are expected, whether or not they are there; None when nobody said where.

    `data`, or else the environment variable BLURB_DATA_DIR, holds the task's folder (its name in any case) or is itself that
    folder. A built-in task has no folder.
    """
    named = os.environ.get(DATA_VARIABLE)
    root = data or (Path(named) if named else None)
    if task.folder is None or root is None:
        return None
    with suppress(RuntimeError):  # a `~name` that is no user's stays as it is
        root = root.expanduser()
    inside = sorted(root.iterdir()) if root.is_dir() else []
    matches = [f for f in inside if f.name.casefold() == task.folder.casefold() and f.is_dir()]
    exact = root / task.folder
    if matches:
        return exact if exact in matches else matches[0]
    return root if _file(root, "train").is_file() else exact


def check_data(task: Task, folder: Path | None) -> list[Problem]:
    """Everything that is wrong with the train and dev splits, and with the presence of all three files.

    `folder` is what `data_folder` found. The test file is not opened.
    """
    if problem := _folder_problem(task, folder):
        return [problem]
    problems = [problem for split in _TUNING_SPLITS for problem in _read(task, folder, split)[1]]
    if folder is not None and not _file(folder, "test").is_file():
        problems.append(Problem(str(_file(folder, "test")), "no such file"))
    return problems


def load_split(task: Task, folder: Path | None, split: Split) -> list[Example]:
    """The examples of one split, in the file's order. Raises InputError with everything that is wrong with it."""
    if problem := _folder_problem(task, folder):
        raise InputError([problem])
    examples, problems = _read(task, folder, split)
    if problems:
        raise InputError(problems)
    return examples


def load_data(task: Task, folder: Path | None) -> TaskData:
    """Train and dev. Raises InputError with everything that `check_data` finds wrong with them."""
    if problem := _folder_problem(task, folder):
        raise InputError([problem])
    (train, train_problems), (dev, dev_problems) = (_read(task, folder, split) for split in _TUNING_SPLITS)
    if train_problems or dev_problems:
        raise InputError([*train_problems, *dev_problems])
    return TaskData(tuple(train), tuple(dev))


def fingerprint(task: Task, folder: Path | None) -> str:
    """SHA-256, in hex, over the bytes of the train and dev splits. Raises InputError when they cannot be read."""
    if problem := _folder_problem(task, folder):
        raise InputError([problem])
    digest = hashlib.sha256()
    for split in _TUNING_SPLITS:
        digest.update(hashlib.sha256(_content(folder, split)).digest())
    return digest.hexdigest()


def _folder_problem(task: Task, folder: Path | None) -> Problem | None:
    """What is wrong with the folder as a whole. Without a problem, only a built-in task has no folder."""
    if task.is_builtin:
        return None
    what = f"set `data:` in the spec or {DATA_VARIABLE} to the folder that holds {task.folder}/"
    if folder is None:
        return Problem(f"task {task.name!r}", f"no data folder is given; {what}")
    if not folder.is_dir():
        return Problem(str(folder), f"no such folder; {what} with train.jsonl, dev.jsonl and test.jsonl")
    return None


def _file(folder: Path, split: Split) -> Path:
    return folder / f"{split}.jsonl"


def _content(folder: Path | None, split: Split) -> bytes:
    if folder is None:
        return demo.jsonl(split).encode()
    path = _file(folder, split)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError([Problem(str(path), "no such file")]) from None
    except OSError as error:
        raise InputError([Problem(str(path), f"cannot be read: {error.strerror}")]) from None


def _read(task: Task, folder: Path | None, split: Split) -> tuple[list[Example], list[Problem]]:
    try:
        content = _content(folder, split)
    except InputError as error:
        return [], list(error.problems)
    return parse(task, content, str(_file(folder, split)) if folder else f"{task.name}:{split}")
