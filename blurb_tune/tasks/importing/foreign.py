"""Data sets of BLURB as people have them: which there are in a folder, and the rows of their files.

LinkBERT's folders (`seqcls/BIOSSES_hf/train.json`), CoNLL files, and tables with the task's columns.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.core.paths import read_file
from blurb_tune.tasks.blurb.definitions import BLURB
from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.importing.originals import as_blurb
from blurb_tune.tasks.kinds.named_labels import label_index
from blurb_tune.tasks.sources.columns import coerce_columns, join_words
from blurb_tune.tasks.sources.readers import CONLL_ENDINGS, FORMATS, Layout, read_table, read_table_or_conll
from blurb_tune.tasks.sources.splits import Split
from blurb_tune.tasks.task import Task

_SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train",
    "dev": "dev",
    "devel": "dev",
    "development": "dev",
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
    "test": "test",
}
# `train.json`, or a part such as `train-00000-of-00002.parquet`.
_SPLIT_FILE = re.compile(rf"(?P<split>{'|'.join(_SPLIT_NAMES)})(?P<part>-\d+-of-\d+)?")
_LINKBERT_ENDING = "_hf"
_MAX_DEPTH = 4

Files = Mapping[Split, Sequence[Path]]


@dataclass(frozen=True)
class DataSet:
    """A data set that was found: its task, its folder, and the files of each split."""

    task: Task
    folder: Path
    files: Files


def find_data_sets(source: Path, task: Task | None = None) -> tuple[list[DataSet], list[Path]]:
    """The data sets of BLURB in `source`, itself one or a folder of folders, and the folders that are called otherwise.

    With `task`, that one alone; it need not be called so where there is no other. Raises InputError where there is none, or
    more than one folder for a task.
    """
    if not source.is_dir():
        raise InputError([Problem(str(source), "expected a folder with files such as train.json, dev.json and test.json")])
    folders = {folder: files for folder in _folders(source) if "train" in (files := _split_files(folder))}
    if not folders:
        raise InputError(
            [Problem(str(source), f"there is no train file ({', '.join((*FORMATS, *CONLL_ENDINGS))}) in it or below it")]
        )
    tasks = {folder: _task_of(folder) for folder in folders}
    if task is not None and len(folders) == 1:
        tasks = dict.fromkeys(folders, task)
    found = [DataSet(known, folder, folders[folder]) for folder, known in tasks.items() if known and task in (None, known)]
    if not found:
        wanted = task.name if task else "a data set of BLURB; name it with --task"
        names = ", ".join(str(folder.relative_to(source.parent)) for folder in folders)
        raise InputError([Problem(str(source), f"no folder is called like {wanted}; found: {names}")])
    _refuse_twins(found)
    return found, [folder for folder, known in tasks.items() if known is None]


def read_rows(data_set: DataSet, split: Split) -> list[Row | Problem]:
    """The rows of a split. Raises InputError where there is no file for it, or more than one that are no parts of one."""
    task, files = data_set.task, data_set.files.get(split, ())
    files = [file for file in files if task.per_token or file.suffix.lower() not in CONLL_ENDINGS]
    if not files:
        raise InputError([Problem(str(data_set.folder), f"there is no {split} file")])
    if len(files) > 1 and not all(_part(file) for file in files):
        names = " and ".join(file.name for file in files)
        raise InputError([Problem(str(data_set.folder), f"{names} both hold the {split} split; leave one of them here")])
    rows = as_blurb(task, [row for file in files for row in _read_rows(task, file)])
    read, _ = coerce_columns(task, join_words(task, rows, str(files[0])), str(files[0]))
    return read


def _folders(source: Path) -> Iterator[Path]:
    for name, inside, _ in os.walk(source):
        folder = Path(name)
        is_deep = len(folder.relative_to(source).parts) >= _MAX_DEPTH
        inside[:] = [] if is_deep else sorted(name for name in inside if not name.startswith("."))
        yield folder


def _split_files(folder: Path) -> Files:
    files: dict[Split, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        match = _SPLIT_FILE.fullmatch(file.stem.lower())
        if match and file.suffix.lower() in (*FORMATS, *CONLL_ENDINGS) and file.is_file():
            files.setdefault(_SPLIT_NAMES[match["split"]], []).append(file)
    return files


def _part(file: Path) -> str | None:
    match = _SPLIT_FILE.fullmatch(file.stem.lower())
    return match["part"] if match else None


def _task_of(folder: Path) -> Task | None:
    name = folder.resolve().name.removesuffix(_LINKBERT_ENDING)
    return next((task for task in BLURB if task.is_called(name)), None)


def _refuse_twins(found: Sequence[DataSet]) -> None:
    problems = [
        Problem(str(second.folder), f"holds {second.task.name}, and so does {first.folder}; name one of them as the source")
        for index, second in enumerate(found)
        for first in found[:index]
        if first.task == second.task
    ]
    if problems:
        raise InputError(problems)


def _read_rows(task: Task, file: Path) -> Iterator[Row | Problem]:
    try:
        content = read_file(file)
    except OSError as error:
        return iter([Problem(str(file), f"cannot be read: {error.strerror}")])
    listed = task.kind.word_list_fields(task)
    rows = list(read_table_or_conll(content, file, tagged=(listed[0], task.label_field) if listed else None))
    if columns := _columns_without_header(task, rows):
        return read_table(content, file, Layout(columns=columns))
    return iter(rows)


def _columns_without_header(task: Task, rows: Sequence[Row | Problem]) -> tuple[str, ...] | None:
    """What the columns are called of a table whose first row is no header but an example: the last cell is one of the labels.

    Before the label stand the texts, and before them may stand an id.
    """
    header = next((list(row.values) for row in rows if isinstance(row, Row)), [])
    if not header or not task.labels or task.per_token or task.label_field in header or label_index(task, header[-1]) < 0:
        return None
    columns = (*task.fields, task.label_field)
    return {len(columns): columns, len(columns) + 1: ("index", *columns)}.get(len(header))
