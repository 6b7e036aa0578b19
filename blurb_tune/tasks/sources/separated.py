"""Tables in text: which separator and which quoting a file has, and the rows that it holds.

A cell that holds the separator, a quote or a line break stands in quotes, as RFC 4180 has it and spreadsheets write it. Files
with tabs, such as those of GLUE, are often written without any quoting, so that a quote is a character like any other. Both
are read; what decides is which of the two gives every row as many cells as the header has.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row, short_repr
from blurb_tune.tasks.sources.decoding import LINE_END

# The csv module refuses longer cells, to guard against a quote that is never closed, which `strict` tells of anyway.
LONGEST_CELL = 2**27
_SEPARATORS = (",", ";", "\t", "|")
_NAMES = {"\t": "tabs"}
_QUOTING = 'a cell that holds a separator, a quote or a line break stands in quotes, and a quote inside it is written ""'
_MOSTLY = 0.9


@dataclass(frozen=True)
class _Lines:
    """The lines of a table that are not empty, each with the number at which it begins, and why no more can be read."""

    cells: list[tuple[int, list[str]]]
    fault: tuple[int, str] | None = None

    @property
    def width(self) -> int:
        """Cells of the header."""
        return len(self.cells[0][1]) if self.cells else 0

    @property
    def regular(self) -> float:
        """The share of lines with as many cells as the header."""
        return sum(len(cells) == self.width for _, cells in self.cells) / len(self.cells) if self.cells else 0.0


def read_separated(text: str, file: str, separator: str, columns: Sequence[str] | None = None) -> Iterator[Row | Problem]:
    """The rows of a table, all cells as text; a row's location is the line that it begins on.

    separator: that of the file's name; where the header is one cell by it, the one by which the file is regular. columns: the
    names of the columns of a table without a header.
    """
    lines = _split(text, separator)
    if lines.width == 1:
        others = [found for mark in _SEPARATORS if mark != separator and (found := _split(text, mark)).width > 1]
        regular = [found for found in others if found.regular == 1 and not found.fault]
        if len(regular) == 1:
            (lines,) = regular
        elif others:
            number, (whole,) = lines.cells[0]
            wanted = _NAMES.get(separator, repr(separator))
            yield Problem(
                f"{file}:{number}", f"the header is one cell, {short_repr(whole)}; expected columns separated by {wanted}"
            )
            return
    if not lines.cells:
        if lines.fault:
            yield _cut_off(file, lines.fault)
        return
    if columns is None:
        location = f"{file}:{lines.cells[0][0]}"
        header = [name.strip() for name in lines.cells[0][1]]
        if repeated := list(repeated_columns([name for name in header if name], location)):
            yield from repeated
            return
    else:
        header = list(columns)
    for number, cells in lines.cells[columns is None :]:
        location = f"{file}:{number}"
        if len(cells) == len(header):
            yield Row(location, dict(zip(header, cells, strict=True)))
        else:
            where = "as in the header" if columns is None else "as `columns` names"
            yield Problem(location, f"expected {len(header)} cells, {where}, but got {len(cells)}")
    if lines.fault:
        yield _cut_off(file, lines.fault)


def repeated_columns(names: Sequence[str], location: str) -> Iterator[Problem]:
    """The names that stand more than once in a table's header: of their cells a row would keep the last."""
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(location, f"the column {short_repr(name)} stands more than once in the header")


def _cut_off(file: str, fault: tuple[int, str]) -> Problem:
    number, what = fault
    return Problem(f"{file}:{number}", f"the table cannot be read from here on: {what}; {_QUOTING}")


def _split(text: str, separator: str) -> _Lines:
    quoted = _read_quoted(text, separator)
    if separator != "\t" or '"' not in text:
        return quoted
    plain = _plain(text, separator)
    is_all_quoted = all(cell[:1] == cell[-1:] == '"' for cell in plain.cells[0][1])
    swallows_rows = plain.regular == 1 and len(plain.cells) > len(quoted.cells) and not is_all_quoted
    return plain if swallows_rows or (quoted.fault and plain.regular >= _MOSTLY) else quoted


def _read_quoted(text: str, separator: str) -> _Lines:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found: list[tuple[int, list[str]]] = []
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return _Lines(found)
        except csv.Error as error:
            return _Lines(found, (number, str(error)))
        if cells:
            found.append((number, cells))


def _plain(text: str, separator: str) -> _Lines:
    lines = enumerate(LINE_END.split(text), start=1)
    return _Lines([(number, line.split(separator)) for number, line in lines if line])
