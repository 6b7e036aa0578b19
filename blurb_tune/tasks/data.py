"""Reading and checking the data of a source.

What tuning works with are train and dev. The test split stays closed until the search is over: `load_test` wants to see
the event that says so, and nothing else opens it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from blurb_tune.errors import BlurbTuneError, InputError, Problem
from blurb_tune.events import SelectionMade
from blurb_tune.tasks.checks import check_classes, check_folds, note_counts, note_repairs, note_repeated
from blurb_tune.tasks.examples import Example, NamedProblem, Row, absent_columns, parse
from blurb_tune.tasks.labels import check_labels, infer_labels
from blurb_tune.tasks.scaling import standardised
from blurb_tune.tasks.sources import DataSource
from blurb_tune.tasks.splitting import cut_dev, cut_folds
from blurb_tune.tasks.tables import TUNING_SPLITS, Split

DEFAULT_DEV_SHARE = 0.2


@dataclass(frozen=True)
class TaskData:
    """The examples that a sweep works with; the test split is not among them.

    With folds, `train` holds all examples, `dev` none, and folds[i] are the indices of those that are dev in fold i.
    """

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    folds: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What train and dev of a source are.

    source: its task knows its labels. data: None where there are problems, or nobody has looked. notes: what is remarkable,
    though not wrong. digest: SHA-256 of the content of both splits, in hex.
    """

    source: DataSource
    data: TaskData | None = None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""


def inspect(source: DataSource) -> Inspection:
    """Read train and dev and find everything that is wrong with them. Of test it is only looked whether it is there."""
    try:
        problems = [*source.tables.problems(), *_conflicts(source)]
        splits = [split for split in TUNING_SPLITS if source.tables.has(split)]
        tables = {split: source.rows(split) for split in splits} if "train" in splits else {}
    except InputError as error:
        return Inspection(source, problems=error.problems)
    except BlurbTuneError as error:
        return Inspection(source, problems=(Problem(source.describe(), str(error)),))
    source, label_problems = _with_labels(source, [row for rows, _ in tables.values() for row in rows])
    problems += label_problems
    examples: dict[Split, list[Example]] = {"train": [], "dev": []}
    for split, (rows, _) in tables.items():
        place = source.tables.place(split)
        if label_problems:  # every row would be a problem of its own
            problems += absent_columns(source.task, rows, place)
        else:
            examples[split], faults = parse(source.task, rows, place)
            problems += faults
    if problems:
        return Inspection(source, problems=tuple(problems))
    digest = hashlib.sha256("".join(digest for _, digest in tables.values()).encode()).hexdigest()
    return _inspect_examples(source, examples["train"], examples["dev"], digest)


def load_data(source: DataSource) -> TaskData:
    """Train and dev. Raises InputError with everything that is wrong with them."""
    found = inspect(source)
    if found.data is None:
        raise InputError(found.problems)
    return found.data


def load_split(source: DataSource, split: str) -> tuple[Example, ...]:
    """The examples of `train` or `dev`. Raises InputError with everything that is wrong with the data, and BlurbTuneError
    for any other split.
    """
    if split not in TUNING_SPLITS:
        raise BlurbTuneError(f"only train and dev are read before the search is over, not {split!r}")
    data = load_data(source)
    return data.train if split == "train" else data.dev


def load_test(source: DataSource, selection: SelectionMade) -> tuple[Example, ...]:
    """The examples of the test split, for which the event has to be shown that ends the search.

    Raises BlurbTuneError without it or without a test split, and InputError with everything that is wrong with the rows.
    """
    if not isinstance(selection, SelectionMade):
        raise BlurbTuneError("the test split is read when the search is over and its winner is named, not before")
    if not source.has_test:
        raise BlurbTuneError(f"{source.describe()}: there is no test split")
    examples, problems = parse(source.task, source.rows("test")[0], source.tables.place("test"))
    if problems:
        raise InputError(problems)
    return tuple(examples)


def _conflicts(source: DataSource) -> list[Problem]:
    """What the spec asks for and dev, which is there, leaves no room for."""
    asked = {"dev_share": source.dev_share, "folds": source.folds}
    what = "cuts dev from train, but there is a dev split"
    return [NamedProblem(source.describe(), what, key) for key, value in asked.items() if value and source.tables.has("dev")]


def _with_labels(source: DataSource, rows: Sequence[Row | Problem]) -> tuple[DataSource, list[Problem]]:
    """The source with the labels that its rows hold, where nobody named them."""
    if not source.is_own:
        return source, []
    task, found = source.task, [row for row in rows if isinstance(row, Row)]
    task = replace(task, labels=task.labels or infer_labels(task, found))
    return replace(source, task=task), check_labels(task, found, source.tables.place("train"))


def _inspect_examples(source: DataSource, train: list[Example], dev: list[Example], digest: str) -> Inspection:
    place, notes = source.tables.place("train"), []
    folds: tuple[tuple[int, ...], ...] = ()
    problems: list[Problem] = []
    if source.folds:
        folds, problems = _folds(source, train, place)
        notes = [f"dev: {len(folds)} folds of {len(train)} examples, stratified by label"]
    elif not dev:
        whole, chosen = train, set(cut_dev(source.task, train, source.dev_share or DEFAULT_DEV_SHARE))
        train = [example for index, example in enumerate(whole) if index not in chosen]
        dev = [example for index, example in enumerate(whole) if index in chosen]
        notes = [f"dev: {len(dev)} of {len(whole)} examples cut from train, stratified by label"]
        if not dev:
            problems = [NamedProblem(place, "there are too few examples to cut dev from them; name a dev file", "train")]
    problems += check_classes(source.task, train, dev, place)
    if problems:
        return Inspection(source, problems=tuple(problems))
    notes += note_repeated(train, dev)
    if source.is_own and not source.has_test:
        notes.append("test: there is no test split; scores on dev are all there will be")
    for note in (note_counts, note_repairs):
        notes += [text for name, split in (("train", train), ("dev", dev)) for text in note(source.task, split, name)]
    source = replace(source, task=standardised(source.task, train))
    return Inspection(source, TaskData(tuple(train), tuple(dev), folds), (), tuple(notes), digest)


def _folds(source: DataSource, examples: list[Example], place: str) -> tuple[tuple[tuple[int, ...], ...], list[Problem]]:
    try:
        folds = cut_folds(source.task, examples, source.folds)
    except ValueError as error:
        return (), [NamedProblem(place, str(error), "folds")]
    return folds, list(check_folds(source.task, examples, folds, place))
