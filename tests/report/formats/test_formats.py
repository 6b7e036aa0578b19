"""A report as Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings

from blurb_tune.report.blocks import Cell, Column, Group, Report, Row, Table
from blurb_tune.report.claims import claims_of
from blurb_tune.report.formats import FORMATS
from blurb_tune.report.formats.csv_and_json import table_csv
from blurb_tune.report.formats.latex import table_latex
from blurb_tune.report.formats.markdown import table_markdown
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.sections import report_of
from tests.report.sweeps import SweepWriter, large_sweep, small_sweep, sweeps

HOSTILE = (
    "=cmd|'/c calc'!A1 <script>alert(1)</script> [x](javascript:alert(1)) \\input{/etc/passwd} & % $ # _ { } ~ ^ ` *a*\n| x"
)


def table_of(text: str) -> Table:
    columns = (
        Column("name", "name", is_number=False, is_key=True),
        Column("mean", "mean"),
        Column("i", "i", is_interval=True),
    )
    row = Row([Cell(text, text), Cell("0.5", 0.5123), Cell("0.1 to 0.2", (0.1, 0.2))])
    return Table("t", text, columns, [Group(text, [row])])


@settings(max_examples=25)
@given(sweeps(most_actions=20))
def test_any_sweep_has_a_report_in_every_format(sweep: SweepWriter) -> None:
    report = report_of(sweep.record)
    for name, render in FORMATS.items():
        text = render(report)
        assert text or name == "csv"
        assert not re.search(r"(?<![\w.-])(nan|inf)(?![\w.-])", text)


def test_json_is_strict_and_has_all_digits() -> None:
    record = large_sweep(5, 6).finish()
    data = json.loads(FORMATS["json"](report_of(record)), parse_constant=lambda name: pytest.fail(name))
    rows = {row["configuration"]: row for row in data["sections"]["strategies"]["strategies"]["rows"]}
    for claim in claims_of(record):
        row = rows[claim.result.name]
        assert row["mean"] == claim.result.summary.mean
        assert (row["difference_interval_low"], row["difference_interval_high"]) == claim.comparison.interval
    assert len(data["answer"]["sentences"]) == 3


def test_csv_has_a_row_per_configuration_by_name() -> None:
    record = small_sweep().record
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](report_of(record)))))
    assert [row["configuration"] for row in rows] == ["c0", "c1", "c2"]
    assert float(rows[0]["mean"]) == record.result_of("c0").summary.mean
    assert rows[2]["max_grad_norm"] == ""
    assert rows[2]["bias_correction"] == "false"
    assert float(rows[0]["failed_interval_low"]) < float(rows[0]["failed_interval_high"])


def test_csv_quotes_what_a_spreadsheet_would_execute() -> None:
    (row,) = csv.DictReader(io.StringIO(table_csv(table_of(HOSTILE))))
    assert row["name"].startswith("'=cmd")
    assert float(row["mean"]) == 0.5123


def cells_of_markdown(text: str) -> list[str]:
    return re.split(r"(?<!\\)\|", text)


@pytest.mark.parametrize("render", [table_markdown, lambda table: FORMATS["md"](_report(table))])
def test_markdown_shows_hostile_text_as_text(render: Callable[[Table], str]) -> None:
    text = render(table_of(HOSTILE))
    assert "<script" not in text
    assert "&lt;script>" in text
    assert "](javascript" not in text.replace("\\](", "")
    (row,) = [line for line in text.splitlines() if line.startswith("|") and "0.5" in line]
    assert len(cells_of_markdown(row)) == len(["", "group", "name", "mean", "i", ""])


def test_markdown_code_cannot_end_its_fence() -> None:
    record = small_sweep().record
    text = FORMATS["md"](report_of(record, Provenance(spec="name: x\n```\n# not a heading\n")))
    fence = re.search(r"^(`{4,})yaml$", text, re.MULTILINE)
    assert fence is not None
    assert text.count(f"\n{fence[1]}\n") == 1


def test_latex_has_no_command_from_a_text() -> None:
    text = table_latex(table_of(HOSTILE))
    assert "\\input" not in text
    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    body = next(line for line in text.splitlines() if "0.5" in line)
    assert len(re.findall(r"(?<!\\)&", body)) == 2
    assert not re.search(r"(?<!\\)[%$#_](?!-\$)", body.replace("$-$", ""))


def test_latex_keeps_the_references_and_the_caption_of_each_table() -> None:
    text = FORMATS["latex"](report_of(large_sweep(5, 6).finish()))
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") >= 2
    assert "% @article{tinn2023," in text
    assert "% @article{holm1979," in text
    assert r"\label{tab:strategies}" in text


def _report(table: Table) -> Report:
    report = report_of(small_sweep().record)
    section = report.sections[0]
    return Report(HOSTILE, HOSTILE, report.answer, [type(section)("s", HOSTILE, [table])])
