"""What the text of a table's cell means: tables know text alone, where a task wants numbers or lists."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.task import Kind, Task

LABEL_SEPARATOR = ";"


def typed(task: Task, row: Row) -> Row:
    """A row whose text cells are what the task's kind wants; what cannot be read as such stays text.

    Regression: a number. Multi-label: labels with semicolons between them, or a JSON list. Token classification: words and
    tags with blanks between them, or JSON lists. Blanks around a label are no part of it.
    """
    values = dict(row.values)
    names = [task.label_field, *(task.fields if task.per_token else ())]
    for name in names:
        if isinstance(cell := values.get(name), str):
            values[name] = _value(task.kind, cell.strip())
    return replace(row, values=values)


def _value(kind: Kind, cell: str) -> Any:
    match kind:
        case Kind.REGRESSION:
            with suppress(ValueError):
                return float(cell)
        case Kind.MULTI_LABEL:
            items = _json_list(cell)
            return items if items is not None else [name for part in cell.split(LABEL_SEPARATOR) if (name := part.strip())]
        case Kind.TOKEN_CLASSIFICATION:
            items = _json_list(cell)
            return items if items is not None else cell.split()
    return cell


def _json_list(cell: str) -> list[Any] | None:
    """The list that a cell spells out in JSON, as pandas and others write lists to tables."""
    if cell.startswith("["):
        with suppress(ValueError, RecursionError):
            items = json.loads(cell)
            return items if isinstance(items, list) else None
    return None
