"""Figures of matplotlib: the same picture as the PNG's, which another program draws from the same SVG."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray

from blurb_tune.report.figures import FIGURES, Figure, figure_png, figures
from blurb_tune.report.figures.artists import matplotlib_figure
from blurb_tune.report.figures.svg import document
from tests.report.figures.drawn import pixels, words
from tests.report.sweeps import SweepWriter, large_sweep, model_sweep, small_sweep


def drawn(figure: Figure) -> NDArray[np.int64]:
    picture = io.BytesIO()
    matplotlib_figure(figure).savefig(picture, format="png", dpi=100)
    return pixels(picture.getvalue())


def smoothed(picture: NDArray[np.int64], size: int = 8) -> NDArray[np.float64]:
    """Means of squares: letters differ in their last pixel."""
    height, width = (length // size * size for length in picture.shape[:2])
    squares = picture[:height, :width].reshape(height // size, size, width // size, size, 3)
    return squares.mean(axis=(1, 3))


@pytest.fixture(scope="module")
def all_figures() -> list[Figure]:
    """Each of the report's, of a large sweep, and those of sweeps with every outcome and several models."""
    return [figure for sweep in (large_sweep(60, 5), small_sweep(), model_sweep()) for figure in figures(sweep.record)]


def test_every_figure_is_the_same_picture(all_figures: list[Figure]) -> None:
    assert {figure.name for figure in all_figures} == set(FIGURES)
    for figure in all_figures:
        ours, theirs = smoothed(drawn(figure)), smoothed(pixels(figure_png(figure, 1)))
        assert ours.shape == theirs.shape
        ink = np.abs(theirs - 255).mean()
        assert np.abs(ours - theirs).mean() < 0.25 * ink, figure.name


def test_every_text_is_there_and_none_is_read_as_a_formula() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1, metric="$x^2$")
    sweep.trial(sweep.configuration("c0"), 0, [0.3])
    (figure, *_) = figures(sweep.record)
    (axes,) = matplotlib_figure(figure).axes
    assert [text.get_text() for text in axes.texts] == words(figure)
    assert any("$x^2$" in text for text in words(figure))
    drawn(figure)


def test_sectors_are_parts_of_a_disk() -> None:
    def share(path: str) -> float:
        svg = document("x", 100, "", [f'<path d="{path}"/>'])
        dark = drawn(Figure("x", "", "", "", svg)).mean(axis=2) < 128
        return float(dark.sum() / (np.pi * 40**2))

    assert share("M50 50v-40A40 40 0 0 1 90 50Z") == pytest.approx(0.25, abs=0.01)
    assert share("M50 50v-40A40 40 0 1 1 10 50Z") == pytest.approx(0.75, abs=0.01)
    assert share("M50 50v-40A40 40 0 0 1 50 10Z") == 0
    with pytest.raises(ValueError, match="no step 'C'"):
        share("M0 0C1 1 2 2 3 3")
