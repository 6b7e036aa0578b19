"""A report as text: Markdown, LaTeX, CSV, JSON; one function each, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from blurb_tune.report.blocks import Report
from blurb_tune.report.formats.csv_and_json import report_csv, report_json
from blurb_tune.report.formats.latex import report_latex
from blurb_tune.report.formats.markdown import report_markdown

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "md": report_markdown,
    "csv": report_csv,
    "json": report_json,
    "latex": report_latex,
}
