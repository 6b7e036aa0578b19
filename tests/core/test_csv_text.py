"""Tables as text: what is written is what is read again."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.core.csv_text import csv_text

CELLS = st.text(st.sampled_from("ab \r\n\t,;\"'\u2028"), max_size=6)
TABLES = st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=4))


@given(TABLES, st.sampled_from(",\t"))
def test_every_cell_comes_back(rows: list[list[str]], separator: str) -> None:
    text = csv_text(rows, separator)
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)) == rows


@given(TABLES)
def test_without_carriage_returns_it_is_what_the_csv_module_writes(rows: list[list[str]]) -> None:
    rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    expected = io.StringIO()
    csv.writer(expected, lineterminator="\n").writerows(rows)
    assert csv_text(rows) == expected.getvalue()


def test_numbers_and_what_is_missing() -> None:
    assert csv_text([["a", "b", "c"], [1, None, 0.5]]) == "a,b,c\n1,,0.5\n"
