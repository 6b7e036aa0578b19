"""The formats say the same, and no text of a log breaks them."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from blurb_tune.report.blocks import Table
from blurb_tune.report.comparison import SweepComparison, compare_sweeps, read_sweeps
from blurb_tune.report.comparison.comparison_report import report_of
from blurb_tune.report.comparison.formats import FORMATS
from tests.report.comparison.examples import FREEZE, VANILLA, numbered, sweeps_of, written

FIXTURES = Path(__file__).parent.parent.parent / "log" / "fixtures"
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


@pytest.fixture(scope="module")
def tables(comparison: SweepComparison) -> list[Table]:
    return [block for section in report_of(comparison).sections for block in section.blocks if isinstance(block, Table)]


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


def test_markdown_has_tables_of_even_rows(comparison: SweepComparison, tables: list[Table]) -> None:
    text = FORMATS["md"](comparison)
    assert "<script>" not in text
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == len(tables)
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block}) == 1
    assert not any(line.startswith("# h") for line in text.splitlines())


def test_latex_has_even_rows_and_no_command_of_a_log(comparison: SweepComparison, tables: list[Table]) -> None:
    text = FORMATS["latex"](comparison)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == len(tables)
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert "".join(body).count("{") == "".join(body).count("}")
    assert not any("\\input" in line for line in body)


def test_html_holds_no_element_of_a_log(comparison: SweepComparison) -> None:
    text = FORMATS["html"](comparison)
    assert "<script>alert" not in text
    assert text.count("<svg") == 2


def test_every_table_of_scores_says_its_split(tables: list[Table]) -> None:
    assert {table.name for table in tables} == {"matrix", "claims", "test", "sweeps"}
    for table in tables:
        assert table.name == "sweeps" or "split" in table.caption, table.caption


def test_figures_are_small_however_many_sweeps_there_are() -> None:
    many = [
        written(
            f"s{k}",
            {
                "c0": (VANILLA, numbered(0.1, 0.2, 0.3)),
                **{f"c{d}": ({"freeze_depth": d}, numbered(0.5, 0.6, 0.7)) for d in range(1, 7)},
            },
            task=f"task-{k}",
        )
        for k in range(20)
    ]
    comparison = compare_sweeps(sweeps_of(*many))
    assert len(comparison.claims) == 120
    text = FORMATS["html"](comparison)
    assert len(text) < 400_000
    assert "more in the table" in text


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_logs_of_every_earlier_version_are_compared(form: str, tmp_path: Path) -> None:
    folders: dict[str, Path] = {}
    for log in sorted(FIXTURES.glob("*.jsonl")):
        text = log.read_text(encoding="utf-8")
        sweep_id = json.loads(text.splitlines()[0])["sweep_id"]
        folders[sweep_id] = tmp_path / log.stem
        folders[sweep_id].mkdir()
        (folders[sweep_id] / "events.jsonl").write_text(text, encoding="utf-8")
    comparison = compare_sweeps(read_sweeps(list(folders.values())))
    assert len(comparison.sweeps) == len(folders) > 8
    assert all(len(row.pool.sweeps) == 1 for row in comparison.rows)
    assert FORMATS[form](comparison)
