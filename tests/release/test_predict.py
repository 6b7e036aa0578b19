"""Tables that already have columns of the names that predictions have."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.errors import InputError
from blurb_tune.release.predict import predict
from blurb_tune.release.rows import read_table
from tests.release.conftest import PAIRS, MakeModel

FACTS = replace(PAIRS, fields=("question", "answer"), markers=())
ROW = {"question": "Is it rare?", "answer": "It is.", "tags": "a", "entities": None}


def write_rows(folder: Path, *rows: dict[str, Any]) -> Path:
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "in.jsonl"


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_names_that_other_kinds_add_are_free(make_model: MakeModel, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    assert predict(make_model(FACTS), write_rows(tmp_path, ROW, ROW), out) == 2
    for row in read_table(out):
        assert {name: row.values[name] or None for name in ROW} == ROW
        assert list(row.values) == [*ROW, "prediction", "probability", "probabilities"]


def test_a_later_row_s_own_prediction_is_not_overwritten(make_model: MakeModel, tmp_path: Path) -> None:
    rows = write_rows(tmp_path, ROW, {**ROW, "prediction": "no"}, {**ROW, "prediction": "no", "probability": 1})
    with pytest.raises(InputError) as error:
        predict(make_model(FACTS), rows, tmp_path / "out.jsonl")
    assert sorted(map(str, error.value.problems)) == [
        f"{rows}:2: there is a column 'prediction' already; rename it",
        f"{rows}:3: there is a column 'probability' already; rename it",
    ]
    assert not (tmp_path / "out.jsonl").exists()
