"""Tables that may be larger than memory: read row by row, and written beside their place until they are whole."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from blurb_tune.core.csv_text import csv_text
from blurb_tune.core.errors import BlurbTuneError, InputError, Problem, did_you_mean
from blurb_tune.core.paths import fault_of_folder, open_file
from blurb_tune.tasks.examples import Row, is_list, short_repr, surrogate_fault
from blurb_tune.tasks.sources.records import unique_keys
from blurb_tune.tasks.sources.separated import LONGEST_CELL, repeated_columns

if TYPE_CHECKING:
    import pyarrow as pa

Table = Iterator[Row]
Write = Callable[[Sequence[Row]], None]
_ANY_ROWS = "JSON Lines take any: write to a name that ends with .jsonl"


def table_faults(file: Path, to: Path) -> Iterator[Problem]:
    """Why the table `file` cannot be read, or none be written to `to`, as far as that shows without reading."""
    for path, what in ((file, "FILE"), (to, "--to")):
        try:
            _format_of(path, what)
        except InputError as error:
            yield from error.problems
    try:
        open_file(file).close()
    except OSError as error:
        yield Problem(str(file), f"cannot be read: {error.strerror}")
    if to.exists() and (to.is_dir() or (file.exists() and to.samefile(file))):
        yield Problem("--to", f"{to} is {'a folder' if to.is_dir() else 'what is read'}; name a new file")
    elif not (folder := to.absolute().parent).is_dir():
        yield Problem("--to", f"there is no folder {to.parent}")
    elif fault := fault_of_folder(folder):
        yield Problem("--to", fault)


def read_table(file: Path) -> Table:
    """The rows of a CSV, TSV, JSON Lines or Parquet file, by its ending.

    Raises InputError at the first one that cannot be read, and for another ending.
    """
    try:
        with open_file(file) as content:
            yield from _FORMATS[_format_of(file, "FILE")][0](content, str(file))
    except OSError as error:
        raise InputError([Problem(str(file), f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise InputError([Problem(str(file), f"is not in UTF-8: {error.reason}; convert it, with iconv for one")]) from None


@contextmanager
def writing_table(file: Path, added: Collection[str] = ()) -> Iterator[Write]:
    """What writes rows to the end of a table that is put in its place when it is whole.

    added: those of its columns that hold what models say (`Kind.added`), whose types are known though the first rows leave
    them empty. Lists and objects are written as JSON where cells are text. Raises InputError for an ending that is not known
    and for a row that the format cannot take beside those before it, and BlurbTuneError where there is no room.
    """
    writer = _FORMATS[_format_of(file, "--to")][1]
    beside = file.with_name(f".{file.name}.part")
    try:
        with writer(beside, added) as write:

            def write_rows(rows: Sequence[Row]) -> None:
                try:
                    write(rows)
                except UnicodeEncodeError:
                    raise InputError(list(_surrogate_problems(rows))) from None

            yield write_rows
        beside.replace(file)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error  # pyarrow's own text is of its writer
        raise BlurbTuneError(f"{file} cannot be written: {reason}") from None
    finally:
        beside.unlink(missing_ok=True)


def _surrogate_problems(rows: Iterable[Row]) -> Iterator[Problem]:
    for row in rows:
        for name, value in row.values.items():
            if fault := surrogate_fault(repr(name), json.dumps({name: value}, ensure_ascii=False, default=str)):
                yield Problem(row.location, f"{fault}; {_ANY_ROWS}")


def _format_of(file: Path, what: str) -> str:
    ending = file.suffix.lower()
    if ending not in _FORMATS:
        hint = did_you_mean(ending, _FORMATS) if ending else ""
        raise InputError([Problem(what, f"{file}: expected a name that ends with {', '.join(_FORMATS)}{hint}")])
    return ending


def _read_separated(text: TextIO, name: str, separator: str) -> Table:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(text, delimiter=separator, strict=True)
    header: list[str] | None = None
    while True:
        location = f"{name}:{reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError([Problem(location, f"the table cannot be read from here on: {error}")]) from None
        if header is None:
            header = [cell.strip() for cell in cells]
            _check_columns(header, location)
        elif len(cells) == len(header):
            yield Row(location, dict(zip(header, cells, strict=True)))
        elif cells:
            raise InputError([Problem(location, f"expected {len(header)} cells, as in the header, but got {len(cells)}")])


def _check_columns(names: Sequence[str], location: str) -> None:
    """All columns are written again, so that even those without a name must differ."""
    if repeated := list(repeated_columns(names, location)):
        raise InputError(repeated)


def _read_json_lines(text: TextIO, name: str) -> Table:
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=unique_keys)
        except (ValueError, RecursionError) as error:
            raise InputError([Problem(f"{name}:{number}", f"expected a JSON object, but this is no JSON: {error}")]) from None
        if not isinstance(record, dict):
            raise InputError([Problem(f"{name}:{number}", f"expected a JSON object, but got {short_repr(record)}")])
        yield Row(f"{name}:{number}", record)


def _in_text(read: Callable[[TextIO, str], Table]) -> Callable[[BinaryIO, str], Table]:
    def read_bytes(content: BinaryIO, name: str) -> Table:
        with io.TextIOWrapper(content, encoding="utf-8-sig", newline="") as text:
            yield from read(text, name)

    return read_bytes


def _read_parquet(content: BinaryIO, name: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        table = pq.ParquetFile(content)
        _check_columns(table.schema_arrow.names, name)
        for batch in table.iter_batches(batch_size=1024):
            for record in batch.to_pylist():
                number += 1
                yield Row(f"{name}, row {number}", record)
    except (pa.ArrowException, OSError) as error:
        raise InputError([Problem(name, f"this is no Parquet file that can be read: {str(error).splitlines()[0]}")]) from None


@contextmanager
def _write_separated(file: Path, added: Collection[str], separator: str) -> Iterator[Write]:
    with file.open("w", encoding="utf-8", newline="") as out:
        columns: list[str] = []

        def write(rows: Sequence[Row]) -> None:
            if not columns:
                columns.extend(rows[0].values)
                out.write(csv_text([columns], separator))
            _check_same_columns(rows, columns)
            out.write(csv_text(([_cell(row.values.get(name)) for name in columns] for row in rows), separator))

        yield write


def _check_same_columns(rows: Sequence[Row], columns: Iterable[str]) -> None:
    known = set(columns)
    for row in rows:
        odd = next((name for name in row.values if name not in known), None)
        if odd is not None:
            what = f"has {odd!r}, which the first row has not, and a table has the same columns in all rows; {_ANY_ROWS}"
            raise InputError([Problem(row.location, what)])


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


@contextmanager
def _write_json_lines(file: Path, added: Collection[str]) -> Iterator[Write]:
    with file.open("w", encoding="utf-8", errors="backslashreplace") as out:  # half a surrogate pair, as JSON escapes it

        def write(rows: Sequence[Row]) -> None:
            out.writelines(json.dumps(row.values, ensure_ascii=False, default=str) + "\n" for row in rows)

        yield write


@contextmanager
def _write_parquet(file: Path, added: Collection[str]) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    place = {"start": pa.int64(), "end": pa.int64(), "text": pa.string()}
    entity = pa.struct({**place, "label": pa.string(), "probability": pa.float64()})
    answer = pa.struct({**place, "probability": pa.float64()})
    ours = {name: of for name, of in (("entities", pa.list_(entity)), ("answer", answer)) if name in added}

    def write(rows: Sequence[Row]) -> None:
        nonlocal writer
        types = (
            {field.name: field.type for field in writer.schema}
            if writer
            else {name: ours.get(name) for name in rows[0].values}
        )
        _check_same_columns(rows, types)
        table = pa.table({name: _parquet_column(rows, name, of) for name, of in types.items()})
        try:
            writer = writer or pq.ParquetWriter(file, table.schema)
        except pa.ArrowNotImplementedError as error:  # an object without fields
            raise InputError([Problem(rows[0].location, f"{str(error).splitlines()[0]} {_ANY_ROWS}")]) from None
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


def _parquet_column(rows: Sequence[Row], name: str, of: pa.DataType | None) -> pa.Array:
    """of: the column's type, which all later rows have; None for the first rows, from which it is read."""
    import pyarrow as pa

    values = [row.values.get(name) for row in rows]
    try:
        of = _parquet_type(pa.infer_type(values)) if of is None else of
        for value in values:
            _check_fits(value, of)
        return pa.array(values, of)
    except (pa.ArrowException, OverflowError) as error:
        what = f"from here on, {name!r} is no column of one type: {str(error).splitlines()[0]}; {_ANY_ROWS}"
        raise InputError([Problem(rows[0].location, what)]) from None


