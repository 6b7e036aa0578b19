"""Tables in JSON, in the shapes that people have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.sources.records import read_records

ROWS = [{"note": "a cough", "label": "no"}, {"note": "fever", "label": "yes"}]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("shape", "locations"),
    [
        (ROWS, ["t, item 1", "t, item 2"]),
        ({"version": "1", "data": ROWS}, ["t, data item 1", "t, data item 2"]),
        ({"questions": ROWS}, ["t, questions item 1", "t, questions item 2"]),
        ({"10": ROWS[0], "11": ROWS[1]}, ["t, '10'", "t, '11'"]),
        ({name: [row[name] for row in ROWS] for name in ("note", "label")}, ["t, row 1", "t, row 2"]),
        ({name: {str(i): row[name] for i, row in enumerate(ROWS)} for name in ("note", "label")}, ["t, row 1", "t, row 2"]),
    ],
)
def test_each_shape_has_the_same_rows(shape: Any, locations: list[str], indent: int | None) -> None:
    rows = list(read_records(json.dumps(shape, indent=indent), "t"))
    assert [row.location for row in rows if isinstance(row, Row)] == locations
    assert [{name: row.values[name] for name in ("note", "label")} for row in rows if isinstance(row, Row)] == ROWS


def test_rows_by_their_ids_keep_them() -> None:
    (row,) = read_records(json.dumps({"10": ROWS[0]}), "t")
    assert isinstance(row, Row)
    assert row.values["id"] == "10"


def test_one_object_a_line_is_read_whether_there_is_one_or_more() -> None:
    for count in (1, 2):
        text = "\n".join(json.dumps(row) for row in ROWS[:count])
        assert [dict(row.values) for row in read_records(text, "t") if isinstance(row, Row)] == ROWS[:count]


def test_an_indented_object_that_is_no_table_is_one_problem() -> None:
    (problem,) = read_records(json.dumps({"name": "x", "sizes": {"train": 3}, "more": [1, 2]}, indent=1), "t")
    assert isinstance(problem, Problem)
    assert problem.what.startswith("this is one JSON object and no table (with 'name', 'sizes', 'more')")


def test_a_key_that_stands_twice_is_told_and_not_the_last_of_them_read() -> None:
    for text, place in (('{"a": 1}\n{"b": 1, "a": 2, "b": 3}', "t:2"), ('[{"b": 1, "b": 3}]', "t")):
        (problem,) = [found for found in read_records(text, "t") if isinstance(found, Problem)]
        assert problem.where == place
        assert problem.what.endswith('the key "b" stands twice')


def test_a_number_of_thousands_of_digits_is_told() -> None:
    (problem,) = read_records(f'[{{"a": {"9" * 5000}}}]', "t")
    assert isinstance(problem, Problem)
