"""The pictures of a comparison: which strategy helps where, and how sure each difference is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from blurb_tune.core.numbers import plural
from blurb_tune.report.comparison.sweep_comparison import Row, SweepComparison
from blurb_tune.report.comparison.text import column_of, decimals_of, verdict
from blurb_tune.report.figures import Figure, svg
from blurb_tune.report.figures.axes import legend, x_axis
from blurb_tune.report.figures.marks import diamond
from blurb_tune.report.figures.scale import Scale, covering
from blurb_tune.report.wording import number

_LEFT, _RIGHT, _ROW, _TITLE = 230, 700, 26, 34
_HEAT_ROW, _LINE, _NARROWEST = 36, 16, 72
_MOST_ROWS, _MOST_LINES = 60, 4


def heat_figure(comparison: SweepComparison) -> Figure | None:
    """A cell for each strategy and task, colored by how often a seed of it beats one of vanilla; None without claims.

    The probability of superiority (Brunner & Munzel 2000) has the same unit in every column, which a difference of scores has
    not.
    """
    if not comparison.claims:
        return None
    columns = list(dict.fromkeys(column_of(row) for row in comparison.rows))
    shown = columns[: int((svg.WIDTH - _LEFT) // _NARROWEST)]
    width = min(150.0, (svg.WIDTH - 10 - _LEFT) / len(shown))
    heads = [svg.wrap(column, width - 6)[:_MOST_LINES] for column in shown]
    parts, y = [*_heat_head(heads, width)], 8.0 + _LINE * max(map(len, heads))
    found = {(row.pool.model, row.label, column_of(row)): row for row in comparison.rows}
    decimals = decimals_of(comparison)
    for model in comparison.models:
        labels = [label for label in comparison.labels if any((model, label, c) in found for c in shown)]
        if labels and len(comparison.models) > 1:
            parts.append(svg.text(10, y + 20, svg.truncate(model, svg.WIDTH - 20), "heading"))
            y += _TITLE - 6
        for label in labels:
            parts.append(svg.text(_LEFT - 8, y + 21, svg.truncate(label, _LEFT - 20), "end"))
            for index, column in enumerate(shown):
                row = found.get((model, label, column))
                if row is not None:
                    x = _LEFT + index * width
                    parts += _heat_cell(row, x, y, width, decimals[row.pool.setting])
            y += _HEAT_ROW
    swatches = [("f1", 0.55, "a seed mostly beats one of vanilla"), ("f2", 0.55, "is mostly beaten by it")]
    entries = [(svg.rect(-8, -7, 16, 14, f"swatch {of}", fill_opacity=opacity), words) for of, opacity, words in swatches]
    entries.append((svg.element("rect", x=-8, y=-7, width=16, height=14, class_="axis"), "significant difference of means"))
    drawn, height = legend(entries, y + 10)
    left_out = len(columns) - len(shown)
    better, worse = (sum(verdict(row) == word for row in comparison.claims) for word in ("better", "worse"))
    return Figure(
        name="heat",
        title="Where which strategy helps",
        caption="Mean on the dev split, and P: how often a seed of the strategy beats one of vanilla of the same model and "
        "task, which is the color. Framed: the means differ at 0.05, Holm's correction over all claims. Stopped: after so "
        "many seeds." + (f" {plural(left_out, 'column')} more in the table." if left_out else ""),
        alt=f"Of {plural(len(comparison.claims), 'claim')}, {better} are that a strategy is significantly better and {worse} "
        "that it is worse.",
        svg=svg.document("heat", y + 10 + height, "Which strategy helps on which task", [*parts, *drawn]),
    )


def _heat_head(heads: Sequence[Sequence[str]], width: float) -> Iterator[str]:
    for index, lines in enumerate(heads):
        for line, words in enumerate(lines):
            yield svg.text(_LEFT + (index + 0.5) * width, 15 + _LINE * line, words, "muted middle")


def _heat_cell(row: Row, x: float, y: float, width: float, decimals: int) -> Iterator[str]:
    entry, middle = row.entry, x + width / 2
    if entry.is_censored or not entry.result.n:
        words = f"stopped, {entry.result.n}" if entry.is_censored else "errored"
        yield svg.text(middle, y + 21, svg.truncate(words, width - 6), "muted middle")
        return
    inner = (x + 2, y + 2, width - 4, _HEAT_ROW - 4)
    if row.comparison is None:
        yield svg.rect(*inner, "row-band", rx=3)
    else:
        above = row.comparison.superiority.probability - 0.5
        color = "f1" if above > 0 else "f2"
        yield svg.rect(*inner, f"swatch {color}", rx=3, fill_opacity=round(0.05 + 0.9 * abs(above), 1))
        if verdict(row):
            yield svg.element("rect", x=inner[0], y=inner[1], width=inner[2], height=inner[3], rx=3, class_="median")
    yield svg.text(middle, y + 16, number(entry.result.summary.mean, decimals), "middle")
    below = "vanilla" if row.is_vanilla else ""
    if row.comparison is not None:
        below = f"P {number(row.comparison.superiority.probability, 2)}"
    yield svg.text(middle, y + 30, svg.truncate(below, width - 6), "middle")


def forest_figure(comparison: SweepComparison) -> Figure | None:
    """Each difference to vanilla with its 95 % interval, task by task on an axis of its own; None without claims."""
    rows = [row for row in comparison.claims if row.comparison and math.isfinite(row.comparison.difference)]
    if not rows:
        return None
    parts: list[str] = []
    y = 4.0
    shown = rows[:_MOST_ROWS]
    for column, of in groupby(shown, key=column_of):
        drawn, y = _panel(column, list(of), y, has_models=len(comparison.models) > 1)
        parts += drawn
    entries = [
        (svg.element("circle", r=4, class_="completed"), "difference of the means"),
        (svg.line(-9, 0, 9, 0, "line s1"), "its 95 % interval (Welch)"),
        (diamond(0, 0), "significant at 0.05, Holm's correction"),
        (svg.line(0, -8, 0, 8, "trivial"), "vanilla"),
    ]
    drawn, height = legend(entries, y + 4)
    left_out = len(rows) - len(shown)
    sure = [row for row in rows if verdict(row)]
    return Figure(
        name="forest",
        title="Differences to vanilla",
        caption="Of the best configuration of each strategy to the best vanilla one, by the seeds of the search on the dev "
        "split; right of the line is better. Each task has its own axis."
        + (f" {plural(left_out, 'row')} more in the table." if left_out else ""),
        alt=f"The means differ significantly in {len(sure)} of {plural(len(rows), 'comparison')}.",
        svg=svg.document("forest", y + 4 + height, "Differences to vanilla with their intervals", [*parts, *drawn]),
    )


def _panel(title: str, rows: Sequence[Row], top: float, *, has_models: bool) -> tuple[list[str], float]:
    """A task's rows under its name, above an axis; returns where the next one begins."""
    bounds = [b for row in rows if row.comparison for b in (*row.comparison.interval, row.comparison.difference)]
    scale = covering([0.0, *bounds], _LEFT, _RIGHT)
    first = top + _TITLE - 6
    bottom = first + _ROW * len(rows)
    parts = [svg.text(10, top + 18, svg.truncate(title, svg.WIDTH - 20), "heading"), *x_axis(scale, first, bottom)]
    parts.append(svg.line(scale(0.0), first, scale(0.0), bottom, "trivial"))
    for index, row in enumerate(rows):
        parts += _difference(row, scale, first + _ROW * (index + 0.5), has_models=has_models)
    return parts, bottom + 30


def _difference(row: Row, scale: Scale, middle: float, *, has_models: bool) -> Iterator[str]:
    if row.comparison is None:
        return
    label = f"{row.pool.model}: {row.label}" if has_models else row.label
    yield svg.text(_LEFT - 12, middle + 4.5, svg.truncate(label, _LEFT - 22), "end")
    low, high = row.comparison.interval
    color = "s1" if row.comparison.difference > 0 else "s2"
    if math.isfinite(low) and math.isfinite(high):
        yield svg.line(scale(low), middle, scale(high), middle, f"line {color}")
    at = scale(row.comparison.difference)
    yield diamond(at, middle) if verdict(row) else svg.element("circle", cx=at, cy=middle, r=4, class_=f"swatch f{color[1]}")


# In the report's order.
FIGURES: Mapping[str, Callable[[SweepComparison], Figure | None]] = {"heat": heat_figure, "forest": forest_figure}
