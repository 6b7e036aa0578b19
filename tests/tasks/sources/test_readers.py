"""Reading files into rows: every fault has its line, harmless variants read alike."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.sources.readers import (
    FORMATS,
    read_conll,
    read_csv,
    read_json,
    read_json_lines,
    read_parquet,
    read_table,
    read_tsv,
)

BOM = b"\xef\xbb\xbf"
RECORDS = [{"note": 'one, "two"\nthree', "label": "a"}, {"note": "café; \t|", "label": "b"}]


def _csv(records: list[dict[str, str]], separator: str = ",", line_end: str = "\n") -> bytes:
    text = io.StringIO(newline="")
    # Without `QUOTE_ALL` Python 3.11 leaves a lone carriage return bare, which ends a line.
    writer = csv.DictWriter(text, list(records[0]), delimiter=separator, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def _parquet(records: list[dict[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink)
    return sink.getvalue()


WRITTEN: dict[str, bytes] = {
    "t.csv": _csv(RECORDS),
    "t.CSV": BOM + _csv(RECORDS, line_end="\r\n"),
    "t.tsv": _csv(RECORDS, "\t"),
    "t.json": json.dumps(RECORDS, indent=2).encode(),
    "lines.json": b"".join(json.dumps(record).encode() + b"\n" for record in RECORDS),
    "t.jsonl": BOM + b"\r\n".join(json.dumps(record, ensure_ascii=False).encode() for record in RECORDS),
    "t.parquet": _parquet(RECORDS),
}
PLACES = {".csv": [":2", ":4"], ".tsv": [":2", ":4"], ".json": [", item 1", ", item 2"], ".parquet": [", row 1", ", row 2"]}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_format_gives_the_same_rows_with_their_places(name: str) -> None:
    rows = list(read_table(WRITTEN[name], Path(name)))
    locations = [":1", ":2"] if name in ("t.jsonl", "lines.json") else PLACES[Path(name).suffix.lower()]
    assert rows == [Row(f"{name}{location}", record) for location, record in zip(locations, RECORDS, strict=True)]


def _texts(found: object) -> list[str]:
    return [str(problem) for problem in found if isinstance(problem, Problem)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"", "expected a JSON object, but this is no JSON"),
        (b"{'id': 1}", "expected a JSON object, but this is no JSON"),
        (b"[" * 100_000, "expected a JSON object, but this is no JSON"),
        (b"[1, 2]", "expected a JSON object, but got [1, 2]"),
        (b'"text"', 'expected a JSON object, but got "text"'),
        (b'{"a": "caf\xe9"}', "not UTF-8 (byte 11 of the line: invalid continuation byte)"),
    ],
)
def test_a_line_that_is_no_object_is_named_and_the_others_are_read(line: bytes, expected: str) -> None:
    rows = list(read_json_lines(b'{"a": 1}\n' + line + b'\n{"a": 2}\n', "t"))
    assert [row.location for row in rows if isinstance(row, Row)] == ["t:1", "t:3"]
    assert _texts(rows)[0].startswith(f"t:2: {expected}")


@pytest.mark.parametrize(
    "change",
    [lambda c: c, lambda c: c[:-1], lambda c: BOM + c, lambda c: c.replace(b"\n", b"\r\n")],
    ids=["as written", "no newline at the end", "byte order mark", "Windows line ends"],
)
def test_harmless_variants_of_json_lines_read_alike(change: Callable[[bytes], bytes]) -> None:
    content = b'{"a": 1}\n{"a": "one\xe2\x80\xa8two"}\n'
    assert [row.values for row in read_json_lines(change(content), "t")] == [{"a": 1}, {"a": "one\u2028two"}]  # type: ignore[union-attr]


@pytest.mark.parametrize("content", [b"", b"\n", BOM, BOM + b"\n"])
@pytest.mark.parametrize("read", [read_json_lines, read_json, read_csv, read_tsv])
def test_an_empty_file_has_no_rows(content: bytes, read: Callable[[bytes, str], object]) -> None:
    assert list(read(content, "t")) == []  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[{"a": 1},\n {"a": }]', ["t:2: this is no JSON: Expecting value (column 8)"]),
        (
            b'[{"a": 1}, 5, null]',
            ["t, item 2: expected a JSON object, but got 5", "t, item 3: expected a JSON object, but got null"],
        ),
        (
            b'{"a": 1,\n "b": {"c": 2}}',
            ["t: this is one JSON object and no table (with 'a', 'b'); expected an array of objects, "],
        ),
        (b"[" * 100_000, ["t: this is no table: it is nested too deep"]),
    ],
)
def test_each_fault_of_a_json_array_is_named(content: bytes, expected: list[str]) -> None:
    found = _texts(read_json(content, "t"))
    assert len(found) == len(expected)
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b"a,b\n1,2\n1\n1,2,3\n",
            ["t:3: expected 2 cells, as in the header, but got 1", "t:4: expected 2 cells, as in the header, but got 3"],
        ),
        (b"a,b\n1,2\n\n   \n1,2\n", ["t:4: expected 2 cells, as in the header, but got 1"]),
        (
            b"a,b\n\n1,caf\xe9\n2,\xff\n",
            ["t:3: not UTF-8 (byte 6 of the line: invalid continuation byte); if it is Latin-1"],
        ),
        (b'a,b\n1,2\n"1,2\n3,4\n', ["t:3: the table cannot be read from here on: unexpected end of data; a cell that holds"]),
        (b'a,b\n"1" x,2\n3,4\n', ["t:2: the table cannot be read from here on: ',' expected after '\"'; a cell that holds"]),
        (b"a,b,a\n1,2,3\n", ['t:1: the column "a" stands more than once in the header']),
        (b"a;b\n1;2\n3\n", ["t:1: the header is one cell, \"a;b\"; expected columns separated by ','"]),
        (b"a\tb\n1\t2\n3\n", ["t:1: the header is one cell, \"a\\tb\"; expected columns separated by ','"]),
    ],
)
def test_each_fault_of_a_table_is_named_with_its_line(content: bytes, expected: list[str]) -> None:
    found = _texts(read_csv(content, "t"))
    assert len(found) == len(expected)
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True))


def test_a_table_with_commas_is_no_table_with_tabs() -> None:
    assert _texts(read_tsv(b"a,b\n1,2\n3\n", "t")) == [
        't:1: the header is one cell, "a,b"; expected columns separated by tabs'
    ]


def test_a_long_cell_is_read() -> None:
    text = "x" * 1_000_000
    assert [row.values for row in read_csv(f"a,b\n{text},1\n".encode(), "t")] == [{"a": text, "b": "1"}]  # type: ignore[union-attr]


def test_blanks_around_a_column_s_name_and_columns_without_one_do_no_harm() -> None:
    rows = list(read_csv(b",a, b,\n0,1,2,3\n", "t"))
    assert rows == [Row("t:2", {"": "3", "a": "1", "b": "2"})]


def test_a_parquet_file_that_names_a_column_twice_is_told() -> None:
    table = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "b", "a"])
    pq.write_table(table, stream := io.BytesIO())
    assert list(read_parquet(stream.getvalue(), "t")) == [Problem("t", 'the column "a" stands more than once in the header')]


def test_what_is_no_parquet_file_is_told() -> None:
    (problem,) = _texts(read_parquet(b"nonsense", "t"))
    assert problem.startswith("t: this is no Parquet file that can be read: ")


CONLL = b"""-DOCSTART- -X- O

