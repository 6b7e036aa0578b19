"""What is to be said of train and dev as a whole, once every row of them is sound."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

from blurb_tune.core.errors import Problem, did_you_mean
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.task import Task


def check_classes(task: Task, train: Sequence[Example], dev: Sequence[Example], location: str) -> Iterator[Problem]:
    """A problem for each label that no train example has: nothing can be learned of it. `location` names train."""
    known, wanted = label_counts(task, train), label_counts(task, dev)
    for label in task.labels:
        if not known[label]:
            others = [name for name in task.labels if known[name]]
            where = f", but {wanted[label]} of dev do{did_you_mean(label, others)}" if wanted[label] else ""
            yield Problem(location, f"no example has the label {label!r}{where}")


def train_fault(task: Task, examples: Sequence[Example]) -> str | None:
    """Why nothing can be learned of these examples: they are all labeled alike."""
    if len(task.kind.distinct(examples)) > 1:
        return None
    return f"{_alone(task, examples)}, of which nothing can be learned; expected {task.kind.expected_of_split(task)}"


def dev_fault(task: Task, examples: Sequence[Example]) -> str | None:
    """Why no score on these examples tells a good model from a trivial one.

    A correlation is of scores that differ, and elsewhere a constant prediction is right everywhere.
    """
    distinct = task.kind.distinct(examples)
    if len(distinct) > 1 and task.kind.tells_skill(task, distinct):
        return None
    expected = task.kind.expected_of_split(task)
    return f"{_alone(task, examples)}, by which no score tells a good model from a trivial one; expected {expected}"


def _alone(task: Task, examples: Sequence[Example]) -> str:
    """What the examples hold, which is too little."""
    what = " and ".join(f"{name!r}" for name in label_counts(task, examples))
    if not task.kind.has_labels:
        what = ", ".join(map(task.kind.show, task.kind.distinct(examples)))
    size = f"({len(examples)} example{'s' if len(examples) > 1 else ''})"
    return f"holds {what} alone {size}" if what else f"holds no label {size}"


def one_sided_labels(task: Task, examples: Sequence[Example], devs: Sequence[Sequence[int]]) -> dict[str, int]:
    """The labels that are not on both sides of every cut, with their counts. devs: for each cut the indices of dev."""
    total = label_counts(task, examples)
    held = [label_counts(task, [examples[index] for index in dev]) for dev in devs]
    names = (label for label in task.labels if total[label])
    return {name: total[name] for name in names if any(counts[name] in (0, total[name]) for counts in held)}


def label_counts(task: Task, examples: Sequence[Example]) -> Counter[str]:
    """How many examples have each label, or how many words each tag."""
    counts = Counter(itertools.chain.from_iterable(task.kind.indices(example.label) for example in examples))
    return Counter({task.labels[index]: count for index, count in counts.items()})


def note_counts(task: Task, examples: Sequence[Example], split: str) -> Iterator[str]:
    """What a split holds, where that is not what was published."""
    if split in task.data_set.published and (count := task.kind.units(task, examples)) != task.data_set.published[split]:
        yield f"{split}: {count} {task.data_set.counted}, published {task.data_set.published[split]}"
    if split in task.data_set.examples and len(examples) != task.data_set.examples[split]:
        yield f"{split}: {len(examples)} examples, in BLURB's files {task.data_set.examples[split]}"


def note_repeated(train: Sequence[Example], dev: Sequence[Example]) -> Iterator[str]:
    """How much of dev a model has seen in training."""
    seen = {example.texts for example in train}
    count = sum(example.texts in seen for example in dev)
    if count:
        yield f"{count} of {len(dev)} dev examples {'has' if count == 1 else 'have'} texts that stand in train, too"


def note_readings(task: Task, examples: Sequence[Example], split: str) -> Iterator[str]:
    """What of the examples is read otherwise than it stands there."""
    yield from (f"{split}: {note}" for note in task.kind.notes_on_examples(task, examples))
