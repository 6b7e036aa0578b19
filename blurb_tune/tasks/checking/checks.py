"""What is to be said of train and dev as a whole, once every row of them is sound."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from blurb_tune.core.errors import Problem, did_you_mean
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.scoring.entities import TagSet, count_entities, count_repairs
from blurb_tune.tasks.task import OUTSIDE, Kind, Task


def check_classes(task: Task, train: Sequence[Example], dev: Sequence[Example], place: str) -> Iterator[Problem]:
    """A problem for each label that no train example has: nothing can be learnt of it. `place` names train."""
    known, wanted = label_counts(task, train), label_counts(task, dev)
    for label in task.labels:
        if not known[label]:
            others = [name for name in task.labels if known[name]]
            where = f", but {wanted[label]} of dev do{did_you_mean(label, others)}" if wanted[label] else ""
            yield Problem(place, f"no example has the label {label!r}{where}")


def train_fault(task: Task, examples: Sequence[Example]) -> str | None:
    """Why nothing can be learnt of these examples: they are all labelled alike."""
    if len(_kinds(task, examples)) > 1:
        return None
    return f"{_alone(task, examples)}, of which nothing can be learnt; expected {_expected(task)}"


def dev_fault(task: Task, examples: Sequence[Example]) -> str | None:
    """Why no score on these examples tells a good model from a trivial one.

    Regression: a correlation is of scores that differ. Else a constant prediction is right everywhere, of a single class, of
    examples with the same scored labels, or of words that are all of one type (or all outside entities).
    """
    kinds = _kinds(task, examples)
    scored = set(range(len(task.labels))) - {task.labels.index(label) for label in task.left_out if label in task.labels}
    match task.kind:
        case Kind.MULTI_LABEL:
            is_sound = len({tuple(flags[index] for index in scored) for flags in kinds}) > 1
        case Kind.TOKEN_CLASSIFICATION if OUTSIDE in task.labels:
            types = TagSet.of(task.labels).types
            is_sound = len({types[tag] for tag in kinds}) > 1
        case Kind.CLASSIFICATION:
            is_sound = len(kinds) > 1 and bool(kinds & scored)
        case _:
            is_sound = len(kinds) > 1
    if is_sound:
        return None
    return f"{_alone(task, examples)}, by which no score tells a good model from a trivial one; expected {_expected(task)}"


def _kinds(task: Task, examples: Sequence[Example]) -> set[Any]:
    """The different labels of the examples, or tags of their words."""
    labels = (example.label for example in examples)
    return set(itertools.chain.from_iterable(labels)) if task.per_token else set(labels)  # type: ignore[arg-type]


def _alone(task: Task, examples: Sequence[Example]) -> str:
    """What the examples hold, which is too little."""
    what = " and ".join(f"{name!r}" for name in label_counts(task, examples))
    if task.kind is Kind.REGRESSION:
        what = ", ".join(f"the score {score:g}" for score in _kinds(task, examples))
    size = f"({len(examples)} example{'s' if len(examples) > 1 else ''})"
    return f"holds {what} alone {size}" if what else f"holds no label {size}"


def _expected(task: Task) -> str:
    match task.kind:
        case Kind.REGRESSION:
            return "at least two different scores"
        case Kind.MULTI_LABEL:
            return "examples with labels that are scored, and others without"
        case Kind.TOKEN_CLASSIFICATION:
            return "words inside and outside of entities" if OUTSIDE in task.labels else "at least two different tags"
        case Kind.CLASSIFICATION:
            return f"at least two labels{', one of them scored' if task.left_out else ''}"


def one_sided(task: Task, examples: Sequence[Example], devs: Sequence[Sequence[int]]) -> dict[str, int]:
    """The labels that are not on both sides of every cut, with their counts. devs: for each cut the indices of dev."""
    total = label_counts(task, examples)
    held = [label_counts(task, [examples[index] for index in dev]) for dev in devs]
    names = (label for label in task.labels if total[label])
    return {name: total[name] for name in names if any(counts[name] in (0, total[name]) for counts in held)}


def label_counts(task: Task, examples: Sequence[Example]) -> Counter[str]:
    """How many examples have each label, or how many words each tag."""
    if task.kind is Kind.REGRESSION:
        return Counter()
    counts: Counter[int] = Counter()
    for example in examples:
        match example.label:
            case tuple(flags) if task.kind is Kind.MULTI_LABEL:
                counts.update(index for index, flag in enumerate(flags) if flag)
            case tuple(tags):
                counts.update(tags)
            case label:
                counts[int(label)] += 1
    return Counter({task.labels[index]: count for index, count in counts.items()})


def count_units(task: Task, examples: Sequence[Example]) -> int:
    """How much a split holds in the units in which it was published: entities, words with a tag other than O, or examples."""
    if not task.per_token:
        return len(examples)
    tags = np.concatenate([np.asarray(example.label, dtype=np.int64) for example in examples])
    if task.counted == "tokens":
        return int((tags != task.labels.index(OUTSIDE)).sum())
    offsets = np.cumsum([0, *(len(example.texts) for example in examples)], dtype=np.int64)
    return count_entities(tags, offsets, task.labels)


def note_counts(task: Task, examples: Sequence[Example], split: str) -> Iterator[str]:
    """What a split holds, where that is not what was published."""
    if split in task.published and (count := count_units(task, examples)) != task.published[split]:
        yield f"{split}: {count} {task.counted}, published {task.published[split]}"
    if split in task.examples and len(examples) != task.examples[split]:
        yield f"{split}: {len(examples)} examples, in BLURB's files {task.examples[split]}"


def note_repeated(train: Sequence[Example], dev: Sequence[Example]) -> Iterator[str]:
    """How much of dev a model has seen in training."""
    seen = {example.texts for example in train}
    count = sum(example.texts in seen for example in dev)
    if count:
        yield f"{count} of {len(dev)} dev examples {'has' if count == 1 else 'have'} texts that stand in train, too"


def note_repairs(task: Task, examples: Sequence[Example], split: str) -> Iterator[str]:
    """How many entities begin with an I tag, which the scores read as seqeval does."""
    if not task.per_token or not examples:
        return
    tags = np.concatenate([np.asarray(example.label, dtype=np.int64) for example in examples])
    offsets = np.cumsum([0, *(len(example.texts) for example in examples)], dtype=np.int64)
    count = count_repairs(tags, offsets, task.labels)
    if count:
        which = "entity begins" if count == 1 else "entities begin"
        yield f"{split}: {count} {which} without a B tag; they are read as if it were there, as seqeval does"
