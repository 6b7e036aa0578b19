"""Every picture of a sweep as a pure function of its record."""

from __future__ import annotations

from collections.abc import Callable

from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures.curves import curves_figure
from blurb_tune.report.figures.expected_best import expected_best_figure
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.image_files import figure_png, figure_svg
from blurb_tune.report.figures.importances import importances_figure
from blurb_tune.report.figures.palette import PALETTE_CSS
from blurb_tune.report.figures.parallel_coordinates import parallel_figure
from blurb_tune.report.figures.pareto import pareto_figure
from blurb_tune.report.figures.profile import profile_figure
from blurb_tune.report.figures.seeds import seeds_figure
from blurb_tune.report.figures.slices import slices_figure
from blurb_tune.report.figures.timeline import timeline_figure

__all__ = ["PALETTE_CSS", "Figure", "figure_png", "figure_svg", "figures"]

# In the page's order; each returns None where it has nothing honest to show.
_FIGURES: tuple[Callable[[SweepRecord], Figure | None], ...] = (
    seeds_figure,
    profile_figure,
    expected_best_figure,
    curves_figure,
    importances_figure,
    slices_figure,
    parallel_figure,
    pareto_figure,
    timeline_figure,
)


def figures(record: SweepRecord) -> list[Figure]:
    """All figures that the sweep has something to show in; none while its log is empty."""
    if record.started is None:
        return []
    return [figure for make in _FIGURES if (figure := make(record)) is not None]
