"""What stands in a figure, read back from its SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.scale import Scale

Element = ElementTree.Element
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LABEL = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def root_of(figure: Figure) -> Element:
    return ElementTree.fromstring(figure.svg)


def of_class(figure: Figure, *classes: str) -> list[Element]:
    """The elements that have all of these classes, in the order in which they are drawn."""
    return [e for e in root_of(figure).iter() if set(classes) <= set((e.get("class") or "").split())]


def trials(figure: Figure) -> dict[str, Element]:
    """By trial, its mark. Fails where a trial has two."""
    marks = of_class(figure, "trial")
    by_trial = {mark.get("data-trial") or "": mark for mark in marks}
    assert len(by_trial) == len(marks)
    return by_trial


def points(element: Element) -> list[tuple[float, float]]:
    """The corners of a path of absolute moves and lines."""
    assert not re.search("[a-y]", element.get("d") or "")
    numbers = [float(n) for n in _NUMBER.findall(element.get("d") or "")]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def place(element: Element) -> tuple[float, float]:
    """The center of a mark."""
    if element.tag == "circle":
        return float(element.get("cx") or "nan"), float(element.get("cy") or "nan")
    x, y = _NUMBER.findall(element.get("d") or "")[:2]
    return float(x), float(y)


def words(figure: Figure) -> list[str]:
    """All texts that are shown."""
    return [element.text or "" for element in root_of(figure).iter("text")]


def scale_of(figure: Figure, axis: str = "x") -> Scale:
    """The linear scale that the numbers along the axis tell: of those on its line that is longest."""
    found: dict[float, list[tuple[float, float]]] = {}
    for element in root_of(figure).iter("text"):
        text = (element.text or "").replace("\u2212", "-").removesuffix(" %")
        if "muted" in (element.get("class") or "") and _LABEL.fullmatch(text):
            x, y = float(element.get("x") or 0), float(element.get("y") or 0) - 4.5 * (axis == "y")
            along, across = (x, y) if axis == "x" else (y, x)
            found.setdefault(across, []).append((float(text), along))
    ticks = sorted(max(found.values(), key=len))
    (low, start), (high, end) = ticks[0], ticks[-1]
    return Scale(low, high, start, end)


def all_numbers(figure: Figure) -> Iterator[str]:
    """Every attribute that is made of numbers."""
    for element in root_of(figure).iter():
        for name in ("x", "y", "cx", "cy", "r", "rx", "width", "height", "d", "transform", "viewBox"):
            if (value := element.get(name)) is not None:
                yield value


def pixels(png: bytes) -> NDArray[np.int64]:
    """The picture, shape (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(np.int64)
