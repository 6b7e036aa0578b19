"""What has been found of files with which nothing is wrong, so that they need not be read and checked again.

A finding is an entry of the cache under a digest of the files' bytes, of the task and how its data are asked for, and of the
code that has judged them. Files with a fault leave none. Examples are no part of it: they are read when somebody asks for one.
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

Look = Callable[[DataSource], Inspection]


def remembered(source: DataSource, folder: Path, look: Look) -> Inspection:
    """`look(source)`, from an entry in `folder` where there is one, else leaving one there if nothing is wrong.

    Data that lie in no files are looked at each time, and so is whether files are there. Where nothing can be written, `look`
    comes each time.
    """
    splits = source.splits
    if not isinstance(splits, FileSplits) or splits.problems():
        return look(source)
    try:
        digest = joint_digest(splits.digest(split) for split in TUNING_SPLITS if splits.has(split))
    except OSError:  # of which `look` tells
        return look(source)
    return _recalled(source, digest, folder / _key(source, splits, digest), look) or _kept(
        look(source), source, splits, folder
    )


def _recalled(source: DataSource, digest: str, entry: Path, look: Look) -> Inspection | None:
    """What was found of files by their digest, or None where nothing has been."""

    @cache
    def read() -> TaskData:
        return _read_again(source, digest, look)

    try:
        known = json.loads((read_entry(entry) or {})[_FILE].read_bytes())
        labels, aliases, center, scale = known["task"]
        (trained, train), (held_out, dev) = known["examples"]
        folds, notes, sample = tuple(map(tuple, known["folds"])), tuple(known["notes"]), tuple(known["sample"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    task = replace(source.task, labels=tuple(labels), label_aliases=aliases, label_center=center, label_scale=scale)
    splits = KnownExamples(trained, train, lambda: read().train), KnownExamples(held_out, dev, lambda: read().dev)
    return Inspection(replace(source, task=task), TaskData(*splits, folds), (), notes, digest, sample)


def _read_again(source: DataSource, digest: str, look: Look) -> TaskData:
    found = look(source)
    if found.data is None:
        raise InputError(found.problems)
    if found.digest != digest:
        raise BlurbTuneError(f"{source.describe()}: the data have changed since they were looked at; begin again")
    return found.data


def _kept(found: Inspection, source: DataSource, splits: FileSplits, folder: Path) -> Inspection:
    """What was found, with examples that are known; an entry tells of it next time, where nothing is wrong."""
    if found.data is None:
        return found
    task, train, dev = found.source.task, _known(found.data.train), _known(found.data.dev)
    finding = {
        "task": [task.labels, dict(task.label_aliases), task.label_center, task.label_scale],
        "examples": [[len(part), part.digest] for part in (train, dev)],
        "folds": found.data.folds,
        "notes": found.notes,
        "sample": found.sample,
    }
    write_entry(folder / _key(source, splits, found.digest), {_FILE: json.dumps(finding).encode()})
    return replace(found, data=TaskData(train, dev, found.data.folds))


def _known(examples: Sequence[Example]) -> KnownExamples:
    return KnownExamples(len(examples), digest_of(examples), lambda: examples)


def _key(source: DataSource, splits: FileSplits, digest: str) -> str:
    """In hex; it changes with everything that a look at files of this digest depends on."""
    formats = [splits.files[split].suffix for split in TUNING_SPLITS if splits.has(split)]
    facts = [_code(), digest, formats, repr(source.task), source.is_custom, source.dev_share, source.folds, source.has_test]
    facts += [repr(splits.layout), source.flags, source.separator, source.sentence]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@cache
def _code() -> str:
    """A digest of all that reads, judges and cuts: what an earlier version of it has found is not believed."""
    digest = hashlib.sha256(f"{sys.version} {np.__version__}".encode())
    for file in sorted(file for room in _ROOMS for file in (_PACKAGE / room).rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
