"""Small multiples: panels of the same size, with the same axes or axes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blurb_tune.report.figures import svg
from blurb_tune.report.figures.scale import Scale, covering

_COLUMNS, _GAP = 3, 14
_FOOT, _SIDE, _HEIGHT = 26, 42, 128
LINE = 16


@dataclass(frozen=True)
class Panel:
    """Where a panel is drawn. Its axes have their numbers on the left and below."""

    left: float
    top: float
    right: float
    bottom: float

    def frame(self, x: Scale, y: Scale, titles: Sequence[str]) -> list[str]:
        """Titles one below the other, the last but one as a heading; grid; and the shares from 0 to 1 below."""
        parts = []
        for index, title in enumerate(reversed(titles)):
            class_ = "heading" if index == 1 else "muted"
            parts.append(svg.text(self.left, self.top - 8 - LINE * index, svg.truncate(title, self.right - self.left), class_))
        parts += self.grid_y(y)
        ticks = [0.0, 0.5, 1.0]
        words = [f"{100 * tick:.0f} %" for tick in ticks]
        for tick, label in zip(ticks, words, strict=True):
            has_room = x(tick) + svg.width_of(label) / 2 <= self.right
            parts.append(svg.text(x(tick), self.bottom + 17, label, "muted middle" if has_room else "muted end"))
        return parts

    def grid_y(self, y: Scale) -> list[str]:
        ticks = y.ticks(4)
        parts = [svg.line(self.left, y(tick), self.right, y(tick), "grid") for tick in ticks]
        labels = zip(ticks, y.labels(ticks), strict=True)
        return parts + [svg.text(self.left - 6, y(tick) + 4.5, label, "muted end") for tick, label in labels]


def grid_of(count: int, top: float, *, columns: int = _COLUMNS, lines: int = 2) -> tuple[list[Panel], float]:
    """So many panels in rows, with room for `lines` of text above each, and where they end."""
    columns = max(1, min(columns, count))
    width = (svg.WIDTH - 10 - _GAP * (columns - 1)) / columns
    height = _GAP + LINE * lines + _HEIGHT + _FOOT
    panels = []
    for index in range(count):
        row, column = divmod(index, columns)
        left, bottom = column * (width + _GAP), top + (row + 1) * height - _FOOT
        panels.append(Panel(left + _SIDE, bottom - _HEIGHT, left + width, bottom))
    return panels, top + -(-count // columns) * height


def panel_axes(panel: Panel, x: tuple[float, float], y: Sequence[float]) -> tuple[Scale, Scale]:
    """Scales of a panel, from the one bound of `x` to the other, and over all of `y`."""
    return Scale(*x, panel.left + 4, panel.right - 4), covering(y, panel.bottom, panel.top, margin=0.05)
