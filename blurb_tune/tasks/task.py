"""The table of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from blurb_tune.errors import BlurbTuneError, did_you_mean


class Kind(StrEnum):
    """What a model predicts for an example."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


METRICS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.REGRESSION: ("pearson", "spearman", "mse"),
        Kind.CLASSIFICATION: ("accuracy", "macro_f1"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A data set and how runs on it are scored.

    labels: the classes, in the order of their indices; empty for regression. label_range: smallest and largest score of a
    regression task, None for no limits. fields: the one or two text columns. folder: the data set's name inside a BLURB data
    folder; None when code makes the data. counts: examples per split as published. max_length: default, in tokens.
    """

    name: str
    kind: Kind
    description: str
    folder: str | None
    max_length: int
    counts: Mapping[str, int]
    labels: tuple[str, ...] = ()
    label_range: tuple[float, float] | None = None
    fields: tuple[str, ...] = ("sentence1", "sentence2")
    aliases: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """The score that everything is chosen by, on dev; higher is better."""
        return self.metrics[0]

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics the task reports, the score first."""
        return METRICS[self.kind]

    @property
    def outputs(self) -> int:
        """Width of the model's output: one value, or one logit per class."""
        return len(self.labels) or 1

    @property
    def is_builtin(self) -> bool:
        """Its data is made by code and needs no folder."""
        return self.folder is None


_ALL = (
    Task(
        name="biosses",
        kind=Kind.REGRESSION,
        description="similarity of two biomedical sentences, scored 0 to 4 by experts",
        folder="BIOSSES",
        max_length=128,
        counts={"train": 64, "dev": 16, "test": 20},
        label_range=(0.0, 4.0),
    ),
    Task(
        name="pubmedqa",
        kind=Kind.CLASSIFICATION,
        description="does the abstract answer the question with yes, no or maybe",
        folder="pubmedqa",
        max_length=512,
        counts={"train": 450, "dev": 50, "test": 500},
        labels=("maybe", "no", "yes"),
        aliases=("pubmed_qa", "pubmed-qa"),
    ),
    Task(
        name="demo",
        kind=Kind.REGRESSION,
        description="similarity of two invented biomedical sentences, scored 0 to 4; needs no data folder",
        folder=None,
        max_length=64,
        counts={"train": 96, "dev": 48, "test": 48},
        label_range=(0.0, 4.0),
    ),
)

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _ALL})


def find_task(name: str) -> Task:
    """The task called `name` or having it as an alias, in any case. Raises BlurbTuneError with the nearest valid name."""
    wanted = name.casefold()
    for task in TASKS.values():
        if wanted in (task.name, *task.aliases):
            return task
    raise BlurbTuneError(f"unknown task {name!r}{did_you_mean(name, TASKS)}")
