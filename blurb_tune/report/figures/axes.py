"""Axes and legends."""

from __future__ import annotations

from collections.abc import Sequence

from blurb_tune.report.figures import svg
from blurb_tune.report.figures.scale import Scale

_SIGN, _GAP, LINE = 22, 18, 19


def x_axis(
    scale: Scale, top: float, bottom: float, label: str = "", *, count: int = 6, is_above: bool = False, whole: bool = False
) -> list[str]:
    """Grid lines from `top` to `bottom`, and numbers below them, or above too, with what they are."""
    ticks = [tick for tick in scale.ticks(count) if not whole or tick == round(tick)]
    labels = scale.labels(ticks)
    parts = [svg.line(scale(tick), top, scale(tick), bottom, "grid") for tick in ticks]
    for tick, words in zip(ticks, labels, strict=True):
        parts.append(svg.text(scale(tick), bottom + 17, words, "muted middle"))
        if is_above:
            parts.append(svg.text(scale(tick), top - 7, words, "muted middle"))
    if label:
        middle = (scale.start + scale.end) / 2
        parts.append(svg.text(middle, bottom + 37, svg.truncate(label, svg.WIDTH - 20), "middle"))
    return parts


def y_axis(scale: Scale, left: float, right: float, *, count: int = 5, percent: bool = False) -> list[str]:
    """Grid lines from `left` to `right`, and numbers on their left."""
    ticks = scale.ticks(count)
    labels = [f"{100 * tick:.0f} %" for tick in ticks] if percent else scale.labels(ticks)
    parts = []
    for tick, words in zip(ticks, labels, strict=True):
        parts.append(svg.line(left, scale(tick), right, scale(tick), "grid"))
        parts.append(svg.text(left - 7, scale(tick) + 4.5, words, "muted end"))
    return parts


def legend(
    entries: Sequence[tuple[str, str]], top: float, left: float = 10, right: float = svg.WIDTH - 10
) -> tuple[list[str], float]:
    """Signs with words, in as many rows as it takes; returns their height too.

    entries: each a sign, drawn about (0, 0) and at most 20 wide, and its words.
    """
    parts, x, y = [], left, top + LINE / 2
    for sign, words in entries:
        words = svg.truncate(words, right - left - _SIGN - _GAP)
        width = _SIGN + svg.width_of(words)
        if x > left and x + width > right:
            x, y = left, y + LINE
        parts.append(svg.element("g", sign, transform=f"translate({svg.number(x + 9)} {svg.number(y)})"))
        parts.append(svg.text(x + _SIGN, y + 4.5, words))
        x += width + _GAP
    return parts, (y + LINE / 2 - top if entries else 0.0)
