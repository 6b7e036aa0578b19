"""Tables that fit a terminal: columns that matter less give way, words stay whole."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_NO_BREAK = "\N{NO-BREAK SPACE}"
DISPENSABLE = 3  # columns of this order and above are there only if no text has to wrap for them
_ROOMY, _NARROW = 2, 1  # cells between two columns


@dataclass
class Column:
    """One column, its cells from top to bottom.

    header: may be of several lines. drop_order: those of the highest are left out first where there is no room; 0 always
    stays. is_text: its cells wrap between words, where those of numbers are whole; narrowest: to so many cells at least.
    """

    header: str
    cells: list[str]
    drop_order: int = 0
    is_text: bool = False
    narrowest: int = 12

    @property
    def widest(self) -> int:
        lines = [*self.header.split("\n"), *(line for cell in self.cells for line in cell.split("\n"))]
        return max(map(cell_len, lines), default=0)

    @property
    def least(self) -> int:
        """The width that it needs."""
        if not self.is_text:
            return self.widest
        words = [word for text in (self.header, *self.cells) for word in _bind_units(text).split(" ")]
        return min(self.widest, max([self.narrowest, *(cell_len(word) for word in words)]))


@dataclass
class Columns:
    """A table by columns of equal length. styles: of its rows, from the first on; those without one have none."""

    columns: Sequence[Column]
    styles: Sequence[str | None] = field(default_factory=tuple)

    def fits(self, width: int) -> bool:
        """Whether all that always stays has room."""
        return _needs([column for column in self.columns if not column.drop_order], _NARROW) <= width

    def table(self, width: int, *, is_ascii: bool = False) -> Table:
        """At most `width` cells wide, as long as what always stays has room, texts broken within words."""
        kept = list(self.columns)
        while (last := max(reversed(kept), key=lambda column: column.drop_order)).drop_order:
            wanted = sum(column.widest for column in kept) + _ROOMY * (len(kept) - 1)
            if _needs(kept, _NARROW) <= width and (wanted <= width or last.drop_order < DISPENSABLE):
                break
            kept.remove(last)
        gap = _ROOMY if _needs(kept, _ROOMY) <= width else _NARROW
        widths = _widths(kept, width - gap * (len(kept) - 1))
        box = _ASCII_HEAD if is_ascii else SIMPLE_HEAD
        table = Table(box=box, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)
        for column, cells_wide in zip(kept, widths, strict=True):
            if column.is_text:
                table.add_column(column.header, overflow="fold", width=cells_wide)
            else:
                table.add_column(column.header, justify="right", no_wrap=True, width=cells_wide)
        rows = zip(*(column.cells for column in kept), strict=True)
        for number, cells in enumerate(rows):
            lines = [_wrap(cell, w) if c.is_text else cell for c, cell, w in zip(kept, cells, widths, strict=True)]
            table.add_row(*map(Text, lines), style=self.styles[number] if number < len(self.styles) else None)
        return table


def _bind_units(text: str) -> str:
    """A name and its number, as in `freeze 4`, are one word."""
    return re.sub(r"(?<=[A-Za-z]) (?=[\d.])", _NO_BREAK, text)


def _wrap(text: str, width: int) -> str:
    return textwrap.fill(_bind_units(text), max(width, 1), break_on_hyphens=False).replace(_NO_BREAK, " ")


def _needs(columns: Sequence[Column], gap: int) -> int:
    return sum(column.least for column in columns) + gap * (len(columns) - 1)


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """What each column gets of `room` cells: what it needs; texts get what is left, or lose what lacks."""
    widths = [column.least for column in columns]
    texts = [number for number, column in enumerate(columns) if column.is_text]
    while sum(widths) < room and (short := [n for n in texts if widths[n] < columns[n].widest]):
        widths[min(short, key=lambda n: widths[n])] += 1
    while sum(widths) > room and (long := [n for n in texts if widths[n] > 1]):
        widths[max(long, key=lambda n: widths[n])] -= 1
    return widths
