"""The BLURB score against published ones, and results files with everything that can be wrong with them."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.core.errors import InputError
from blurb_tune.tasks.blurb.definitions import BLURB, BLURB_TYPES
from blurb_tune.tasks.blurb.score import blurb_score, of_type, read_scores

# PubMedBERT as Gu et al. 2021 (arXiv 2007.15779) publish it, in the order of the benchmark.
PUBMEDBERT = dict(
    zip(
        [task.name for task in BLURB],
        [93.33, 85.62, 87.82, 84.52, 79.10, 73.38, 77.24, 82.36, 83.96, 92.30, 82.32, 55.84, 87.56],
        strict=True,
    )
)


def _file(folder: Path, text: str | bytes) -> Path:
    path = folder / "results.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _problems(folder: Path, text: str | bytes) -> list[str]:
    path = _file(folder, text)
    with pytest.raises(InputError) as caught:
        read_scores(path)
    return [str(problem).replace(str(path), "results.csv") for problem in caught.value.problems]


def test_the_published_score_of_pubmedbert() -> None:
    result = blurb_score(PUBMEDBERT)
    assert f"{result.total:.2f}" == "81.16"
    assert result.missing == ()
    assert result.means["NER"] == pytest.approx((93.33 + 85.62 + 87.82 + 84.52 + 79.10) / 5)
    assert result.means["PICO"] == 73.38
    assert result.means["QA"] == pytest.approx((55.84 + 87.56) / 2)


def test_the_benchmark_has_thirteen_data_sets_of_six_types() -> None:
    assert [len(of_type(name)) for name in BLURB_TYPES] == [5, 1, 3, 1, 1, 2]
    assert {task.name for name in BLURB_TYPES for task in of_type(name)} == {task.name for task in BLURB}


@pytest.mark.parametrize("name", PUBMEDBERT)
def test_without_a_data_set_there_is_no_total(name: str) -> None:
    result = blurb_score({other: score for other, score in PUBMEDBERT.items() if other != name})
    assert result.missing == (name,)
    assert math.isnan(result.total)
    (kind,) = (task.data_set.blurb_type for task in BLURB if task.name == name)
    assert [math.isnan(mean) for mean in result.means.values()] == [other == kind for other in BLURB_TYPES]


@given(st.fixed_dictionaries({task.name: st.floats(0, 100) for task in BLURB}))
def test_the_score_lies_between_the_extremes_and_weighs_types_alike(scores: dict[str, float]) -> None:
    result = blurb_score(scores)
    assert min(scores.values()) - 1e-9 <= result.total <= max(scores.values()) + 1e-9
    raised = blurb_score(scores | {"biosses": 100.0})
    assert raised.total - result.total == pytest.approx((100 - scores["biosses"]) / 6, abs=1e-9)


def test_names_may_be_spelled_in_many_ways(tmp_path: Path) -> None:
    file = _file(tmp_path, "Dataset, SCORE ,note\nBC5-chem,93.33,x\n  EBM PICO ,73.38,\n\nHallmarks_of_Cancer,0,\nncbi,100,\n")
    assert read_scores(file) == {"bc5-chem": 93.33, "ebm-pico": 73.38, "hoc": 0, "ncbi-disease": 100}


def test_what_a_spreadsheet_writes_is_read(tmp_path: Path) -> None:
    file = _file(tmp_path, '\ufeffscore,dataset\r\n"92.30","BIOSSES"\r\n')
    assert read_scores(file) == {"biosses": 92.30}


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    text = (
        "dataset,score\nbioses,90\nddi,80\nDDI-2013,81\ngad,much\nhoc,101\njnlpba,nan\nbc2gm,-1\ndemo,\nchemprot,77,24\n,5\n"
    )
    found = _problems(tmp_path, text)
    number = "`score` must be a number from 0 to 100, in percent, but got"
    assert found[0] == "results.csv:2: 'bioses' is no data set of BLURB; did you mean 'biosses'?"
    assert found[1] == "results.csv:4: ddi has a score in line 3 already"
    assert found[2:6] == [
        f"results.csv:{line}: {number} {value!r}" for line, value in ((5, "much"), (6, "101"), (7, "nan"), (8, "-1"))
    ]
    assert found[6].startswith("results.csv:9: 'demo' is no data set of BLURB; expected one of: bc2gm, bc5-chem")
    assert found[7] == f"results.csv:9: {number} ''"
    assert found[8] == "results.csv:10: expected 2 values, but got 3: chemprot,77,24"
    assert found[9].startswith("results.csv:11: '' is no data set of BLURB")
    assert len(found) == 10


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "results.csv:1: expected the columns dataset,score, but got nothing"),
        ("biosses,92.30\n", "results.csv:1: expected the columns dataset,score, but got biosses,92.30"),
        ("dataset,score,score\n", "results.csv:1: expected the columns dataset,score, but got dataset,score,score"),
        ("dataset,score\n\n", "results.csv: there are no scores; expected lines such as `biosses,92.30`"),
        ('dataset,score\n"biosses"x,1\n', "results.csv:2: this is no CSV: "),
        (b"dataset,score\nbi\xff,1\n", "results.csv: this file cannot be read: "),
    ],
)
def test_files_that_are_no_results(tmp_path: Path, text: str | bytes, problem: str) -> None:
    (found,) = _problems(tmp_path, text)
    assert found.startswith(problem)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_scores(tmp_path / "results.csv")
    with pytest.raises(InputError, match="this file cannot be read"):
        read_scores(tmp_path)
