"""What reading and checking the data of a source comes to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.sources.data_source import DataSource


@dataclass(frozen=True)
class TaskData:
    """The examples that a sweep works with; the test split is not among them.

    With folds, `train` holds all examples, `dev` none, and folds[i] are the indices of those that are dev in fold i.
    """

    train: Sequence[Example]
    dev: Sequence[Example]
    folds: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What train and dev of a source are.

    source: its task knows its labels. data: None where there are problems, or nobody has looked. notes: non-fatal findings,
    though not wrong. digest: SHA-256 of the content of both splits, in hex. sample: a few texts of train, shortened.
    """

    source: DataSource
    data: TaskData | None = None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""
    sample: tuple[str, ...] = ()


def joint_digest(digests: Iterable[str]) -> str:
    """That of train and dev together, by the digest of each."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()
