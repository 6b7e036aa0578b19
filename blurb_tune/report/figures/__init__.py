"""Every picture of a sweep as a pure function of its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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

__all__ = ["FIGURES", "PALETTE_CSS", "Figure", "figure_of", "figure_png", "figure_svg", "figures"]

# By the names that figures have, in the page's order; each is None where it has nothing honest to show.
_MAKERS: Mapping[str, Callable[[SweepRecord], Figure | None]] = {
    "seeds": seeds_figure,
    "profile": profile_figure,
    "expected-best": expected_best_figure,
    "curves": curves_figure,
    "importances": importances_figure,
    "slices": slices_figure,
    "parallel": parallel_figure,
    "pareto": pareto_figure,
    "timeline": timeline_figure,
}
FIGURES = tuple(_MAKERS)


def figures(record: SweepRecord) -> list[Figure]:
    """All figures that the sweep has something to show in; none while its log is empty."""
    return [figure for name in FIGURES if (figure := figure_of(record, name)) is not None]


def figure_of(record: SweepRecord, name: str) -> Figure | None:
    """The one of `FIGURES` that has this name; None where the sweep has nothing to show in it."""
    return None if record.started is None else _MAKERS[name](record)
