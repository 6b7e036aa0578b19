"""An exported model as MLflow loads it: the same answers as `predict`, nothing pickled, clear refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException

from blurb_tune.core.errors import InputError
from blurb_tune.release.folder import Facts
from blurb_tune.release.predict import predict
from blurb_tune.tracking.served import MODEL, write_model
from tests.release.conftest import ANSWERS, PAIRS, WORDS, MakeModel

PAIR_ROWS = [{"note": "The @DRUG$ helps.", "other": "No fever."}, {"note": "It is bad.", "other": "x " * 60}]
WORD_ROWS = [{"words": ["the", "bad", "drug"]}, {"words": "The bad drug, 7."}]
ANSWER_ROWS = [
    {"question": "Which drug?", "note": "The drug is bad."},
    {"question": "Which drug?", "note": ["the", "bad", "drug"]},
    {"question": "x " * 60, "note": "No word of this is read."},
]


def loaded(folder: Path, to: Path, answers: list[dict[str, Any]] = []) -> mlflow.pyfunc.PyFuncModel:  # noqa: B006
    write_model(to, Facts.read(folder).example(), answers)
    (to / MODEL).symlink_to(folder)
    return mlflow.pyfunc.load_model(str(to), suppress_warnings=True)


def predicted(folder: Path, rows: list[dict[str, Any]], scratch: Path) -> Iterator[dict[str, Any]]:
    (scratch / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    predict(folder, scratch / "in.jsonl", scratch / "out.jsonl")
    for line, row in zip((scratch / "out.jsonl").read_text().splitlines(), rows, strict=True):
        yield {name: value for name, value in json.loads(line).items() if name not in row}


@pytest.mark.parametrize(
    ("facts", "rows", "signature"),
    [
        (PAIRS, PAIR_ROWS, {"note": "string", "other": "string"}),
        (WORDS, WORD_ROWS, {"words": "Any"}),
        (ANSWERS, ANSWER_ROWS, {"question": "string", "note": "string"}),
    ],
    ids=["pairs", "words", "answers"],
)
@pytest.mark.parametrize("is_ensemble", [False, True], ids=["one", "ensemble"])
def test_mlflow_answers_what_predict_writes(
    make_model: MakeModel,
    make_ensemble: MakeModel,
    tmp_path: Path,
    facts: Facts,
    rows: list[dict[str, Any]],
    signature: dict[str, str],
    is_ensemble: bool,
) -> None:
    folder = make_ensemble(facts) if is_ensemble else make_model(facts)
    expected = list(predicted(folder, rows, tmp_path))
    model = loaded(folder, tmp_path / "mlflow", expected[:1])
    found = model.predict(pd.DataFrame(rows))
    assert found.to_dict("records") == expected
    assert {column.name: repr(column.type) for column in model.metadata.signature.inputs} == signature
    assert [column.name for column in model.metadata.signature.outputs] == list(expected[0])
    assert model.predict(model.input_example).shape == (1, len(expected[0]))


def test_the_example_is_a_row_of_the_kind() -> None:
    assert PAIRS.example() == dict.fromkeys(PAIRS.fields, "@DRUG$ are named here.")
    assert WORDS.example() == {"words": ["Down", "syndrome", "is", "rare"]}
    question, note = ANSWERS.example().values()
    assert question != note
    assert isinstance(note, str), "words are found in it as they are in training"


def test_what_mlflow_keeps_is_no_code_and_no_pickle(make_model: MakeModel, tmp_path: Path) -> None:
    loaded(make_model(), tmp_path / "mlflow")
    files = {file.name for file in (tmp_path / "mlflow").rglob("*")}
    assert {file.rpartition(".")[2] for file in files} <= {"MLmodel", "yaml", "txt", "json", "model"}
    flavors = yaml.safe_load((tmp_path / "mlflow" / "MLmodel").read_text())["flavors"]
    assert flavors.keys() == {"python_function"}
    assert flavors["python_function"]["loader_module"] == "blurb_tune.release.scoring"
    assert flavors["python_function"].get("code") is None
    requirements = (tmp_path / "mlflow" / "requirements.txt").read_text().splitlines()
    assert all(line.count("==") == 1 and "+" not in line for line in requirements)
    assert {"torch", "transformers", "blurb-tune"} <= {line.partition("=")[0] for line in requirements}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"note": "a"}], "missing inputs"),
        ([{"note": "a", "other": "b"}, {"note": " ", "other": "b"}], 'row 2: note: expected a text, but got " "'),
        ([{"note": "a", "other": None}], "row 1: other: expected a text, but got null"),
        ([], "there is no row"),
    ],
)
def test_what_cannot_be_read_is_an_answer_400(
    make_model: MakeModel, tmp_path: Path, rows: list[dict[str, Any]], said: str
) -> None:
    model = loaded(make_model(), tmp_path / "mlflow")
    columns = None if rows else ["note", "other"]
    with pytest.raises(MlflowException, match=said) as error:
        model.predict(pd.DataFrame(rows, columns=columns, dtype=object))
    assert error.value.get_http_status_code() == 400


@pytest.mark.parametrize(
    ("facts", "row", "field"),
    [
        (PAIRS, {"note": "The @DRUG$ helps.", "other": "so \ud83d"}, "other"),
        (WORDS, {"words": ["the", "\ud83d"]}, "words"),
        (ANSWERS, {"question": "Which drug?", "note": "The \ud83d drug."}, "note"),
    ],
    ids=["pairs", "words", "answers"],
)
def test_half_a_surrogate_pair_is_told_with_its_row(
    make_model: MakeModel, tmp_path: Path, facts: Facts, row: dict[str, Any], field: str
) -> None:
    folder, said = make_model(facts), f"`{field}` holds half a surrogate pair, which is no character"
    model = loaded(folder, tmp_path / "mlflow")
    with pytest.raises(MlflowException, match=f"row 1: {said}") as error:
        model.predict(pd.DataFrame([row], dtype=object))  # a column of texts alone would be refused by pandas itself
    assert error.value.get_http_status_code() == 400
    (tmp_path / "in.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match=rf"in\.jsonl:1: {said}"):
        predict(folder, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
