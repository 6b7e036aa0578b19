"""A comparison as HTML, Markdown, LaTeX, CSV and JSON: one function each, in one table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from blurb_tune.report.blocks import Cell, Column, Group, Row, Table
from blurb_tune.report.comparison.answer import answer_of
from blurb_tune.report.comparison.comparison_report import report_of
from blurb_tune.report.comparison.plain_data import QUOTED_COLUMNS, as_data, quoted_rows
from blurb_tune.report.comparison.sweep_comparison import SweepComparison
from blurb_tune.report.formats.csv_and_json import table_csv
from blurb_tune.report.formats.latex import report_latex
from blurb_tune.report.formats.markdown import report_markdown
from blurb_tune.report.page import page_of


def comparison_csv(comparison: SweepComparison) -> str:
    """A row for each mean that is quoted, see `plain_data.quoted_rows`; unknown cells are empty."""
    rows = [Row([Cell("", _strict(row.get(name))) for name in QUOTED_COLUMNS]) for row in quoted_rows(comparison)]
    return table_csv(Table("numbers", "", [Column(name, name) for name in QUOTED_COLUMNS], [Group("", rows)]))


def as_json(comparison: SweepComparison) -> str:
    """Everything, as strict JSON."""
    answer = answer_of(comparison)
    said = {"verdict": str(answer.verdict), "sentences": list(answer.sentences), "further_caveats": list(answer.others)}
    data = {"answer": said, **as_data(comparison)}
    return json.dumps(_strict(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[SweepComparison], str]] = {
    "html": lambda comparison: page_of(report_of(comparison)),
    "md": lambda comparison: report_markdown(report_of(comparison)),
    "csv": comparison_csv,
    "json": as_json,
    "latex": lambda comparison: report_latex(report_of(comparison)),
}


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
