"""Tables that models predict for, as they are read and written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.release.rows import read_table, table_faults, writing_table
from blurb_tune.tasks.examples import Row
from tests.disks import Disk


@pytest.mark.parametrize(
    ("ending", "text", "expected"),
    [
        (".csv", "note,id, note \na,1,b\n", [':1: the column "note" stands more than once in the header']),
        (".csv", "note,,\na,1,b\n", [':1: the column "" stands more than once in the header']),
        (".tsv", "a\tb\ta\tb\n", [f':1: the column "{name}" stands more than once in the header' for name in "ab"]),
        (
            ".jsonl",
            '{"a": 1}\n{"a": 1, "a": 2}\n',
            [':2: expected a JSON object, but this is no JSON: the key "a" stands twice'],
        ),
    ],
)
def test_a_column_that_is_named_twice_is_told_with_its_line(
    tmp_path: Path, ending: str, text: str, expected: list[str]
) -> None:
    file = tmp_path / f"in{ending}"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        list(read_table(file))
    assert [str(problem) for problem in error.value.problems] == [f"{file}{what}" for what in expected]


def test_so_it_is_in_a_parquet_file(tmp_path: Path) -> None:
    file = tmp_path / "in.parquet"
    pq.write_table(pa.table([pa.array(["x"]), pa.array(["y"])], names=["note", "note"]), file)
    with pytest.raises(InputError, match=r'in\.parquet: the column "note" stands more than once'):
        list(read_table(file))


def write(file: Path, *chunks: list[dict[str, Any]], added: Sequence[str] = ()) -> None:
    """Row 3 of chunk 2 stands at `2:3`."""
    with writing_table(file, added) as write:
        for part, chunk in enumerate(chunks, start=1):
            write([Row(f"{part}:{number}", values) for number, values in enumerate(chunk, start=1)])


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_a_column_that_comes_later_belongs_into_json_lines(tmp_path: Path, ending: str) -> None:
    chunks = [{"a": 1}], [{"a": 2}, {"a": 3, "b": 4}]
    with pytest.raises(InputError, match=r"2:2: has 'b', which the first row has not.* ends with \.jsonl"):
        write(tmp_path / f"out{ending}", *chunks)
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "out.jsonl", *chunks)
    assert [row.values for row in read_table(tmp_path / "out.jsonl")] == [{"a": 1}, {"a": 2}, {"a": 3, "b": 4}]


def test_a_cell_that_is_missing_is_empty(tmp_path: Path) -> None:
    for ending, empty in ((".csv", ""), (".parquet", None)):
        write(tmp_path / f"out{ending}", [{"a": "x", "b": "y"}, {"a": "z"}])
        assert [row.values for row in read_table(tmp_path / f"out{ending}")][1] == {"a": "z", "b": empty}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_text_comes_back_as_it_was(tmp_path: Path, ending: str) -> None:
    texts = ["x\ry", "\r", "x\r\ny", "x\ny", "x\n", 'a "b" c', "a,b", "a\tb", " x ", "", "\u2028", "\x85", "'"]
    rows = [{"te\rxt": text, "next": text[::-1]} for text in texts]
    write(tmp_path / f"out{ending}", rows)
    assert [row.values for row in read_table(tmp_path / f"out{ending}")] == rows


def test_a_column_of_two_types_is_none_of_parquet(tmp_path: Path) -> None:
    for chunks in (([{"a": 1}], [{"a": "x"}]), ([{"a": 1}, {"a": "x"}],), ([{"a": 2**80}],)):
        with pytest.raises(InputError, match=f"{len(chunks)}:1: from here on, 'a' is no column of one type: .* JSON Lines"):
            write(tmp_path / "out.parquet", *chunks)
    assert list(tmp_path.iterdir()) == []


def test_what_the_first_rows_leave_empty_has_its_type_all_the_same(tmp_path: Path) -> None:
    place = {"start": 0, "end": 4, "text": "drug", "probability": 0.5}
    empty = {"entities": [], "answer": None, "prediction": [], "remark": None}
    full = {"entities": [{**place, "label": "X"}], "answer": place, "prediction": ["ill"], "remark": "x"}
    write(tmp_path / "out.parquet", [empty], [full, empty], added=("entities", "answer"))
    assert [row.values for row in read_table(tmp_path / "out.parquet")] == [empty, full, empty]


def test_a_column_of_the_user_s_is_none_of_ours_whatever_its_name(tmp_path: Path) -> None:
    chunks = [{"answer": None}], [{"answer": "yes"}]
    write(tmp_path / "out.parquet", *chunks, added=("prediction",))
    assert [row.values for row in read_table(tmp_path / "out.parquet")] == [{"answer": None}, {"answer": "yes"}]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ([{"a": 1}], [{"a": 1}, {"b": 2}]),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"d": 1}]}}),
        (1, 1.5),
        ({"a": [1]}, {"a": [1, 1.5]}),
    ],
)
def test_nothing_is_left_out_of_what_has_more_than_the_first_rows(tmp_path: Path, first: Any, later: Any) -> None:
    with pytest.raises(InputError, match=r"2:1: from here on, 'm' is no column of one type: .* JSON Lines"):
        write(tmp_path / "out.parquet", [{"m": first}], [{"m": first}, {"m": later}])
    assert list(tmp_path.iterdir()) == []


def test_what_has_less_than_the_first_rows_fits(tmp_path: Path) -> None:
    write(tmp_path / "out.parquet", [{"m": {"a": 1, "b": 1}, "n": 1}], [{"m": {"b": 2.0}, "n": 2.0}, {"m": None, "n": None}])
    rows = [row.values for row in read_table(tmp_path / "out.parquet")]
    assert rows == [{"m": {"a": 1, "b": 1}, "n": 1}, {"m": {"a": None, "b": 2}, "n": 2}, {"m": None, "n": None}]


def test_an_object_without_fields_is_none_of_parquet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1:1: Cannot write struct type 'm' with no child field.* JSON Lines"):
        write(tmp_path / "out.parquet", [{"m": {}}])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("values", [{"a": "so \ud83d"}, {"a": ["\ud83d"]}, {"a": {"\udc00": 1}}], ids=["text", "list", "key"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_half_a_surrogate_pair_belongs_into_json_lines(tmp_path: Path, ending: str, values: dict[str, Any]) -> None:
    chunk = [{"a": None}, values]
    with pytest.raises(InputError, match=r"1:2: 'a' holds half a surrogate pair, which is no character; .* ends with \.jsonl"):
        write(tmp_path / f"out{ending}", chunk)
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "out.jsonl", chunk)
    assert [row.values for row in read_table(tmp_path / "out.jsonl")] == chunk


def test_all_that_keeps_tables_from_being_read_and_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("a\n1\n")
    missing = f"{tmp_path}/missing.csv: cannot be read: No such file or directory"

    def faults(file: str, to: str) -> list[str]:
        return [str(fault) for fault in table_faults(tmp_path / file, tmp_path / to)]

    assert faults("there.csv", "new.csv") == []
    assert faults("missing.csv", "there.csv") == [missing]
    assert faults("missing.csv", "away/out.csv") == [missing, f"--to: there is no folder {tmp_path}/away"]
    assert faults("there.csv", "there.csv") == [f"--to: {tmp_path}/there.csv is what is read; name a new file"]
    first, second = faults("there.csv", "out.cvs"), faults("there.csv", "/proc/out.csv")
    assert "expected a name that ends with .csv" in first[0]
    assert second[0].startswith("--to: nothing can be written to /proc: ")


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_full_disk_is_told_and_nothing_is_left(disk: Disk, ending: str) -> None:
    disk.resize(16)
    with pytest.raises(BlurbTuneError, match=f"out{ending} cannot be written: No space left on device"):
        write(disk.folder / f"out{ending}", [{"a": os.urandom(4096).hex()} for _ in range(10)])
    assert list(disk.folder.iterdir()) == []
