"""What the text of a table's cell means: tables know text alone, where a task wants numbers or lists."""

from __future__ import annotations

from dataclasses import replace

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row, is_list, short_repr
from blurb_tune.tasks.task import Task


def coerce_cells(task: Task, row: Row) -> Row | Problem:
    """A row whose text cells are what the task's kind wants; what cannot be read as such stays text.

    A cell that looks like a list and can be read as none is a Problem in the row's place: one that begins with a bracket and
    a quote (`['`), and a cell of labels that stands in one pair of brackets and holds a blank, comma or semicolon
    (`[B, O]`). Other cells with brackets are text: words may begin with them (`[ 3H ] thymidine`), and so may a label.
    Where a text is a list of texts, as PubMedQA's contexts are, it is these with blanks between them.
    """
    values, words = dict(row.values), task.kind.word_list_fields(task)
    for name in task.fields:
        if name not in words and is_list(parts := values.get(name)) and parts and all(isinstance(part, str) for part in parts):
            values[name] = " ".join(parts)
    faults = []
    for name in [task.label_field, *words]:
        if isinstance(cell := values.get(name), str):
            try:
                values[name] = task.kind.read_cell(cell.strip(), is_label=name == task.label_field)
            except ValueError as error:
                faults.append(f"`{name}` must be {error}, but got {short_repr(cell)}, which begins like a list and is none")
    return Problem(row.location, "; ".join(faults)) if faults else replace(row, values=values)
