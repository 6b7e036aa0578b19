"""Reading data files into rows, each with the place where it stands; what cannot be read is a problem in the row's place."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row, short_repr
from blurb_tune.tasks.sources.decoding import LINE_END, decode, decode_lines
from blurb_tune.tasks.sources.records import read_lines, read_records
from blurb_tune.tasks.sources.separated import read_separated, repeated_columns

Reading = Iterator[Row | Problem]

CONLL_ENDINGS = (".conll", ".bio", ".iob", ".iob2", ".txt")


@dataclass(frozen=True)
class Layout:
    """How files are written, as far as they do not say it themselves.

    encoding: None for UTF-8. columns: the names of the columns of tables without a header, None for those with one.
    """

    encoding: str | None = None
    columns: tuple[str, ...] | None = None


DEFAULT_LAYOUT = Layout()


def read_json_lines(content: bytes, file: str, layout: Layout = DEFAULT_LAYOUT) -> Reading:
    """The rows of a file with one JSON object a line."""
    return read_lines(decode_lines(content, file, layout.encoding), file)


def read_json(content: bytes, file: str, layout: Layout = DEFAULT_LAYOUT) -> Reading:
    """The rows of a JSON file, of whichever shape `read_records` knows."""
    return _read_text(content, file, layout, read_records)


def read_csv(content: bytes, file: str, layout: Layout = DEFAULT_LAYOUT, *, separator: str = ",") -> Reading:
    """The rows of a table in text, all cells as text; a row's location is the line that it begins on."""
    return _read_text(content, file, layout, lambda text, file: read_separated(text, file, separator, layout.columns))


def read_tsv(content: bytes, file: str, layout: Layout = DEFAULT_LAYOUT) -> Reading:
    """As `read_csv`, with cells separated by tabs."""
    return read_csv(content, file, layout, separator="\t")


def _read_text(content: bytes, file: str, layout: Layout, read: Callable[[str, str], Reading]) -> Reading:
    text = decode(content, file, layout.encoding)
    if isinstance(text, Problem):
        yield text
    else:
        yield from read(text, file)


def read_parquet(content: bytes, file: str, layout: Layout = DEFAULT_LAYOUT) -> Reading:
    """The rows of a Parquet file."""
    import pyarrow as pa  # takes longer to import than all else that reading a table needs
    import pyarrow.parquet as pq

    number = 0
    try:
        table = pq.ParquetFile(io.BytesIO(content))
        if repeated := list(repeated_columns(table.schema_arrow.names, file)):
            yield from repeated
            return
        for batch in table.iter_batches():
            for record in batch.to_pylist():
                number += 1
                yield Row(f"{file}, row {number}", record)
    except (pa.ArrowException, OSError) as error:
        yield Problem(file, f"this is no Parquet file that can be read: {str(error).splitlines()[0]}")


def read_conll(content: bytes, file: str, words: str, tags: str, layout: Layout = DEFAULT_LAYOUT) -> Reading:
    """The sentences of a file with a word and its tag a line, and a blank line behind each sentence.

    Columns have a tab between them, or blanks in a line without tabs; no other white space divides a line, as words may hold
    it. Of more than two columns the first and the last are read; `-DOCSTART-` lines are skipped, and comments before a
    sentence. `words` and `tags` name the columns of the rows; a row's location is the line of its first word.
    """
    sentence: list[list[str]] = []
    begin, is_whole = 0, True
    for number, line in enumerate([*decode_lines(content, file, layout.encoding), ""], start=1):
        if isinstance(line, Problem):
            yield line
            is_whole = False
            continue
        cells = _columns(line)
        if not sentence and _is_comment(line, cells):
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


def _is_comment(line: str, cells: Sequence[str]) -> bool:
    """`# text = ...` as CoNLL-U has it, or `# id 7` and `domain=en` behind a tab; `# O` is a word and its tag."""
    return line.startswith("# ") and ("=" in cells[2:] or "=" in cells[-1])


def _columns(line: str) -> list[str]:
    """None of a line without any character that shows."""
    if not line.strip():
        return []
    line = line.strip(" \t\r")
    return [cell.strip(" ") for cell in line.split("\t")] if "\t" in line else [cell for cell in line.split(" ") if cell]


FORMATS: Mapping[str, Callable[[bytes, str, Layout], Reading]] = MappingProxyType(
    {".csv": read_csv, ".tsv": read_tsv, ".json": read_json, ".jsonl": read_json_lines, ".parquet": read_parquet}
)


def read_table_or_conll(
    content: bytes, path: Path, layout: Layout = DEFAULT_LAYOUT, tagged: tuple[str, str] | None = None
) -> Reading:
    """The rows of a table or, where `tagged` names the columns of words and tags, of whatever looks like CoNLL's format."""
    if tagged is not None and _is_conll(content, path, layout, tagged):
        return read_conll(content, str(path), *tagged, layout)
    return read_table(content, path, layout)


def _is_conll(content: bytes, path: Path, layout: Layout, tagged: tuple[str, str]) -> bool:
    """By the end of its name; of a table in text, where its first line names no such columns and others are blank."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return path.suffix.lower() in CONLL_ENDINGS
    text = decode(content, str(path), layout.encoding)
    if isinstance(text, Problem) or layout.columns is not None:
        return False
    lines = [line.strip() for line in LINE_END.split(text.strip())]
    return not set(tagged) <= set(re.split(r"[\t,;]", lines[0])) and "" in lines


def read_table(content: bytes, path: Path, layout: Layout = DEFAULT_LAYOUT) -> Reading:
    """The rows of a file of one of `FORMATS`, by the end of its name."""
    return FORMATS[path.suffix.lower()](content, str(path), layout)
