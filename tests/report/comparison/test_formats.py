"""The formats say the same, and no text of a log breaks them."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from blurb_tune.report.comparison import SweepComparison, compare_sweeps
from blurb_tune.report.comparison.formats import FORMATS
from blurb_tune.report.comparison.tables import tables
from tests.report.comparison.examples import FREEZE, VANILLA, numbered, sweeps_of, written

HOSTILE = "=HYPERLINK(\"x\")|`<script>alert('&')</script>\\input{/etc/passwd}$\n# h"


@pytest.fixture(scope="module")
def comparison() -> SweepComparison:
    sweep = written(
        "a",
        {"c0": (VANILLA, numbered(0.1, 0.2, 0.3, 0.2, 0.1)), "c1": (FREEZE, numbered(0.8, 0.9, 0.7, 0.8, 0.9))},
        models={HOSTILE: 6},
        task="=cmd",
        finished=False,
    )
    sweep.select("c1", "c0")
    for name in ("c0", "c1"):
        for seed in range(5):
            sweep.test(f"{name}-s{seed}", 0.4 + seed / 10, (0.1, 0.9))
    sweep.finish()
    return compare_sweeps(sweeps_of(sweep, written("b", {"c0": (VANILLA, numbered(0.5, 0.6))}, task="ddi")))


def test_csv_has_a_row_for_each_mean_and_no_formula(comparison: SweepComparison) -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](comparison))))
    assert [(row["kind"], row["split"], row["role"], row["n"]) for row in rows] == [
        ("search", "dev", "vanilla", "5"),
        ("search", "dev", "strategy", "5"),
        ("search", "dev", "vanilla", "2"),
        ("test", "test", "strategy", "5"),
        ("test", "test", "vanilla", "5"),
    ]
    claimed = rows[1]
    assert float(claimed["difference"]) == pytest.approx(0.64)
    assert float(claimed["p"]) == pytest.approx(2 / 252)
    assert claimed["significant"] == "true"
    assert claimed["reference"] == "c0"
    assert not any(cell[:1] in "=+@" for row in rows for cell in row.values() if cell)
    assert rows[3]["mean"] == repr(0.6)


def test_json_is_strict_and_whole(comparison: SweepComparison) -> None:
    data = json.loads(FORMATS["json"](comparison), parse_constant=lambda name: pytest.fail(name))
    assert [sweep["label"] for sweep in data["sweeps"]] == ["a", "b"]
    frozen = data["strategies"][1]
    assert frozen["scores"] == {"0": 0.8, "1": 0.9, "2": 0.7, "3": 0.8, "4": 0.9}
    assert frozen["configuration"] == {"a": "c1"}
    assert frozen["model"] == HOSTILE.replace("\n", "\\n") or frozen["model"] == HOSTILE
    assert [row["split"] for row in data["final_test"]] == ["test", "test"]


def test_markdown_has_tables_of_even_rows(comparison: SweepComparison) -> None:
    text = FORMATS["md"](comparison)
    assert "<script>" not in text
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == len(tables(comparison))
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block}) == 1
    assert not any(line.startswith("# h") for line in text.splitlines())


def test_latex_has_even_rows_and_no_command_of_a_log(comparison: SweepComparison) -> None:
    text = FORMATS["latex"](comparison)
    assert "\\input" not in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == len(tables(comparison))
    assert text.count("{") == text.count("}")
    for body in re.findall(r"\\toprule\n(.*?)\\bottomrule", text, re.DOTALL):
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1


def test_every_number_says_its_split(comparison: SweepComparison) -> None:
    for table in tables(comparison):
        if table.name not in ("sweeps", "stopped"):
            assert any("split" in note for note in table.notes)