Down\tO
syndrome\tB

the _ _ O
heart _ _ B-X


-DOCSTART-\tO
end\tI"""


def test_conll_sentences_begin_where_they_say() -> None:
    assert list(read_conll(CONLL, "t", "tokens", "tags")) == [
        Row("t:3", {"tokens": ["Down", "syndrome"], "tags": ["O", "B"]}),
        Row("t:6", {"tokens": ["the", "heart"], "tags": ["O", "B-X"]}),
        Row("t:11", {"tokens": ["end"], "tags": ["I"]}),
    ]


def test_a_faulty_line_takes_its_sentence_with_it_and_no_other() -> None:
    content = b"a O\nb\nc O\n\nd B\n\ne \xff\nf O\n\ng O\n"
    assert list(read_conll(content, "t", "w", "t")) == [
        Problem("t:2", 'expected a word and its tag, but got "b"'),
        Row("t:5", {"w": ["d"], "t": ["B"]}),
        Problem("t:7", "not UTF-8 (byte 3 of the line: invalid start byte)"),
        Row("t:10", {"w": ["g"], "t": ["O"]}),
    ]


# All that Python's `split` or `splitlines` take for a separator, besides the blank, the tab and the newline.
_WHITE = ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u2000", "\u2028", "\u2029", "\u202f", "\u3000"]
_WORDS = st.lists(st.sampled_from([*_WHITE, "5", "mg", "[", "é"]), min_size=1, max_size=6).map("".join).filter(str.strip)
_TAGGED = st.lists(st.lists(st.tuples(_WORDS, st.sampled_from(["O", "B", "I-X"])), min_size=1, max_size=4), max_size=4)


@pytest.mark.parametrize("between", ["\t", " ", "  ", " \t", "\tNN\t", " NN _ ", "\t\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", " \n", "\t\r\n"])
@settings(max_examples=25)
@given(sentences=_TAGGED)
def test_words_keep_all_white_space_but_blanks_and_tabs(
    sentences: list[list[tuple[str, str]]], between: str, line_end: str
) -> None:
    lines = [f"{word}{between}{tag}{line_end}" if word else "\n" for s in sentences for word, tag in [*s, ("", "")]]
    rows = list(read_conll("".join(lines).encode(), "t", "w", "t"))
    assert [row.values for row in rows if isinstance(row, Row)] == [
        {"w": [word for word, _ in sentence], "t": [tag for _, tag in sentence]} for sentence in sentences
    ]
    assert len(rows) == len(sentences)


@pytest.mark.parametrize("white", [*_WHITE, " ", "\t", "\r", " \u00a0\t"])
def test_a_line_of_white_space_alone_is_blank(white: str) -> None:
    rows = list(read_conll(f"a O\n{white}\nb O\n".encode(), "t", "w", "t"))
    assert rows == [Row("t:1", {"w": ["a"], "t": ["O"]}), Row("t:3", {"w": ["b"], "t": ["O"]})]


def test_with_tabs_a_word_may_hold_blanks_and_a_missing_one_is_no_other() -> None:
    rows = list(read_conll(b"in vitro\tB\nof\tO\n\n\tO\n\nb\t\n\n\xc2\xa0\tO\n", "t", "w", "t"))
    assert rows == [
        Row("t:1", {"w": ["in vitro", "of"], "t": ["B", "O"]}),
        Problem("t:4", 'expected a word and its tag, but got "O"'),
        Problem("t:6", 'expected a word and its tag, but got "b"'),
        Row("t:8", {"w": ["\u00a0"], "t": ["O"]}),  # which is an empty word: a problem that every format has
    ]


@pytest.mark.parametrize("line", ["-DOCSTART-", "-DOCSTART- -X- -X- O", "-DOCSTART-\tO", "-DOCSTART- (12)\tO"])
def test_the_begin_of_a_document_is_no_word(line: str) -> None:
    assert list(read_conll(f"{line}\na\tO\n".encode(), "t", "w", "t")) == [Row("t:2", {"w": ["a"], "t": ["O"]})]


@pytest.mark.parametrize(
    "comments",
    [
        "# id f423\tdomain=en\n",
        "# id f423 domain=en\n",
        "# text = Down syndrome is rare\n",
        "# newpar id = p1\n# sent_id = 1\n# text = a=b\n",
    ],
)
def test_comments_before_a_sentence_are_no_words(comments: str) -> None:
    lines = comments.count("\n")
    assert list(read_conll(f"{comments}a\tO\n\n{comments}b\tB\n".encode(), "t", "w", "t")) == [
        Row(f"t:{lines + 1}", {"w": ["a"], "t": ["O"]}),
        Row(f"t:{2 * lines + 3}", {"w": ["b"], "t": ["B"]}),
    ]


@pytest.mark.parametrize("sign", ["# O", "#\tO", "# # B-NP O", "# NN O", "# = O", "#\tCase=Nom\tO"])
def test_a_number_sign_is_a_word(sign: str) -> None:
    for lines, expected in ((f"{sign}\na O", ["#", "a"]), (f"a O\n{sign}", ["a", "#"])):
        (row,) = read_conll(lines.encode(), "t", "w", "t")
        assert isinstance(row, Row)
        assert row.values["w"] == expected


def test_within_a_sentence_nothing_is_a_comment() -> None:
    (row,) = read_conll(b"a\tO\n# 4\tx=y\n", "t", "w", "t")
    assert row == Row("t:1", {"w": ["a", "# 4"], "t": ["O", "x=y"]})


@given(st.lists(st.lists(st.sampled_from([*_WHITE, "a"]), max_size=5).map("".join), min_size=1, max_size=5))
def test_no_white_space_splits_a_record_in_two(texts: list[str]) -> None:
    records = [{"a": text, "b": "x"} for text in texts]
    # JSON has its control characters escaped, and the others as they are.
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    for rows in (
        read_json_lines("\n".join(lines).encode(), "t"),
        read_json(f"[{','.join(lines)}]".encode(), "t"),
        read_csv(("a,b\n" + "".join(f"{text},x\n" for text in texts)).encode(), "t"),
        read_tsv(("a\tb\n" + "".join(f"{text}\tx\n" for text in texts)).encode(), "t"),
    ):
        assert [row.values for row in rows if isinstance(row, Row)] == records


_CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.lists(st.fixed_dictionaries({"a": _CELLS, "b": _CELLS}), min_size=1, max_size=5), st.sampled_from([",", "\t"]))
def test_whatever_is_written_to_a_table_comes_back(records: list[dict[str, str]], separator: str) -> None:
    rows = list(read_csv(_csv(records, separator), "t", separator=separator))
    assert [row.values for row in rows if isinstance(row, Row)] == records


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode), st.sampled_from(sorted(FORMATS)))
def test_no_content_raises(content: bytes, ending: str) -> None:
    assert all(isinstance(row, Row | Problem) for row in read_table(content, Path(f"t{ending}")))
    assert all(isinstance(row, Row | Problem) for row in read_conll(content, "t", "w", "t"))
