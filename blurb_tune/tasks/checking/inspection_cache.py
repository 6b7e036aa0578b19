"""A cache of inspections without faults, so that files need not be read and checked again.

An entry is kept under a digest of the files' bytes, of the task and how its data are asked for, and of the
code that has checked them. Files with a fault leave none. Examples are no part of it: they are read when somebody asks for
one.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.tasks.checking.inspection import Inspection, TaskData, joint_digest
from blurb_tune.tasks.encoding.entries import read_entry, write_entry
from blurb_tune.tasks.encoding.known import KnownExamples, digest_of
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.sources.data_source import DataSource
from blurb_tune.tasks.sources.splits import TUNING_SPLITS, FileSplits

_FILE = "finding.json"
_PACKAGE = Path(__file__).parents[2]
_ROOMS = ("core", "tasks")

Inspect = Callable[[DataSource], Inspection]


def inspect_cached(source: DataSource, folder: Path, inspect: Inspect) -> Inspection:
    """`inspect(source)`, from the entry in `folder` where there is one; otherwise an entry is written if nothing is wrong.

    Data that lie in no files are inspected each time, and whether files exist is checked each time. Where nothing can be
    written, `inspect` runs each time.
    """
    splits = source.splits
    if not isinstance(splits, FileSplits) or splits.problems():
        return inspect(source)
    try:
        digest = joint_digest(splits.digest(split) for split in TUNING_SPLITS if splits.has(split))
    except OSError:  # which `inspect` reports
        return inspect(source)
    return _read_entry(source, digest, folder / _key(source, splits, digest), inspect) or _write_entry(
        inspect(source), source, splits, folder
    )


def _read_entry(source: DataSource, digest: str, entry: Path, inspect: Inspect) -> Inspection | None:
    """The inspection of files with this digest; None where there is no entry."""

    @cache
    def read() -> TaskData:
        return _read_again(source, digest, inspect)

    try:
        known = json.loads((read_entry(entry) or {})[_FILE].read_bytes())
        labels, aliases, center, unit, separator = known["task"]
        (trained, train), (held_out, dev) = known["examples"]
        folds, notes, sample = tuple(map(tuple, known["folds"])), tuple(known["notes"]), tuple(known["sample"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    scores = replace(source.task.scores, center=center, unit=unit)
    task = replace(source.task, labels=tuple(labels), label_aliases=aliases, scores=scores)
    splits = KnownExamples(trained, train, lambda: read().train), KnownExamples(held_out, dev, lambda: read().dev)
    return Inspection(replace(source, task=task, separator=separator), TaskData(*splits, folds), (), notes, digest, sample)


def _read_again(source: DataSource, digest: str, inspect: Inspect) -> TaskData:
    found = inspect(source)
    if found.data is None:
        raise InputError(found.problems)
    if found.digest != digest:
        raise BlurbTuneError(f"{source.describe()}: the data have changed since they were inspected; start again")
    return found.data


def _write_entry(found: Inspection, source: DataSource, splits: FileSplits, folder: Path) -> Inspection:
    """The inspection with examples that are read when asked for; it leaves an entry where nothing is wrong."""
    if found.data is None:
        return found
    task, train, dev = found.source.task, _known_examples(found.data.train), _known_examples(found.data.dev)
    finding = {
        "task": [task.labels, dict(task.label_aliases), task.scores.center, task.scores.unit, found.source.separator],
        "examples": [[len(part), part.digest] for part in (train, dev)],
        "folds": found.data.folds,
        "notes": found.notes,
        "sample": found.sample,
    }
    write_entry(folder / _key(source, splits, found.digest), {_FILE: json.dumps(finding).encode()})
    return replace(found, data=TaskData(train, dev, found.data.folds))


def _known_examples(examples: Sequence[Example]) -> KnownExamples:
    return KnownExamples(len(examples), digest_of(examples), lambda: examples)


def _key(source: DataSource, splits: FileSplits, digest: str) -> str:
    """In hex; it changes with everything that the inspection of files with this digest depends on."""
    formats = [splits.files[split].suffix for split in TUNING_SPLITS if splits.has(split)]
    facts = [_code(), digest, formats, repr(source.task), source.is_custom, source.dev_share, source.folds, source.has_test]
    facts += [repr(splits.layout), source.flags, source.separator, source.sentence]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@cache
def _code() -> str:
    """A digest of all that reads, judges and cuts: an entry of an earlier version is not used."""
    digest = hashlib.sha256(f"{sys.version} {np.__version__}".encode())
    for file in sorted(file for room in _ROOMS for file in (_PACKAGE / room).rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
