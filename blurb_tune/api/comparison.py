"""Several sweeps side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blurb_tune.api.frames import comparison_frame
from blurb_tune.core.errors import InputError, Problem, did_you_mean
from blurb_tune.report.comparison import SweepComparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from blurb_tune.report.answer import Answer


class Comparison(SweepComparison):
    """What several sweeps say together; see `compare`."""

    @property
    def answer(self) -> Answer:
        """What to use where, how sure that is, and what to keep in mind."""
        from blurb_tune.report.comparison.answer import answer_of

        return answer_of(self)

    def dataframe(self) -> DataFrame:
        """A row for each mean that is quoted, of search, confirmation and test: the columns of `compare --format csv`."""
        return comparison_frame(self)

    def plot(self, name: str = "forest") -> Figure:
        """A figure of the comparison as one of matplotlib.

        name: `forest` (each strategy's difference to vanilla) or `heat` (which strategy helps where). Raises InputError for
        another one, and where there is nothing to show in it.
        """
        # The figures bring Optuna in, which takes a second.
        from blurb_tune.report.comparison.figures import FIGURES
        from blurb_tune.report.figures.artists import matplotlib_figure

        if name not in FIGURES:
            raise InputError([Problem("name", f"unknown figure {name!r}{did_you_mean(name, FIGURES)}")])
        if (figure := FIGURES[name](self)) is None:
            raise InputError([Problem("name", f"these sweeps have nothing to show in the figure {name!r}")])
        return matplotlib_figure(figure)

    def report(self, kind: str = "html") -> str:
        """The comparison as `html`, `md`, `csv`, `json` or `latex`. Raises InputError for another kind."""
        from blurb_tune.report.comparison.formats import FORMATS

        if kind not in FORMATS:
            raise InputError([Problem("kind", f"unknown format {kind!r}{did_you_mean(kind, FORMATS)}")])
        return FORMATS[kind](self)
