"""From data sets as people have them to the folders that BLURB tasks are read from.

Besides `task_data.load_test` this is the one place that reads test splits, since it copies them: their rows are checked and
counted, and nobody is shown them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.paths import fault_of_folder
from blurb_tune.tasks.checking.checks import note_counts
from blurb_tune.tasks.checking.parsing import parse
from blurb_tune.tasks.examples import Example, Row
from blurb_tune.tasks.importing.foreign import DataSet, read_rows
from blurb_tune.tasks.importing.tags import with_tags
from blurb_tune.tasks.sources.splits import SPLITS, Split
from blurb_tune.tasks.task import Task

Report = Callable[[str], object]


@dataclass(frozen=True)
class Imported:
    """A data set in its new folder. counts: examples by split. remarks: what was changed, and what the publication has
    otherwise.
    """

    task: Task
    folder: Path
    counts: Mapping[Split, int]
    remarks: tuple[str, ...]


def import_data_sets(found: Sequence[DataSet], target: Path, report: Report, *, force: bool = False) -> list[Imported]:
    """Write each data set to its folder in `target`, all of them or none; `report` hears what is read at the moment.

    Raises InputError with everything that is wrong with any of them or with the target, and BlurbTuneError when writing fails.
    """
    _check_targets(found, target, force=force)
    try:
        with _create_folder(target), tempfile.TemporaryDirectory(dir=target, prefix=".import-") as name:
            scratch = Path(name)
            done: list[Imported] = []
            problems: list[Problem] = []
            for data_set in found:
                try:
                    done.append(_import(data_set, scratch, report))
                except InputError as error:
                    problems += error.problems
            if problems:
                raise InputError(problems)
            return [replace(each, folder=_move(each.folder, target, scratch)) for each in done]
    except OSError as error:
        raise BlurbTuneError(f"{target} cannot be written: {error.strerror}") from None


@contextmanager
def _create_folder(folder: Path) -> Iterator[None]:
    """The folder, with those above it; what was not there before goes again when nothing comes of it."""
    absent = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:  # after a Ctrl-C too
        with suppress(OSError):  # somebody else uses it by now
            for each in absent:
                each.rmdir()
        raise


def _check_targets(found: Sequence[DataSet], target: Path, *, force: bool) -> None:
    if fault := fault_of_folder(target):
        raise InputError([Problem(str(target), fault)])
    problems = []
    sources = [path for data_set in found for path in (data_set.folder, *itertools.chain(*data_set.files.values()))]
    for data_set in found:
        folder = target / data_set.task.data_set.folder
        held = [path for path in sources if path.resolve().is_relative_to(folder.resolve())]
        if held:
            what = "is the source itself" if held[0].resolve() == folder.resolve() else f"holds {held[0]}, which is read"
            problems.append(Problem(str(folder), f"this {what}; name another folder with --to"))
        elif folder.exists() and not force:
            problems.append(Problem(str(folder), "this is there already; --force replaces it"))
    if problems:
        raise InputError(problems)


def _import(data_set: DataSet, target: Path, report: Report) -> Imported:
    task, splits = data_set.task, dict[Split, list[Example]]()
    problems: list[Problem] = []
    remarks: list[str] = []
    for split in SPLITS:
        report(f"{task.name}: {split}")
        try:
            rows = read_rows(data_set, split)
        except InputError as error:
            problems += error.problems
            continue
        try:
            foreign, read = _as_it_comes(task, rows, str(data_set.files[split][0]))
        except InputError as error:
            problems += error.problems
            continue
        splits[split], faults = parse(foreign, rows, str(data_set.files[split][0]))
        problems += faults
        remarks += [f"{task.name} {split}: {remark}" for remark in read]
    if problems:
        raise InputError(problems)
    folder = target / task.data_set.folder
    folder.mkdir()
    digests = {split: _write(task, examples, folder / f"{split}.jsonl") for split, examples in splits.items()}
    units = {split: task.kind.units(task, examples) for split, examples in splits.items()}
    counts = {split: len(examples) for split, examples in splits.items()}
    meta = _meta(data_set, counts, units, digests)
    (folder / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    remarks += [f"{task.name} {note}" for split in SPLITS for note in note_counts(task, splits[split], split)]
    return Imported(task, folder, counts, tuple(remarks))


def _as_it_comes(task: Task, rows: Sequence[Row | Problem], file: str) -> tuple[Task, list[str]]:
    """The task as these rows spell it: without ids where there are none, and with the tags of other people's files."""
    found = [row for row in rows if isinstance(row, Row)]
    if task.id_field is not None and not any(task.id_field in row.values for row in found):
        task = replace(task, id_field=None)
    return with_tags(task, found, file)


def _write(task: Task, examples: Sequence[Example], file: Path) -> str:
    """Write a split and return its SHA-256 in hex."""
    lines = [json.dumps(_record(task, example), ensure_ascii=False) + "\n" for example in examples]
    content = "".join(lines).encode()
    file.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _record(task: Task, example: Example) -> dict[str, Any]:
    texts = {task.fields[0]: list(example.texts)} if task.per_token else dict(zip(task.fields, example.texts, strict=True))
    return {"id": example.id, **texts, task.label_field: task.kind.write_label(task, example)}


def _meta(
    data_set: DataSet, counts: Mapping[Split, int], units: Mapping[Split, int], digests: Mapping[Split, str]
) -> dict[str, Any]:
    task = data_set.task
    return {
        "task": task.name,
        "kind": task.kind.name,
        "labels": list(task.labels),
        "metric": task.metric,
        "counts": dict(counts),
        **({task.data_set.counted: dict(units)} if task.data_set.counted != "examples" else {}),
        f"published_{task.data_set.counted}": dict(task.data_set.published),
        "origin": str(data_set.folder),
        "sha256": dict(digests),
    }


def _move(folder: Path, target: Path, scratch: Path) -> Path:
    """Put a finished folder in its place; what was there before goes with `scratch`."""
    place = target / folder.name
    if place.exists():
        place.rename(scratch / f".{folder.name}")
    return folder.rename(place)
