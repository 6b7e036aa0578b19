"""Reading data files into rows, each with the place where it stands; what cannot be read is a problem in a row's place."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row, short_repr

Reading = Iterator[Row | Problem]

# The csv module refuses longer cells, to guard against a quote that is never closed, which `strict` tells of anyway.
_LONGEST_CELL = 2**27
_QUOTING = 'a cell that holds a separator, a quote or a line break stands in quotes, and a quote inside it is written ""'


def read_json_lines(content: bytes, file: str) -> Reading:
    """The rows of a file with one JSON object a line, in UTF-8."""
    for number, line in enumerate(_lines(content), start=1):
        place = f"{file}:{number}"
        try:
            yield Row(place, _record(line))
        except ValueError as error:
            yield Problem(place, str(error))


def read_json(content: bytes, file: str) -> Reading:
    """The rows of a JSON file: an array of objects, or one object a line."""
    if not content.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
        yield from read_json_lines(content, file)
        return
    if faults := _undecodable(content, file):
        yield from faults
        return
    try:
        items = json.loads(_text(content))
    except json.JSONDecodeError as error:
        yield Problem(f"{file}:{error.lineno}", f"this is no JSON: {error.msg} (column {error.colno})")
        return
    except RecursionError:
        yield Problem(file, "this is no table: it is nested too deep")
        return
    for number, item in enumerate(items, start=1):
        place = f"{file}, item {number}"
        if isinstance(item, dict):
            yield Row(place, item)
        else:
            yield Problem(place, f"expected a JSON object, but got {short_repr(item)}")


def read_csv(content: bytes, file: str, separator: str = ",") -> Reading:
    """The rows of a table in text with a header, all cells as text; a row's place is the line that it begins on."""
    if faults := _undecodable(content, file):
        yield from faults
        return
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(_text(content), newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    while True:
        place = f"{file}:{reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(place, f"the table cannot be read from here on: {error}; {_QUOTING}")
            return
        if not cells:
            continue
        if header is None:
            header = [name.strip() for name in cells]
            if faults := _header_faults(header, separator, place):
                yield from faults
                return
        elif len(cells) != len(header):
            yield Problem(place, f"expected {len(header)} cells, as in the header, but got {len(cells)}")
        else:
            yield Row(place, dict(zip(header, cells, strict=True)))


def read_tsv(content: bytes, file: str) -> Reading:
    """As `read_csv`, with cells separated by tabs."""
    return read_csv(content, file, "\t")


def read_parquet(content: bytes, file: str) -> Reading:
    """The rows of a Parquet file."""
    import pyarrow as pa  # takes longer to import than all else that reading a table needs
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(io.BytesIO(content)).iter_batches():
            for record in batch.to_pylist():
                number += 1
                yield Row(f"{file}, row {number}", record)
    except (pa.ArrowException, OSError) as error:
        yield Problem(file, f"this is no Parquet file that can be read: {str(error).splitlines()[0]}")


def read_conll(content: bytes, file: str, words: str, tags: str) -> Reading:
    """The sentences of a file with a word and its tag a line, and a blank line behind each sentence.

    Columns have a tab between them, or blanks in a line without tabs; no other white space divides a line, as words may hold
    it. Of more than two columns the first and the last are read; `-DOCSTART-` lines are skipped. `words` and `tags` name the
    columns of the rows; a row's place is the line that it begins on.
    """
    sentence: list[list[str]] = []
    begin, is_whole = 0, True
    for number, line in enumerate([*_lines(content), b""], start=1):
        try:
            cells = _columns(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield Problem(f"{file}:{number}", _not_utf8(error))
            is_whole = False
            continue
        if cells and not cells[0].startswith("-DOCSTART-"):
            if len(cells) == 1:
                yield Problem(f"{file}:{number}", f"expected a word and its tag, but got {short_repr(cells[0])}")
                is_whole = False
            begin = begin if sentence else number
            sentence.append(cells)
        elif sentence:
            if is_whole:
                yield Row(f"{file}:{begin}", {words: [c[0] for c in sentence], tags: [c[-1] for c in sentence]})
            sentence, is_whole = [], True


def _columns(line: str) -> list[str]:
    """None of a line without any character that shows."""
    if not line.strip():
        return []
    line = line.strip(" \t\r")
    return [cell.strip(" ") for cell in line.split("\t")] if "\t" in line else [cell for cell in line.split(" ") if cell]


FORMATS: Mapping[str, Callable[[bytes, str], Reading]] = MappingProxyType(
    {".csv": read_csv, ".tsv": read_tsv, ".json": read_json, ".jsonl": read_json_lines, ".parquet": read_parquet}
)


def read_table(content: bytes, path: Path) -> Reading:
    """The rows of a file of one of `FORMATS`, by the end of its name."""
    return FORMATS[path.suffix.lower()](content, str(path))


def _text(content: bytes) -> str:
    return content.removeprefix(codecs.BOM_UTF8).decode("utf-8")


def _lines(content: bytes) -> list[bytes]:
    lines = content.removeprefix(codecs.BOM_UTF8).removesuffix(b"\n").split(b"\n")
    return [] if lines == [b""] else lines


def _undecodable(content: bytes, file: str) -> list[Problem]:
    """The lines that are not UTF-8."""
    problems = []
    for number, line in enumerate(_lines(content), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            problems.append(Problem(f"{file}:{number}", _not_utf8(error)))
    return problems


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8 (byte {error.start + 1} of the line: {error.reason})"


def _record(line: bytes) -> dict[str, Any]:
    """Raises ValueError, with a message for the user, when the line is no JSON object in UTF-8."""
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(_not_utf8(error)) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected a JSON object, but this is no JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object, but got {short_repr(record)}")
    return record


def _header_faults(header: Sequence[str], separator: str, place: str) -> list[Problem]:
    repeated = [name for name, count in Counter(header).items() if name and count > 1]
    problems = [Problem(place, f"the column {short_repr(name)} stands more than once in the header") for name in repeated]
    other = next((mark for mark in (";", "\t", ",") if mark != separator and mark in header[0]), None)
    if len(header) == 1 and other:
        wanted = "tabs" if separator == "\t" else f"{separator!r}"
        problems.append(
            Problem(place, f"the header is one cell, {short_repr(header[0])}; expected columns separated by {wanted}")
        )
    return problems
