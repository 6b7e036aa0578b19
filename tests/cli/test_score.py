"""`blurb-tune score`: what it prints, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blurb_tune.cli.app import app
from blurb_tune.core.errors import ExitCode

ROOT = Path(__file__).parent.parent.parent
PUBMEDBERT = """\
dataset,score
BC5-chem,93.33
BC5-disease,85.62
NCBI-disease,87.82
BC2GM,84.52
JNLPBA,79.10
EBM PICO,73.38
ChemProt,77.24
DDI,82.36
GAD,83.96
BIOSSES,92.30
HoC,82.32
PubMedQA,55.84
BioASQ,87.56
"""
HEAVY = {"torch", "ray", "mlflow", "transformers", "optuna", "datasets", "pandas", "sklearn", "seqeval"}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    file = tmp_path / "results.csv"
    file.write_text(PUBMEDBERT)
    return file


def test_a_full_table_has_its_score(results: Path) -> None:
    done = CliRunner().invoke(app, ["score", str(results)])
    assert done.exit_code == ExitCode.DONE
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["NER", "bc5-chem", "entity_f1", "93.33", "86.08"] in lines
    assert ["bc5-disease", "entity_f1", "85.62"] in lines
    assert ["document", "hoc", "micro_f1", "82.32", "82.32"] in lines
    assert done.stdout.splitlines()[-1] == "BLURB score, the mean of the 6 means: 81.16"


def test_json_holds_the_same(results: Path) -> None:
    done = CliRunner().invoke(app, ["score", str(results), "--json"])
    assert done.exit_code == ExitCode.DONE
    summary = json.loads(done.stdout)
    assert round(summary["blurb_score"], 2) == 81.16
    assert summary["missing"] == []
    assert summary["scores"]["ebm-pico"] == 73.38
    assert list(summary["means"]) == ["NER", "PICO", "relation", "similarity", "document", "QA"]
    assert summary["means"]["QA"] == pytest.approx(71.70)


def test_what_is_missing_is_named_and_no_total_guessed(results: Path) -> None:
    results.write_text("".join(line for line in PUBMEDBERT.splitlines(keepends=True) if line[:3] not in ("GAD", "BIO")))
    done = CliRunner().invoke(app, ["score", str(results)])
    assert done.exit_code == ExitCode.FAILED
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["relation", "chemprot", "micro_f1", "77.24", "-"] in lines
    assert ["similarity", "biosses", "pearson", "-", "-"] in lines
    assert ["document", "hoc", "micro_f1", "82.32", "82.32"] in lines
    assert done.stdout.splitlines()[-1] == "No BLURB score: gad, biosses are missing."

    done = CliRunner().invoke(app, ["score", str(results), "--json"])
    assert done.exit_code == ExitCode.FAILED
    summary = json.loads(done.stdout)
    assert summary["blurb_score"] is summary["means"]["relation"] is None
    assert summary["missing"] == ["gad", "biosses"]


def test_mistakes_are_all_named_with_their_lines(results: Path) -> None:
    results.write_text(PUBMEDBERT.replace("DDI,82.36", "DDJ,82,36") + "biosses,0\nbioask,1\n")
    done = CliRunner().invoke(app, ["score", str(results)])
    assert done.exit_code == ExitCode.BAD_INPUT
    for part in (":9: expected 2 values", ":15: biosses has a score in line 11 already", ":16: 'bioask' is no data set"):
        assert f"{results}{part}" in done.stderr
    assert "did you mean 'bioasq'?" in done.stderr
    assert done.stdout == ""


def test_fractions_in_the_place_of_percent_are_remarked(results: Path) -> None:
    results.write_text("dataset,score\nbc2gm,0.845\nbiosses,1\n")
    done = CliRunner().invoke(app, ["score", str(results), "--json"])
    assert "warning: no score in" in done.stderr
    assert json.loads(done.stdout)["scores"] == {"bc2gm": 0.845, "biosses": 1}
    results.write_text("dataset,score\nbc2gm,0.845\nbiosses,1.1\n")
    assert CliRunner().invoke(app, ["score", str(results)]).stderr == ""


def test_no_file_is_bad_input(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["score", str(tmp_path / "nowhere.csv")])
    assert done.exit_code == ExitCode.BAD_INPUT
    assert "there is no such file" in done.stderr


def test_nothing_heavy_is_imported(results: Path) -> None:
    code = (
        "import sys; from blurb_tune.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    arguments = [sys.executable, "-c", code, "score", str(results)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "HEAVY []", done.stdout + done.stderr
