"""What the columns of a split are as wholes, before their cells are read one by one: certain, or reported once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from blurb_tune.core.errors import Problem, did_you_mean
from blurb_tune.tasks.data_set import plain_name
from blurb_tune.tasks.examples import NamedProblem, Row, is_list, join_limited, short_repr
from blurb_tune.tasks.sources.cells import coerce_cells
from blurb_tune.tasks.task import Task

Rows = list[Row | Problem]

# Fewer rows of one word each may be sentences.
_FEW_ROWS = 20
# Other white space, such as a no-break space, may be part of a word, as it is in CoNLL's format.
_BLANK = re.compile(r"[ \t\r\n]")
_FLAGS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


def coerce_columns(task: Task, rows: Rows, file: str, *, separator: str | None = None) -> tuple[Rows, str | None]:
    """The rows with what their cells mean to the task's kind, and the separator that the label's column shows.

    separator: what stands between the labels of a cell, or before decimals; None where the column may tell. A column that can
    be read in more ways than one is a Problem in place of its rows.
    """
    name = task.label_field
    found = [row for row in rows if isinstance(row, Row)]
    cells = {index: value for index, row in enumerate(found) if isinstance(value := row.values.get(name), str)}
    try:
        read, shown = task.kind.read_column(list(cells.values()), separator=separator, labels=task.labels)
    except ValueError as error:
        return [NamedProblem(file, f"{name!r} {error}", "label"), *(row for row in rows if isinstance(row, Problem))], None
    changed = dict(zip(cells, read, strict=True))
    values = iter(
        replace(row, values={**row.values, name: changed[index]}) if index in changed else row
        for index, row in enumerate(found)
    )
    return [coerce_cells(task, next(values)) if isinstance(row, Row) else row for row in rows], shown


def join_flags(rows: Rows, columns: Sequence[str], name: str, file: str) -> Rows:
    """The rows with one label, a list of 0 and 1, in place of a column of these for each label."""
    known = next((list(map(str, row.values)) for row in rows if isinstance(row, Row)), list(columns))
    absent = [column for column in columns if column not in known]
    if absent:
        problems = [
            NamedProblem(file, f"there is no column {column!r}{did_you_mean(column, known)}", "label") for column in absent
        ]
        return [*problems, *(row for row in rows if isinstance(row, Problem))]
    return [_join_row_flags(row, columns, name) if isinstance(row, Row) else row for row in rows]


def _join_row_flags(row: Row, columns: Sequence[str], name: str) -> Row | Problem:
    flags = []
    for column in columns:
        value = row.values.get(column)
        flag = _FLAGS.get(str(value).strip().casefold()) if not is_list(value) else None
        if flag is None:
            return Problem(row.location, f"`{column}` must be 0 or 1, but got {value!r}")
        flags.append(flag)
    return replace(row, values={**row.values, name: flags})


def join_words(task: Task, rows: Rows, file: str, sentence: str | None = None) -> Rows:
    """The rows as sentences, where each holds one word and its tag.

    sentence: the column that says to which sentence a word belongs, with a value for each word or for the first alone; None
    for one that is called like that. What most rows hold decides: a cell of them that is not one word or tag is a Problem in
    the place of its row, and other tables stay as they are.
    """
    found = [row for row in rows if isinstance(row, Row)]
    names = (*task.kind.word_list_fields(task), task.label_field)
    if len(names) == 1 or not _hold_words(found, names, is_said=sentence is not None):
        return rows
    columns = [str(column) for column in found[0].values]
    column = sentence or next((each for each in columns if plain_name(each).startswith("sent") and each not in names), None)
    if column is None and len(found) < _FEW_ROWS:
        return rows
    checked = [_check_word(task, row, names) if isinstance(row, Row) else row for row in rows]
    problems = [row for row in checked if isinstance(row, Problem)]
    if column not in columns:
        what = "each row holds one word; name the column that says to which sentence it belongs in `sentence`"
        return [NamedProblem(file, f"{what} (there are {join_limited(map(repr, columns))})", "sentence"), *problems]
    return [*problems, *_sentences([row for row in checked if isinstance(row, Row)], column, names)]


def _hold_words(rows: Sequence[Row], names: Sequence[str], *, is_said: bool) -> bool:
    """Whether most rows hold one word and its tag, and none a sentence. is_said: the last is granted."""
    cells = [[row.values.get(name) for name in names] for row in rows]
    count = sum(all(map(_is_word, each)) and not _is_sentence(each) for each in cells)
    return 2 * count > len(rows) and (is_said or not any(map(_is_sentence, cells)))


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(word := value.strip()) and not _BLANK.search(word)


def _is_sentence(cells: Sequence[object]) -> bool:
    """Whether the last cell is a list of tags, or has a tag for each of several words."""
    tags = cells[-1]
    if is_list(tags) or (text := str(tags).strip())[:1] + text[-1:] == "[]":
        return True
    sizes = {len(str(cell).split()) for cell in cells}
    return len(sizes) == 1 and max(sizes) > 1


def _check_word(task: Task, row: Row, names: Sequence[str]) -> Row | Problem:
    faults = [
        f"`{name}` must be one {'tag' if name == task.label_field else 'word'}, as in most rows, but got {short_repr(value)}"
        for name in names
        if not _is_word(value := row.values.get(name))
    ]
    return Problem(row.location, "; ".join(faults)) if faults else row


def _sentences(rows: Sequence[Row], column: str, names: Sequence[str]) -> Iterator[Row]:
    numbers, last = [], None
    for row in rows:
        value = row.values.get(column)
        last = value if value not in (None, "") else last
        numbers.append(last)
    for _, group in groupby(zip(numbers, rows, strict=True), key=lambda pair: pair[0]):
        words = [row for _, row in group]
        yield replace(
            words[0], values={**words[0].values, **{name: [str(row.values[name]).strip() for row in words] for name in names}}
        )