def _check_fits(value: Any, of: pa.DataType) -> None:
    """Raise ArrowInvalid for what pyarrow would leave out without a word: fields that the type has not, and decimals."""
    import pyarrow as pa

    if pa.types.is_integer(of) and isinstance(value, float) and not value.is_integer():
        raise pa.ArrowInvalid(f"{value} is no whole number")
    if pa.types.is_list(of) and is_list(value):
        for item in value:
            _check_fits(item, of.value_type)
    if pa.types.is_struct(of) and isinstance(value, Mapping):
        types = {field.name: field.type for field in of}
        for name, item in value.items():
            if name not in types:
                raise pa.ArrowInvalid(f"{short_repr(value)} has {name!r}, which is in no object of the first rows")
            _check_fits(item, types[name])


def _parquet_type(found: pa.DataType) -> pa.DataType:
    """`found`, unless the values that it is of are all missing or empty: then text, or texts."""
    import pyarrow as pa

    if pa.types.is_null(found):
        return pa.string()
    return pa.list_(pa.string()) if found == pa.list_(pa.null()) else found


_FORMATS: Mapping[
    str, tuple[Callable[[BinaryIO, str], Table], Callable[[Path, Collection[str]], AbstractContextManager[Write]]]
] = {
    ".csv": (_in_text(partial(_read_separated, separator=",")), partial(_write_separated, separator=",")),
    ".tsv": (_in_text(partial(_read_separated, separator="\t")), partial(_write_separated, separator="\t")),
    ".jsonl": (_in_text(_read_json_lines), _write_json_lines),
    ".parquet": (_read_parquet, _write_parquet),
}
