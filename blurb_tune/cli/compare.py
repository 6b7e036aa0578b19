"""`compare`: sweeps side by side."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem, did_you_mean, visible
from blurb_tune.core.paths import fault_of_folder, write_atomically
from blurb_tune.report.blocks import Row, Table
from blurb_tune.report.comparison import SweepComparison, compare_sweeps, read_sweeps
from blurb_tune.report.comparison.comparison_report import report_of
from blurb_tune.report.comparison.formats import FORMATS

TERMINAL = "terminal"
_MOST_ROWS = 40
_PLAIN_WIDTH = 120
_LEAST_WIDTH = 60
_GAP = 2
_ASCII = str.maketrans({"−": "-", "–": "-", "×": "x"})


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
    """Sweeps and tables first, the answer last, where the eye is."""
    report = report_of(comparison)
    console.print(_text(report.lead, "bold"))
    tables = [block for section in report.sections for block in section.blocks if isinstance(block, Table)]
    for table in sorted(tables, key=lambda table: table.name != "sweeps"):
        console.print()
        console.print(_text(table.caption, "bold"))
        _print_table(table, console)
        for note in table.notes:
            console.print(_text(note, "dim"))
    console.print()
    for note in report.answer.others:
        console.print(_text(f"Note: {note}"))
    console.print()
    console.print(_text(report.answer.recipe, "bold"))
    console.print(_text(report.answer.sureness))
    console.print(_text(f"Keep in mind: {report.answer.caveat}"))


def _print_table(table: Table, console: Console) -> None:
    """A table for each group, or as many below each other as the width of the terminal takes."""
    columns = range(len(table.columns))
    widths = {c: max(_width(table.columns[c].title, row.cells[c].text) for row in table.rows) for c in columns}
    left = _MOST_ROWS
    for group in table.groups:
        rows = group.rows[:left]
        left -= len(rows)
        if not rows:
            continue
        if group.title:
            console.print(_text(group.title, "italic"))
        filled = {c: widths[c] for c in columns if not table.columns[c].is_number or any(row.cells[c].text for row in rows)}
        for part in _parts(table, filled, console.width):
            console.print(_grid(table, part, widths, rows))
    if len(table.rows) > _MOST_ROWS:
        console.print(f"{len(table.rows) - _MOST_ROWS} more rows: --format csv has them all")


def _parts(table: Table, widths: Mapping[int, int], room: int) -> list[list[int]]:
    """The columns of the table, or of each of the tables that it takes: its texts come again in each."""
    texts = [column for column in widths if not table.columns[column].is_number]
    parts: list[list[int]] = [[]]
    for column in widths.keys() - set(texts):
        taken = sum(widths[c] + _GAP for c in [*texts, *parts[-1], column])
        if parts[-1] and taken > max(room, _LEAST_WIDTH):
            parts.append([])
        parts[-1].append(column)
    return [texts + part for part in parts]


def _grid(table: Table, columns: Sequence[int], widths: Mapping[int, int], rows: Sequence[Row]) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        head, least = table.columns[column], widths[column]
        name = "\n".join(wrap(head.title, least, break_long_words=False, break_on_hyphens=False))
        side: Literal["left", "right"] = "right" if head.is_number else "left"
        grid.add_column(_text(name), justify=side, no_wrap=head.is_number, min_width=least)
    for row in rows:
        style = "bold" if row.is_best else "dim" if row.is_muted else None
        grid.add_row(*(_text(row.cells[column].text) for column in columns), style=style)
    return grid


def _text(words: str, style: str = "") -> Text:
    """In ASCII as far as it is ours, so that any terminal can show it."""
    return Text(visible(words.translate(_ASCII)), style=style)


def _width(name: str, cell: str) -> int:
    """Of the cell, or of the longest word of the column's name."""
    return max(map(len, [*name.split(), *cell.splitlines()]), default=0)
