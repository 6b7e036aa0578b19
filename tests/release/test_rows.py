"""Tables that models predict for, as they are read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blurb_tune.core.errors import InputError
from blurb_tune.release.rows import read_table


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
