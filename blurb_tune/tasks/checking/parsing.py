"""From the rows of a data file to examples, naming everything that is wrong with them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from blurb_tune.core.errors import Problem, did_you_mean
from blurb_tune.tasks.examples import Example, NamedProblem, Row, is_list, short_repr, surrogate_fault
from blurb_tune.tasks.task import Task

MAX_PROBLEMS = 20


def parse(task: Task, rows: Iterable[Row | Problem], file: str) -> tuple[list[Example], list[Problem]]:
    """The examples of one split, and what is wrong with the rows that gave none.

    A reader hands over a Problem in place of a row that it could not read. `file` is named in problems that are no row's; at
    most 20 problems are named, then the number of the others. Of a task whose labels are not known only texts and ids are
    judged, and there are no examples.
    """
    rows = list(rows)
    if not rows:
        return [], [Problem(file, "there are no rows; expected at least one example")]
    if absent := list(absent_columns(task, rows, file)):
        return [], limit_problems([*absent, *(row for row in rows if isinstance(row, Problem))], file)
    examples: list[Example] = []
    problems: list[Problem] = []
    first_locations: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Problem):
            problems.append(row)
            continue
        faults = _faults(task, row.values)
        name = str(row.values[task.id_field]) if task.id_field and _has_id(task, row.values) else str(number)
        if (first := first_locations.setdefault(name, row.location)) != row.location:
            faults.append(f"id {short_repr(name)} stands at {first} already; ids must differ within a file")
        problems += [Problem(row.location, fault) for fault in faults]
        if not faults and task.knows_labels:
            examples.append(Example(name, task.kind.read_texts(task, row.values), task.kind.read_label(task, row.values)))
    return examples, limit_problems(problems, file)


def limit_problems(problems: list[Problem], file: str) -> list[Problem]:
    """The first 20 problems of a file, and the number of the others."""
    rest = len(problems) - MAX_PROBLEMS
    if rest <= 0:
        return problems
    return [*problems[:MAX_PROBLEMS], Problem(file, f"and {rest} more {'problems' if rest > 1 else 'problem'} in this file")]


def absent_columns(task: Task, rows: Iterable[Row | Problem], file: str) -> Iterable[Problem]:
    """The task's columns that no row has: said once, not for every row."""
    found = [row for row in rows if isinstance(row, Row)]
    columns = list(dict.fromkeys(str(name) for row in found for name in row.values))
    wanted = [("text", name) for name in task.fields]
    wanted += [("label", task.label_field), *([("id", task.id_field)] if task.id_field else [])]
    absent = [(key, name) for key, name in wanted if columns and name not in columns]
    if absent and _looks_like_data(columns, found):
        names = " and ".join(repr(name) for _, name in absent)
        what = "the first row looks like data: if there is no header, name the columns in their order with `columns: [...]`"
        yield NamedProblem(file, f"there is no column {names}; {what}", absent[0][0])
        return
    for key, name in absent:
        yield NamedProblem(file, f"there is no column {name!r}{did_you_mean(name, columns)}", key)


def _looks_like_data(columns: Sequence[str], rows: Sequence[Row]) -> bool:
    """Whether a name of a column is a value of that column, too, such as a label."""
    return any(name.strip() and any(row.values.get(name) == name for row in rows) for name in columns)


def _faults(task: Task, row: Mapping[str, Any]) -> list[str]:
    faults = []
    if task.id_field is not None:
        if task.id_field not in row:
            faults.append(f"`{task.id_field}` is missing")
        elif not _has_id(task, row):
            faults.append(f"`{task.id_field}` must be a string or an integer, but got {short_repr(row[task.id_field])}")
    for name in task.fields:
        found = _word_faults(name, row) if name in task.kind.word_list_fields(task) else [_text_fault(row, name)]
        faults += [fault for fault in found if fault]
    if task.label_field not in row:
        faults.append(f"`{task.label_field}` is missing; expected {task.kind.expected(task)}")
    elif task.knows_labels:
        faults += task.kind.label_faults(task, row)
    return faults


def _has_id(task: Task, row: Mapping[str, Any]) -> bool:
    name = row.get(task.id_field or "")
    return (isinstance(name, str) and bool(name.strip())) or (isinstance(name, int) and not isinstance(name, bool))


def _text_fault(row: Mapping[str, Any], name: str) -> str | None:
    return _string_fault(f"`{name}`", row[name]) if name in row else f"`{name}` is missing"


def _string_fault(name: str, text: Any) -> str | None:
    if not isinstance(text, str):
        return f"{name} must be a string, but got {short_repr(text)}"
    if not text.strip() or (not text.isprintable() and not any(map(_is_seen, text))):
        return f"{name} is empty"
    return surrogate_fault(name, text)


def _is_seen(character: str) -> bool:
    """Neither white space nor one of the characters that control others, such as a zero-width space."""
    return not character.isspace() and unicodedata.category(character) != "Cf"


def _word_faults(name: str, row: Mapping[str, Any]) -> list[str | None]:
    if name not in row:
        return [f"`{name}` is missing"]
    words = row[name]
    if not is_list(words) or not words:
        return [f"`{name}` must be a list of at least one word, but got {short_repr(words)}"]
    return [_string_fault(f"word {number} of `{name}`", word) for number, word in enumerate(words, start=1)]
