"""Writes a sweep's report where it is wanted."""

from __future__ import annotations

from pathlib import Path

from blurb_tune.core.paths import write_atomically
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import figure_png, figure_svg, figures
from blurb_tune.report.formats import FORMATS
from blurb_tune.report.page import page_of
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.sections import report_of


def report_text(record: SweepRecord, provenance: Provenance, kind: str, renewed_every: float = 0.0) -> str:
    """The report as `kind`, `html` or one of `FORMATS`. renewed_every: see `page_of`. Raises LookupError while the log is
    empty."""
    report = report_of(record, provenance)
    if kind == "html":
        return page_of(report, record, runs_address=provenance.runs_address, renewed_every=renewed_every)
    return FORMATS[kind](report)


def write_page(record: SweepRecord, provenance: Provenance, to: Path, renewed_every: float = 0.0) -> None:
    """The page. Raises LookupError while the log is empty, OSError where it cannot be written."""
    write_atomically(to, report_text(record, provenance, "html", renewed_every))


def write_figures(record: SweepRecord, folder: Path) -> list[Path]:
    """Each figure as PNG and SVG, named as the report names it. Raises OSError where one cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in figures(record):
        for suffix, content in ((".svg", figure_svg(figure)), (".png", figure_png(figure))):
            written.append(folder / f"{figure.name}{suffix}")
            write_atomically(written[-1], content)
    return written
