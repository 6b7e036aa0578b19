"""Tables as text with separators, as every reader of them takes them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any


class _Lines(list[str]):
    """What a writer of the csv module writes to: a line at a time, which is to end with `\\n`."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def csv_text(rows: Iterable[Iterable[Any]], separator: str = ",") -> str:
    """Rows of cells, the header among them, as lines that end with `\\n`; None is an empty cell.

    A cell stands in quotes where it holds the separator, a quote or a line break. The csv module sees line breaks in the
    characters of its own line end alone: with `\\n` it would leave a lone `\\r` bare, at which readers begin a new row.
    """
    lines = _Lines()
    csv.writer(lines, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return "".join(lines)
