"""Figures as those of matplotlib, for notebooks and papers (PDF): the elements of their SVG as artists, each in its place.

One unit of the SVG is a hundredth of an inch, so that the picture at 100 dots per inch is the size that a page shows.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from xml.etree import ElementTree

import numpy as np
from matplotlib import font_manager, patheffects
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.image_files import FAMILY, font_files, size_of
from blurb_tune.report.figures.palette import LIGHT, resolved_css
from blurb_tune.report.figures.svg import FONT_SIZE

_UNITS = 100.0  # in an inch
_POINT = 72.0 / _UNITS  # points of a unit
_RULE, _STEP = re.compile(r"([^{}]+)\{([^}]*)\}"), re.compile("([A-Za-z])([^A-Za-z]*)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ANCHORS = {"start": "left", "middle": "center", "end": "right"}
_POINTS_OF_AN_ARC = 33

Style = Mapping[str, str]
Point = tuple[float, float]


class DrawnFigure(MatplotlibFigure):
    """One that a notebook shows also where pyplot has not been imported."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


def matplotlib_figure(figure: Figure) -> MatplotlibFigure:
    """The figure on white, with one axes whose data coordinates are those of the SVG, y downwards. No pyplot, no backend."""
    width, height = size_of(figure)
    drawn = DrawnFigure(figsize=(width / _UNITS, height / _UNITS), facecolor=LIGHT["surface"])
    axes = drawn.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0.0, width), ylim=(height, 0.0))
    axes.set_axis_off()
    for order, (element, place) in enumerate(_marks(ElementTree.fromstring(figure.svg), (0.0, 0.0))):
        style = _style(element)
        if element.tag == "text":
            _write(axes, element, place, style, order)
        else:
            axes.add_patch(PathPatch(_path(element, place), zorder=order, **_look(style)))
    return drawn


def _marks(element: ElementTree.Element, origin: Point) -> Iterator[tuple[ElementTree.Element, Point]]:
    """What is drawn, in its order, each with the point that its coordinates count from."""
    for child in element:
        if child.tag == "g":
            x, y = map(float, _NUMBER.findall(child.get("transform", "translate(0 0)")))
            yield from _marks(child, (origin[0] + x, origin[1] + y))
        elif child.tag != "title":
            yield child, origin


@cache
def _rules() -> Sequence[tuple[str, frozenset[str], Style]]:
    """The style sheet as tag, classes and properties, the more specific ones last."""
    rules = []
    for selectors, body in _RULE.findall(resolved_css()):
        properties = dict(entry.split(":", 1) for entry in body.split(";"))
        for selector in selectors.split(","):
            tag, *classes = selector.split()[-1].split(".")
            rules.append((tag, frozenset(classes), properties))
    return sorted(rules, key=lambda rule: (len(rule[1]), bool(rule[0])))


def _style(element: ElementTree.Element) -> Style:
    classes = set(element.get("class", "").split())
    style = {"fill": "#000000", "fill-opacity": element.get("fill-opacity", "1")}
    for tag, wanted, properties in _rules():
        if wanted <= classes and tag in ("", element.tag):
            style |= properties
    return style


def _look(style: Style) -> dict[str, Any]:
    """What a patch has of a style. Dashes are in multiples of the line's width, as matplotlib counts them."""
    width, stroke = float(style.get("stroke-width", "1")), style.get("stroke", "none")
    look: dict[str, Any] = {
        "facecolor": _color(style["fill"], style["fill-opacity"]),
        "edgecolor": _color(stroke, style.get("stroke-opacity", "1")),
        "linewidth": 0.0 if stroke == "none" else width * _POINT,
        "joinstyle": style.get("stroke-linejoin", "miter"),
    }
    if dashes := style.get("stroke-dasharray"):
        look["linestyle"] = (0.0, [float(dash) / width for dash in dashes.split()])
    return look


def _color(color: str, opacity: str) -> tuple[float, float, float, float]:
    return to_rgba("none") if color == "none" else to_rgba(color, float(opacity))


def _write(axes: Axes, element: ElementTree.Element, place: Point, style: Style, order: int) -> None:
    words = axes.text(
        place[0] + float(element.get("x", 0)),
        place[1] + float(element.get("y", 0)),
        element.text or "",
        color=_color(style["fill"], style["fill-opacity"]),
        fontsize=FONT_SIZE * _POINT,
        fontfamily=list(_families()),
        fontweight="bold" if "font-weight" in style else "normal",
        ha=_ANCHORS[style.get("text-anchor", "start")],
        va="baseline",
        zorder=order,
        parse_math=False,
    )
    if "paint-order" in style:
        halo = patheffects.withStroke(linewidth=float(style["stroke-width"]) * _POINT, foreground=style["stroke"])
        words.set_path_effects([halo])


@cache
def _families() -> tuple[str, ...]:
    """The letters of the PNG too, by whose widths texts were laid out, and matplotlib's own for what these lack."""
    for file in font_files():
        font_manager.fontManager.addfont(file)
    return (FAMILY, "DejaVu Sans")


def _path(element: ElementTree.Element, place: Point) -> Path:
    def of(name: str) -> float:
        return float(element.get(name, 0))

    if element.tag == "circle":
        return Path.circle((place[0] + of("cx"), place[1] + of("cy")), of("r"))
    if element.tag == "rect":
        x, y = place[0] + of("x"), place[1] + of("y")
        right, bottom = x + of("width"), y + of("height")
        return Path([(x, y), (right, y), (right, bottom), (x, bottom), (x, y)], closed=True)
    return _steps(element.get("d", ""), place)


def _steps(d: str, place: Point) -> Path:
    """The steps of a path, of the commands that `svg` and the marks have. Raises ValueError for any other."""
    points: list[Point] = []
    codes: list[int] = []
    x, y = place
    begin = place
    for command, text in _STEP.findall(d):
        values = [float(number) for number in _NUMBER.findall(text)]
        match command:
            case "M" | "L":
                x, y = place[0] + values[0], place[1] + values[1]
            case "m" | "l":
                x, y = x + values[0], y + values[1]
            case "h":
                x += values[0]
            case "v":
                y += values[0]
            case "A":
                end = (place[0] + values[5], place[1] + values[6])
                arc = _arc((x, y), end, values[0], is_large=bool(values[3]))
                points += arc
                codes += [int(Path.LINETO)] * len(arc)
                x, y = end
            case "Z" | "z":
                x, y = begin
            case _:
                raise ValueError(f"a path has no step {command!r}")
        if command in "Mm":
            begin = (x, y)
        points.append((x, y))
        codes.append(int(Path.MOVETO if command in "Mm" else Path.CLOSEPOLY if command in "Zz" else Path.LINETO))
    return Path(points, codes)


def _arc(start: Point, end: Point, radius: float, *, is_large: bool) -> list[Point]:
    """Points of a circle's arc, clockwise as it is seen."""
    (x0, y0), (x1, y1) = start, end
    chord = math.dist(start, end)
    if chord == 0:
        return []
    away = math.sqrt(max(radius**2 - (chord / 2) ** 2, 0.0)) * (-1 if is_large else 1) / chord
    x, y = (x0 + x1) / 2 - away * (y1 - y0), (y0 + y1) / 2 + away * (x1 - x0)
    first, last = math.atan2(y0 - y, x0 - x), math.atan2(y1 - y, x1 - x)
    angles = np.linspace(first, last if last > first else last + 2 * math.pi, _POINTS_OF_AN_ARC)
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]
