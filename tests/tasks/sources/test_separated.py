"""Tables as people export them: separators, quotes and headers that a file shows by itself."""

from __future__ import annotations

import codecs

import pytest

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.sources.decoding import decode
from blurb_tune.tasks.sources.readers import Layout, read_csv, read_tsv
from blurb_tune.tasks.sources.separated import read_separated


def _values(rows: object) -> list[dict[str, str]]:
    return [dict(row.values) for row in rows if isinstance(row, Row)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_another_separator_is_seen_where_it_makes_every_row_regular(mark: str) -> None:
    text = (
        mark.join(("Text", "Label")) + "\n" + mark.join(("fever, at night", "ja")) + "\n" + mark.join(("cough", "nein")) + "\n"
    )
    assert _values(read_separated(text, "t", ",")) == [
        {"Text": "fever, at night", "Label": "ja"},
        {"Text": "cough", "Label": "nein"},
    ]


def test_quotes_of_a_text_are_text_where_a_table_with_tabs_quotes_nothing() -> None:
    lines = ['"Aspirin" lowers fever\t0', 'a 5" needle\t1', '"No effect was seen\t0', 'he said "stop"\t1']
    rows = _values(read_separated("\n".join(["sentence\tlabel", *lines]), "t", "\t"))
    assert [f"{row['sentence']}\t{row['label']}" for row in rows] == lines


def test_two_quotes_that_happen_to_match_swallow_no_rows() -> None:
    lines = ['"No effect\t0', "some effect\t1", 'none at all"\t0', "cured\t1"]
    found = list(read_separated("\n".join(["sentence\tlabel", *lines]), "t", "\t"))
    assert [row.location for row in found if isinstance(row, Row)] == ["t:2", "t:3", "t:4", "t:5"]
    assert [row["sentence"] for row in _values(found)] == ['"No effect', "some effect", 'none at all"', "cured"]


def test_quotes_that_a_writer_set_are_none_of_the_text() -> None:
    text = 'note\tlabel\n"with\ta tab"\tyes\n"with ""quotes"""\tno\n'
    assert [row["note"] for row in _values(read_separated(text, "t", "\t"))] == ["with\ta tab", 'with "quotes"']


def test_a_broken_row_of_a_table_without_quoting_is_the_only_one_told() -> None:
    lines = [f'"row" {number}\t1' for number in range(30)]
    lines[4] = '"row" 4'
    problems = [row for row in read_separated("\n".join(["note\tlabel", *lines]), "t", "\t") if isinstance(row, Problem)]
    assert problems == [Problem("t:6", "expected 2 cells, as in the header, but got 1")]


def test_columns_can_be_named_where_there_is_no_header() -> None:
    layout = Layout(columns=("note", "label"))
    assert _values(read_csv(b"cough,no\nfever,yes\n", "t", layout)) == [
        {"note": "cough", "label": "no"},
        {"note": "fever", "label": "yes"},
    ]
    assert [str(row) for row in read_csv(b"1,cough,no\n", "t", layout)] == [
        "t:1: expected 2 cells, as `columns` names, but got 3"
    ]


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + "note\tü\n".encode(),
        codecs.BOM_UTF16_LE + "note\tü\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "note\tü\n".encode("utf-16-be"),
        "note\tü\n".encode(),
    ],
)
def test_a_mark_at_the_beginning_says_the_encoding(content: bytes) -> None:
    assert decode(content, "t") == "note\tü\n"


def test_latin_1_is_told_once_and_read_where_it_is_named() -> None:
    content = "note\tlabel\nfür\tja\nüber\tnein\n".encode("cp1252")
    (problem,) = read_tsv(content, "t")
    assert str(problem).startswith("t:2: not UTF-8 (byte 2 of the line: invalid")
    assert "write `encoding: cp1252`" in str(problem)
    assert [row["note"] for row in _values(read_tsv(content, "t", Layout(encoding="cp1252")))] == ["für", "über"]


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_told_by_its_name(name: str) -> None:
    problem = decode("note\tlabel\nfür\tja\n".encode(name), "t")
    assert isinstance(problem, Problem)
    assert f"write `encoding: {name}`" in problem.what
