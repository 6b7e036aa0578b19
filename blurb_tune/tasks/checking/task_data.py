"""Reading and checking the data of a source.

What tuning works with are train and dev. The test split stays closed until the search is over: `load_test` wants to see
the event that says so, and nothing else opens it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.log.events import SelectionMade
from blurb_tune.tasks.checking.checks import (
    check_classes,
    dev_fault,
    label_counts,
    note_counts,
    note_readings,
    note_repeated,
    one_sided_labels,
    train_fault,
)
from blurb_tune.tasks.checking.inspection import Inspection, TaskData, joint_digest
from blurb_tune.tasks.checking.inspection_cache import inspect_cached
from blurb_tune.tasks.checking.label_checks import (
    check_enough,
    check_inferred,
    check_labels,
    infer_labels,
    note_labels,
    with_aliases,
)
from blurb_tune.tasks.checking.parsing import parse
from blurb_tune.tasks.checking.splitting import cut_dev, cut_folds
from blurb_tune.tasks.examples import Example, NamedProblem, Row, join_limited
from blurb_tune.tasks.sources.data_source import DataSource, Table
from blurb_tune.tasks.sources.splits import TUNING_SPLITS, Split
from blurb_tune.tasks.task import Task

DEFAULT_DEV_SHARE = 0.2
_SAMPLE, _SAMPLE_LENGTH = 50, 300


def inspect(source: DataSource, *, cache: Path | None = None) -> Inspection:
    """Read train and dev and find everything that is wrong with them. Of test it is only looked whether it is there.

    cache: the folder of what was found before; files in which nothing was wrong are known by their digest there, and read when
    somebody asks for an example. None: they are read each time.
    """
    return _look(source) if cache is None else inspect_cached(source, cache, _look)


def load_data(source: DataSource, *, cache: Path | None = None) -> TaskData:
    """Train and dev, as `inspect` has them. Raises InputError with everything that is wrong with them."""
    found = inspect(source, cache=cache)
    if found.data is None:
        raise InputError(found.problems)
    return found.data


def load_test(source: DataSource, selection: SelectionMade) -> tuple[Example, ...]:
    """The examples of the test split, for which the event has to be shown that ends the search.

    Raises BlurbTuneError without it or without a test split, and InputError with everything that is wrong with the rows.
    """
    if not isinstance(selection, SelectionMade):
        raise BlurbTuneError("the test split is read when the search is over and its winner is named, not before")
    if not source.has_test:
        raise BlurbTuneError(f"{source.describe()}: there is no test split")
    examples, problems = parse(source.task, source.read("test").rows, source.splits.location("test"))
    if problems:
        raise InputError(problems)
    return tuple(examples)


def _look(source: DataSource) -> Inspection:
    try:
        problems = [*source.splits.problems(), *_conflicts(source)]
        if not source.splits.has("train"):
            return Inspection(source, problems=tuple(problems))
        tables: dict[Split, Table] = {"train": source.read("train")}
        source, label_problems = _by_train(source, tables["train"])
        if source.splits.has("dev"):
            tables["dev"] = source.read("dev")
    except InputError as error:
        return Inspection(source, problems=error.problems)
    except BlurbTuneError as error:
        return Inspection(source, problems=(Problem(source.describe(), str(error)),))
    problems += label_problems
    if source.is_custom:
        problems += check_enough(source.task, tables["train"].rows, source.splits.location("train"))
    # With a fault in the labels as a whole every row would be a problem of its own.
    judged = replace(source.task, labels=()) if label_problems else source.task
    examples: dict[Split, list[Example]] = {"train": [], "dev": []}
    for split, table in tables.items():
        examples[split], faults = parse(judged, table.rows, source.splits.location(split))
        problems += faults
    if problems or source.task.label_field in source.task.fields:  # of which the spec's own faults tell
        return Inspection(source, problems=tuple(problems))
    digest = joint_digest(table.digest for table in tables.values())
    return _inspect_examples(source, examples["train"], examples["dev"], digest)


def _conflicts(source: DataSource) -> list[Problem]:
    """What the spec asks for and dev, which is there, leaves no room for."""
    asked = {"dev_share": source.dev_share, "folds": source.folds}
    what = "cuts dev from train, but there is a dev split"
    return [NamedProblem(source.describe(), what, key) for key, value in asked.items() if value and source.splits.has("dev")]


def _by_train(source: DataSource, train: Table) -> tuple[DataSource, list[Problem]]:
    """The source with what train shows of all splits where nobody has said it: the separator and the labels."""
    source = replace(source, separator=train.separator)
    if not source.is_custom:
        return source, []
    task, found = source.task, [row for row in train.rows if isinstance(row, Row)]
    is_listed = bool(task.labels)
    task = with_aliases(replace(task, labels=task.labels or infer_labels(task, found)), found)
    problems = check_labels(task, found, source.splits.location("train"))
    return replace(source, task=task), problems or (
        [] if is_listed else check_inferred(task, found, source.splits.location("train"))
    )


def _inspect_examples(source: DataSource, train: list[Example], dev: list[Example], digest: str) -> Inspection:
    task, location, whole = source.task, source.splits.location("train"), train
    cuts: tuple[tuple[int, ...], ...] = ()
    if source.folds:
        try:
            cuts = cut_folds(task, whole, source.folds)
        except ValueError as error:
            return Inspection(source, problems=(NamedProblem(location, str(error), "folds"),))
    elif not dev:
        cuts = (cut_dev(task, whole, source.dev_share or DEFAULT_DEV_SHARE),)
        if not cuts[0]:
            what = "there are too few different texts of each label to cut dev from them; name a dev file"
            return Inspection(source, problems=(NamedProblem(location, what, "train"),))
    sides = [_sides(whole, cut) for cut in cuts] or [(train, dev)]
    # What is cut off may be all that there is of a label, which is a note; with a dev split of its own it is a fault.
    problems = [*check_classes(task, whole, dev, location), *_side_problems(source, sides)]
    if problems:
        return Inspection(source, problems=tuple(problems))
    if not source.folds:
        train, dev = sides[0]
    notes = [*_note_cuts(task, whole, cuts, has_folds=bool(source.folds)), *note_repeated(train, dev)]
    if source.is_custom:
        rare = one_sided_labels(task, whole, cuts)
        notes = [*note_labels(task, label_counts(task, train), list(rare)), *notes]
        if not source.has_test:
            notes.append("test: there is no test split; scores on dev are all there will be")
    for note in (note_counts, note_readings):
        notes += [text for name, split in (("train", train), ("dev", dev)) for text in note(task, split, name)]
    source = replace(source, task=task.kind.with_scale(task, train))
    sample = tuple(" ".join(example.texts)[:_SAMPLE_LENGTH] for example in train[:_SAMPLE])
    data = TaskData(tuple(train), tuple(dev), cuts if source.folds else ())
    return Inspection(source, data, (), tuple(notes), digest, sample)


def _sides(whole: list[Example], cut: Sequence[int]) -> tuple[list[Example], list[Example]]:
    chosen = set(cut)
    return [e for i, e in enumerate(whole) if i not in chosen], [whole[i] for i in cut]


def _side_problems(source: DataSource, sides: Sequence[tuple[list[Example], list[Example]]]) -> Iterator[Problem]:
    """Told once for all folds."""
    faults = [
        (number, split, fault)
        for number, (train, dev) in enumerate(sides, start=1)
        for split, fault in (("train", train_fault(source.task, train)), ("dev", dev_fault(source.task, dev)))
        if fault
    ]
    for number, split, fault in faults[:1] if source.folds or len(faults) == len(TUNING_SPLITS) else faults:
        location = source.splits.location("train")
        if source.folds:
            count = len({number for number, _, _ in faults})
            which = f"fold {number}'s {split} part {fault}; {count} of {len(sides)} folds are like that"
            yield NamedProblem(location, which, "folds")
        elif split == "dev" and not source.splits.has("dev"):
            yield NamedProblem(location, f"dev, as cut from train, {fault}; name a dev file", "train")
        else:
            yield Problem(source.splits.location("dev" if split == "dev" else "train"), f"{split} {fault}")


def _note_cuts(task: Task, whole: list[Example], cuts: Sequence[Sequence[int]], *, has_folds: bool) -> Iterator[str]:
    by = f", stratified by {task.kind.stratum}" if task.kind.stratum else ""
    if has_folds:
        sizes = sorted({len(cut) for cut in cuts})
        each = " to ".join(str(size) for size in dict.fromkeys((sizes[0], sizes[-1])))
        yield f"dev: {len(cuts)} folds, each {each} of the {len(whole)} examples{by}"
    elif cuts:
        yield f"dev: {len(cuts[0])} of {len(whole)} examples cut from train{by}"
    if rare := one_sided_labels(task, whole, cuts):
        where = "of every fold" if has_folds else "of the cut"
        names = join_limited(f"{name!r} ({count})" for name, count in rare.items())
        yield f"labels that are not on both sides {where}: {names}"
