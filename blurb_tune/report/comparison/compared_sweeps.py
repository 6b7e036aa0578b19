"""The sweeps that are compared: read, checked, and named so that a reader can tell them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem, visible
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log.record import SweepRecord

_MOST_SHOWN = 5


@dataclass(frozen=True)
class Sweep:
    """A sweep of a comparison. label: its name, or its folder where several have that name; unique in the comparison."""

    label: str
    folder: Path
    record: SweepRecord

    @property
    def is_finished(self) -> bool:
        return self.record.status == "finished"


def read_sweeps(folders: Sequence[Path]) -> list[Sweep]:
    """Read the sweeps in these folders, in this order. An unfinished one is read as far as its log goes.

    Raises InputError with every folder that is no sweep's, or holds a sweep that another one of them holds too; and
    BlurbTuneError where nothing but damaged logs is wrong.
    """
    problems: list[Problem] = []
    damaged: list[str] = []
    records: dict[Path, SweepRecord] = {}
    if len(folders) < 2:
        problems.append(Problem(str(folders[0]) if folders else "compare", "expected the folders of two sweeps or more"))
    by_id: dict[str, Path] = {}
    for folder in folders:
        paths = SweepPaths(folder)
        if not paths.events.is_file():
            problems.append(Problem(str(folder), _why_no_sweep(folder)))
            continue
        try:
            record = SweepRecord.read(paths.events)
        except BlurbTuneError as error:
            damaged.append(str(error))
            continue
        if record.started is None:
            problems.append(Problem(str(folder), "the event log of this sweep is empty: nothing has run yet"))
        elif twin := by_id.get(record.header.sweep_id):
            problems.append(Problem(str(folder), f"holds the same sweep as {twin} ({record.header.sweep_id}); name it once"))
        else:
            records[folder], by_id[record.header.sweep_id] = record, folder
    if problems:
        raise InputError([*problems, *(Problem("damaged log", text) for text in damaged)])
    if damaged:
        raise BlurbTuneError("\n".join(damaged))
    return label_sweeps(records)


def label_sweeps(records: dict[Path, SweepRecord]) -> list[Sweep]:
    """Sweeps under the shortest of name, folder's name and folder that tells all of them apart."""
    for label_of in (lambda folder: records[folder].header.name, lambda folder: folder.resolve().name, str):
        labels = {folder: visible(label_of(folder)) for folder in records}
        if max(Counter(labels.values()).values(), default=1) == 1:
            break
    return [Sweep(labels[folder], folder, record) for folder, record in records.items()]


def _why_no_sweep(folder: Path) -> str:
    what = "this is no sweep's folder; expected one with events.jsonl"
    if not folder.exists():
        return "there is no such folder; expected a sweep's, such as runs/quickstart-1a2b3c4d"
    if not folder.is_dir():
        return "expected a sweep's folder, but this is a file"
    inner = sorted(path.parent.name for path in folder.glob("*/events.jsonl"))
    if not inner:
        return what
    more = ", ..." if len(inner) > _MOST_SHOWN else ""
    return f"{what}. It holds sweeps itself: {', '.join(inner[:_MOST_SHOWN])}{more}"
