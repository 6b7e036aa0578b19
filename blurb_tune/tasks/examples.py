"""From JSON lines to examples, naming everything that is wrong with them."""

from __future__ import annotations

import codecs
import json
import sys
from dataclasses import dataclass
from typing import Any

from blurb_tune.errors import Problem, did_you_mean
from blurb_tune.tasks.task import Kind, Task

MAX_PROBLEMS = 20
_ANY_NUMBER = (-sys.float_info.max, sys.float_info.max)
_MAX_SHOWN = 60


@dataclass(frozen=True)
class Example:
    """One labelled text or pair of texts. `label` is a score (regression) or the index of the class in `Task.labels`."""

    id: str
    text_a: str
    text_b: str | None
    label: float | int


def parse(task: Task, content: bytes, place: str) -> tuple[list[Example], list[Problem]]:
    """The examples of one split, UTF-8 JSON lines, and what is wrong with the lines that gave none.

    `place` is the file's name in the problems. At most 20 problems are named, then the number of the others.
    """
    lines = content.removeprefix(codecs.BOM_UTF8).removesuffix(b"\n").split(b"\n")
    if lines == [b""]:
        return [], [Problem(place, "the file is empty; expected one JSON object a line")]
    examples: list[Example] = []
    problems: list[Problem] = []
    first_lines: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = _record(line)
        except ValueError as error:
            problems.append(Problem(f"{place}:{number}", str(error)))
            continue
        faults = _faults(task, record)
        if _has_id(record) and (first := first_lines.setdefault(str(record["id"]), number)) != number:
            faults.append(f"id {_shown(record['id'])} stands in line {first} already; ids must differ within a file")
        problems += [Problem(f"{place}:{number}", fault) for fault in faults]
        if not faults:
            examples.append(_example(task, record))
    return examples, _cut(problems, place)


def _record(line: bytes) -> dict[str, Any]:
    """Raises ValueError, with a message for the user, when the line is no JSON object in UTF-8."""
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1} of the line: {error.reason})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected a JSON object, but this is no JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object, but got {_shown(record)}")
    return record


def _faults(task: Task, record: dict[str, Any]) -> list[str]:
    faults = []
    if "id" not in record:
        faults.append("`id` is missing")
    elif not _has_id(record):
        faults.append(f"`id` must be a string or an integer, but got {_shown(record['id'])}")
    faults += [fault for name in task.fields if (fault := _text_fault(record, name))]
    if "label" not in record:
        faults.append(f"`label` is missing; expected {_expected_label(task)}")
    elif not _is_label(task, record["label"]):
        faults.append(_label_fault(task, record["label"]))
    return faults


def _has_id(record: dict[str, Any]) -> bool:
    name = record.get("id")
    return (isinstance(name, str) and bool(name.strip())) or (isinstance(name, int) and not isinstance(name, bool))


def _text_fault(record: dict[str, Any], name: str) -> str | None:
    if name not in record:
        return f"`{name}` is missing"
    text = record[name]
    if not isinstance(text, str):
        return f"`{name}` must be a string, but got {_shown(text)}"
    if not text.strip():
        return f"`{name}` is empty"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return f"`{name}` holds half a surrogate pair, which is no character"
    return None


def _is_label(task: Task, label: Any) -> bool:
    if task.kind is Kind.CLASSIFICATION:
        return isinstance(label, str) and label in task.labels
    low, high = task.label_range or _ANY_NUMBER
    return isinstance(label, int | float) and not isinstance(label, bool) and low <= label <= high


def _label_fault(task: Task, label: Any) -> str:
    if task.kind is Kind.CLASSIFICATION and isinstance(label, str):
        return f"unknown label {_shown(label)}{did_you_mean(label, task.labels)}"
    return f"`label` must be {_expected_label(task)}, but got {_shown(label)}"


def _expected_label(task: Task) -> str:
    if task.kind is Kind.CLASSIFICATION:
        return f"one of: {', '.join(task.labels)}"
    return f"a number from {task.label_range[0]:g} to {task.label_range[1]:g}" if task.label_range else "a finite number"


def _example(task: Task, record: dict[str, Any]) -> Example:
    texts = [record[name] for name in task.fields]
    label = task.labels.index(record["label"]) if task.kind is Kind.CLASSIFICATION else float(record["label"])
    return Example(str(record["id"]), texts[0], texts[1] if len(texts) > 1 else None, label)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _cut(problems: list[Problem], place: str) -> list[Problem]:
    rest = len(problems) - MAX_PROBLEMS
    if rest <= 0:
        return problems
    return [*problems[:MAX_PROBLEMS], Problem(place, f"and {rest} more {'problems' if rest > 1 else 'problem'} in this file")]
