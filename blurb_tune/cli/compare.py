"""`compare`: sweeps side by side."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem, did_you_mean, visible
from blurb_tune.core.paths import fault_of_folder, write_atomically
from blurb_tune.report.comparison import SweepComparison, compare_sweeps, read_sweeps
from blurb_tune.report.comparison.formats import FORMATS
from blurb_tune.report.comparison.tables import TextTable, tables
from blurb_tune.report.comparison.text import heading

TERMINAL = "terminal"
_MOST_ROWS = 40
_PLAIN_WIDTH = 120
_LEAST_WIDTH = 60
_GAP = 2


def compare_command(folders: Sequence[Path], form: str, to: Path | None) -> None:
    """Print a comparison of the sweeps in `folders`, or write it to a file."""
    names = (TERMINAL, *FORMATS)
    problems = [] if form in names else [Problem("--format", f"unknown format {form!r}{did_you_mean(form, names)}")]
    if to is not None:
        problems += _faults_of_file(to)
    if problems:
        raise InputError(problems)
    comparison = compare_sweeps(read_sweeps(folders))
    if form != TERMINAL:
        text = FORMATS[form](comparison)
    elif to is None:
        console = Console(highlight=False)
        _print(comparison, console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH))
        return
    else:
        text = _plain(comparison)
    if to is None:
        sys.stdout.write(text)
        return
    try:
        write_atomically(to, text)
    except OSError as error:
        raise BlurbTuneError(f"{to}: cannot be written ({error.strerror})") from None
    print(to)


def _faults_of_file(to: Path) -> list[Problem]:
    if to.is_dir():
        return [Problem("--to", f"expected a file, but {to} is a folder")]
    if not to.parent.is_dir():
        return [Problem("--to", f"there is no folder {to.parent}")]
    fault = fault_of_folder(to.parent)
    return [Problem("--to", fault)] if fault else []


def _plain(comparison: SweepComparison) -> str:
    console = Console(width=_PLAIN_WIDTH, color_system=None, force_terminal=False, highlight=False, legacy_windows=False)
    with console.capture() as capture:
        _print(comparison, console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n") + "\n"


def _print(comparison: SweepComparison, console: Console) -> None:
    console.print(Text(visible(heading(comparison)), style="bold"))
    for table in tables(comparison):
        console.print()
        console.print(Text(table.title, style="bold"))
        _print_table(table, console)
        for note in table.notes:
            console.print(Text(visible(note), style="dim"))
    if comparison.notes:
        console.print()
    for note in comparison.notes:
        console.print(Text(visible(f"Note: {note}")))


def _print_table(table: TextTable, console: Console) -> None:
    """A table for each group, or as many below each other as the width of the terminal takes."""
    shown = table.rows[:_MOST_ROWS]
    columns = range(table.groups, len(table.columns))
    widths = {c: max(_width(table.columns[c], row[c]) for row in shown) for c in columns}
    for group, lines in groupby(range(len(shown)), key=lambda line: shown[line][: table.groups]):
        if group:
            console.print(Text(visible(", ".join(dict.fromkeys(filter(None, group)))), style="italic"))
        rows = list(lines)
        filled = {c: widths[c] for c in columns if c < table.texts or any(shown[line][c] for line in rows)}
        for part in _parts(table, filled, console.width):
            console.print(_table(table, part, widths, rows))
    if len(table.rows) > _MOST_ROWS:
        console.print(f"{len(table.rows) - _MOST_ROWS} more rows: --format csv has them all")


def _parts(table: TextTable, widths: dict[int, int], room: int) -> list[list[int]]:
    """The columns of the table, or of each of the tables that it takes: texts come again in each."""
    texts = [column for column in widths if column < table.texts]
    parts: list[list[int]] = [[]]
    for column in (column for column in widths if column >= table.texts):
        taken = sum(widths[c] + _GAP for c in [*texts, *parts[-1], column])
        if parts[-1] and taken > max(room, _LEAST_WIDTH):
            parts.append([])
        parts[-1].append(column)
    return [texts + part for part in parts]


def _table(table: TextTable, columns: list[int], widths: dict[int, int], lines: list[int]) -> Table:
    shown = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        is_text = column < table.texts
        name = "\n".join(wrap(table.columns[column], widths[column], break_long_words=False, break_on_hyphens=False))
        side: Literal["left", "right"] = "left" if is_text else "right"
        shown.add_column(Text(visible(name)), justify=side, no_wrap=not is_text, min_width=widths[column])
    for line in lines:
        cells = (Text(visible(table.rows[line][column])) for column in columns)
        shown.add_row(*cells, style="bold" if line in table.strong else None)
    return shown


def _width(name: str, cell: str) -> int:
    """Of the cell, or of the longest word of the column's name."""
    return max(map(len, [*name.split(), *cell.splitlines()]), default=0)
