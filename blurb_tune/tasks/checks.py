"""What is to be said of train and dev as a whole, once every row of them is sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from blurb_tune.errors import Problem, did_you_mean
from blurb_tune.tasks.entities import count_entities, count_repairs
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.task import OUTSIDE, Kind, Task


def check_classes(task: Task, train: Sequence[Example], dev: Sequence[Example], place: str) -> Iterator[Problem]:
    """A problem for each label that no train example has: nothing can be learnt of it. `place` names train."""
    known, wanted = label_counts(task, train), label_counts(task, dev)
    for label in task.labels:
        if not known[label]:
            others = [name for name in task.labels if known[name]]
            where = f", but {wanted[label]} of dev do{did_you_mean(label, others)}" if wanted[label] else ""
            yield Problem(place, f"no example has the label {label!r}{where}")


def check_folds(task: Task, examples: Sequence[Example], folds: Sequence[Sequence[int]], place: str) -> Iterator[Problem]:
    """A problem for each label that the train part of some fold lacks."""
    total = label_counts(task, examples)
    lacking = {
        label: total[label]
        for dev in folds
        for label, count in label_counts(task, [examples[index] for index in dev]).items()
        if count == total[label]
    }
    for label, count in lacking.items():
        yield Problem(place, f"all examples with the label {label!r} ({count}) are in one fold, with none to learn from")


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
