"""The BLURB score: the mean within each type of task, then the mean over the types (Gu et al. 2021, arXiv 2007.15779)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from blurb_tune.core.errors import InputError, Problem, did_you_mean
from blurb_tune.tasks.blurb.definitions import BLURB, BLURB_TYPES
from blurb_tune.tasks.task import Task

_COLUMNS = ("dataset", "score")


@dataclass(frozen=True)
class BlurbScore:
    """What the benchmark makes of a model's scores, all in percent.

    scores: of the data sets that there are, by the task's name. means: of every type, NaN where one of its data sets is
    missing. missing: the names of those data sets.
    """

    scores: Mapping[str, float]
    means: Mapping[str, float]
    missing: tuple[str, ...]

    @property
    def total(self) -> float:
        """The BLURB score, NaN while a data set is missing."""
        return fmean(self.means.values())


def blurb_score(scores: Mapping[str, float]) -> BlurbScore:
    """From the scores, in percent, by the name of the task as the catalog has it."""
    means = {name: fmean(scores.get(task.name, math.nan) for task in of_type(name)) for name in BLURB_TYPES}
    missing = tuple(task.name for task in BLURB if task.name not in scores)
    return BlurbScore({task.name: scores[task.name] for task in BLURB if task.name in scores}, means, missing)


def of_type(name: str) -> tuple[Task, ...]:
    """The data sets of one type."""
    return tuple(task for task in BLURB if task.data_set.blurb_type == name)


@dataclass(frozen=True)
class _Row:
    """One line of the file: its number, the data set and the score as they are written."""

    line: int
    name: str
    score: str


def read_scores(file: Path) -> dict[str, float]:
    """Scores in percent by the task's name, from a CSV file with the columns `dataset` and `score`; others are ignored.

    A data set may be called by any name that the catalog knows. Raises InputError with everything that is wrong.
    """
    scores: dict[str, float] = {}
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    for row in _rows(file):
        if isinstance(row, Problem):
            problems.append(row)
            continue
        task = next((task for task in BLURB if task.is_called(row.name)), None)
        score = _number(row.score)
        faults = []
        if task is None:
            faults.append(f"{row.name!r} is no data set of BLURB{did_you_mean(row.name, [task.name for task in BLURB])}")
        elif (line := lines.setdefault(task.name, row.line)) != row.line:
            faults.append(f"{task.name} has a score in line {line} already")
        if score is None:
            faults.append(f"`score` must be a number from 0 to 100, in percent, but got {row.score!r}")
        problems += [Problem(f"{file}:{row.line}", fault) for fault in faults]
        if task is not None and score is not None:
            scores[task.name] = score
    if not scores and not problems:
        problems.append(Problem(str(file), "there are no scores; expected lines such as `biosses,92.30`"))
    if problems:
        raise InputError(problems)
    return scores


def _rows(file: Path) -> Iterator[_Row | Problem]:
    lines = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        header = [name.strip().casefold() for name in next(lines, [])]
        if any(header.count(name) != 1 for name in _COLUMNS):
            yield Problem(f"{file}:1", f"expected the columns {','.join(_COLUMNS)}, but got {','.join(header) or 'nothing'}")
            return
        for cells in lines:
            location = lines.line_num
            if len(cells) == len(header):
                name, score = (cells[header.index(column)].strip() for column in _COLUMNS)
                yield _Row(location, name, score)
            elif cells:
                yield Problem(f"{file}:{location}", f"expected {len(header)} values, but got {len(cells)}: {','.join(cells)}")
    except csv.Error as error:
        yield Problem(f"{file}:{lines.line_num}", f"this is no CSV: {error}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError([Problem(str(file), "there is no such file")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(str(file), f"this file cannot be read: {error}")]) from None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number <= 100 else None
