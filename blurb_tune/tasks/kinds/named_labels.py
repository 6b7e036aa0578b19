"""Labels that have names, as all kinds read them that have such."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blurb_tune.core.errors import did_you_mean
from blurb_tune.tasks.examples import is_flags, normalize_label, short_repr
from blurb_tune.tasks.task import Task


def label_index(task: Task, label: Any) -> int:
    """The index of a label by its name, -1 of none; a whole number stands for the label that is spelled like it."""
    name = normalize_label(label)
    name = task.label_aliases.get(name, name) if isinstance(name, str) else name
    return task.labels.index(name) if name in task.labels else -1


def class_faults(task: Task, label: Any) -> list[str]:
    """What is wrong with one label."""
    if label_index(task, label) >= 0:
        return []
    is_name = isinstance(label, str) and label.strip()
    return [f"unknown label {short_repr(label)}{did_you_mean(label, task.labels)}" if is_name else wrong_label(task, label)]


def list_faults(task: Task, labels: Sequence[Any]) -> list[str]:
    """Each unknown label once; one fault of the whole list where something in it is no text."""
    unknown = {short_repr(name): name for name in labels if label_index(task, name) < 0}
    if not all(isinstance(name, str) and name.strip() for name in unknown.values()):
        return [wrong_label(task, labels)]
    return [fault for name in unknown.values() for fault in class_faults(task, name)]


def wrong_label(task: Task, label: Any) -> str:
    """The fault of a label that is not even of the right type."""
    return f"`{task.label_field}` must be {task.kind.expected(task)}, but got {short_repr(label)}"


def are_all_flags(task: Task, label: Sequence[Any]) -> bool:
    """Whether a list has 0 or 1 for each of the task's labels."""
    return len(label) == len(task.labels) and is_flags(label)
