"""Small multiples: panels of the same size, with the same axes or axes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blurb_tune.report.figures import svg
from blurb_tune.report.figures.scale import Scale, covering

_COLUMNS, _GAP = 3, 14
_HEAD, _FOOT, _SIDE = 42, 30, 42
_HEIGHT = 128


@dataclass(frozen=True)
class Panel:
    """Where a panel is drawn. Its axes have their numbers on the left and below."""

    left: float
    top: float
    right: float
    bottom: float

    def frame(
        self, x: Scale, y: Scale, title: str, subtitle: str = "", *, percent: bool = False, x_count: int = 3
    ) -> list[str]:
        """Titles, grid and numbers."""
        room = self.right - self.left
        parts = [svg.text(self.left, self.top - 24, svg.cut(title, room), "heading")]
        if subtitle:
            parts.append(svg.text(self.left, self.top - 8, svg.cut(subtitle, room), "muted"))
        parts += self.grid_y(y)
        ticks = [0.0, 0.5, 1.0] if percent else x.ticks(x_count)
        words = [f"{100 * tick:.0f} %" for tick in ticks] if percent else x.labels(ticks)
        for tick, label in zip(ticks, words, strict=True):
            has_room = x(tick) + svg.width_of(label) / 2 <= self.right
            parts.append(svg.text(x(tick), self.bottom + 17, label, "muted middle" if has_room else "muted end"))
        return parts

    def grid_y(self, y: Scale) -> list[str]:
        ticks = y.ticks(4)
        parts = [svg.line(self.left, y(tick), self.right, y(tick), "grid") for tick in ticks]
        labels = zip(ticks, y.labels(ticks), strict=True)
        return parts + [svg.text(self.left - 6, y(tick) + 4.5, label, "muted end") for tick, label in labels]


def grid_of(count: int, top: float, *, columns: int = _COLUMNS, height: float = _HEIGHT) -> tuple[list[Panel], float]:
    """So many panels in rows, and where they end."""
    columns = max(1, min(columns, count))
    width = (svg.WIDTH - 10 - _GAP * (columns - 1)) / columns
    panels = []
    for index in range(count):
        row, column = divmod(index, columns)
        left, y = column * (width + _GAP), top + row * (_HEAD + height + _FOOT)
        panels.append(Panel(left + _SIDE, y + _HEAD, left + width, y + _HEAD + height))
    return panels, top + -(-count // columns) * (_HEAD + height + _FOOT)


def panel_axes(panel: Panel, x: tuple[float, float], y: Sequence[float]) -> tuple[Scale, Scale]:
    """Scales of a panel, from the one bound of `x` to the other, and over all of `y`."""
    return Scale(*x, panel.left + 4, panel.right - 4), covering(y, panel.bottom, panel.top, margin=0.05)
