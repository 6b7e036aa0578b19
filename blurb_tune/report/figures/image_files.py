"""Figures as files of their own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import resvg_py

from blurb_tune.core.errors import UnwrittenError
from blurb_tune.core.paths import write_atomically
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.palette import LIGHT, resolved_css

FAMILY, _FONTS = "Roboto", ("Roboto-Regular.ttf", "Roboto-Bold.ttf")


def figure_svg(figure: Figure) -> str:
    """An SVG file: the light palette resolved, on white."""
    head, _, body = figure.svg.partition(">")
    width, height = map(svg.number, size_of(figure))
    background = svg.element("rect", width="100%", height="100%", fill=LIGHT["surface"])
    size = f'xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    return f"{head} {size}>{svg.element('style', svg.safe(resolved_css()))}{background}{body}\n"


def figure_png(figure: Figure, scale: float = 2) -> bytes:
    """The same as a PNG, `scale` pixels for a unit of the figure.

    Its letters are of a font that is installed with the package; those that this one lacks are of the machine's own fonts.
    """
    return resvg_py.svg_to_bytes(
        svg_string=figure_svg(figure),
        zoom=scale,
        font_files=font_files(),
        font_family=FAMILY,
        sans_serif_family=FAMILY,
    )


def write_png(figure: Figure, path: Path) -> None:
    """Write the PNG at `path`, atomically. Raises UnwrittenError where it cannot be written."""
    try:
        write_atomically(path, figure_png(figure))
    except OSError as error:
        raise UnwrittenError([f"{path}: cannot be written ({error.strerror or error})"]) from None


def font_files() -> list[str]:
    """Of the family in which figures are drawn."""
    folder = files("font_roboto") / "files"
    return [str(folder / name) for name in _FONTS]


def size_of(figure: Figure) -> tuple[float, float]:
    """Width and height in its own units."""
    box = ElementTree.fromstring(figure.svg).get("viewBox", "0 0 1 1").split()
    return float(box[2]), float(box[3])
