"""What a report consists of before it becomes a page, Markdown or LaTeX: sections of paragraphs, tables, figures, code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from blurb_tune.report.answer import Answer
from blurb_tune.report.figures import Figure
from blurb_tune.report.wording import UNKNOWN

Scalar = float | int | str | bool | None
Value = Scalar | tuple[float, float]


@dataclass(frozen=True)
class Paragraph:
    """Plain text. strong: it is what a reader should see first."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Bullets:
    items: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """Names and what they stand for."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Code:
    """A text to copy. name: what it is; language: such as `yaml`. is_folded: opened on demand."""

    name: str
    text: str
    language: str = ""
    is_folded: bool = False


@dataclass(frozen=True)
class Column:
    """key: in files. title: at the head of the column. help: what the numbers are, a sentence. is_number: set to the right.
    is_key: tells the rows apart, so that it stays in view. is_interval: its values are two bounds."""

    key: str
    title: str
    help: str = ""
    is_number: bool = True
    is_key: bool = False
    is_interval: bool = False


@dataclass(frozen=True)
class Cell:
    """text: as people read it. value: as files and sorting have it, two bounds of an interval; None where it is unknown."""

    text: str
    value: Value = None

    @classmethod
    def of(cls, text: str, value: Value) -> Cell:
        """A cell whose value is None where the text is a dash or the number is none."""
        is_unknown = text == UNKNOWN or (isinstance(value, float) and not math.isfinite(value))
        return cls(text, None if is_unknown else value)

    @property
    def order(self) -> Scalar:
        """What it is sorted by: of an interval the lower bound."""
        return self.value[0] if isinstance(self.value, tuple) else self.value


@dataclass(frozen=True)
class Row:
    """configuration: whose numbers these are, which opens on demand. is_best: the winner, or shown to be
    better than vanilla. is_muted: not to be compared."""

    cells: Sequence[Cell]
    configuration: str = ""
    is_best: bool = False
    is_muted: bool = False


@dataclass(frozen=True)
class Group:
    """Rows under a heading of their own, empty where there is a single group."""

    title: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Table:
    """name: anchor and key. caption: what it shows. notes: how to read it, below. on_paper: the keys of the columns that a
    printed table has room for, all where there are none."""

    name: str
    caption: str
    columns: Sequence[Column]
    groups: Sequence[Group]
    notes: Sequence[str] = ()
    on_paper: Sequence[str] = ()

    @property
    def rows(self) -> list[Row]:
        return [row for group in self.groups for row in group.rows]


Block = Paragraph | Bullets | Facts | Code | Table | Figure


@dataclass(frozen=True)
class Section:
    """name: its anchor."""

    name: str
    title: str
    blocks: Sequence[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """title: whose it is. lead: state and size in a line. answer: its sentences, the heaviest caveat last."""

    title: str
    lead: str
    answer: Answer
    sections: Sequence[Section]
