"""The objective against each searched hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import legend
from blurb_tune.report.figures.configurations import entries, kind_of, left_out_text, point, thin_out, with_objective
from blurb_tune.report.figures.dimension import Dimension, dimension
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.panels import Panel, grid_of
from blurb_tune.report.figures.scale import covering
from blurb_tune.report.figures.swarm import swarm
from blurb_tune.report.figures.words import score_text, value_text
from blurb_tune.report.hyperparameters import searched_hyperparameters, title_of
from blurb_tune.results.groups import GroupResult

# Of all panels together.
_MOST_MARKS, _BEST = 3000, 100


def slices_figure(record: SweepRecord) -> Figure | None:
    """A panel for each hyperparameter in which configurations differ, a point for each configuration; None where nothing was
    searched or fewer than two configurations have an objective."""
    names, known = searched_hyperparameters(record), with_objective(record)
    if not names or len(known) < 2:
        return None
    shown = thin_out(known, max(2 * _BEST, _MOST_MARKS // len(names)), _BEST)
    kinds = {kind_of(record, result) for result in shown} | {"winner"}
    parts, top = legend([*entries(sorted(kinds)), (svg.line(-9, 0, 9, 0, "median"), "median of a value")], 4)
    parts.append(svg.text(10, top + 24, f"{record.header.objective} of the seeds' {record.header.metric} on dev", "muted"))
    panels, bottom = grid_of(len(names), top + 26, columns=3 if len(names) != 4 else 2, lines=1)
    for panel, name in zip(panels, names, strict=True):
        parts += _panel(record, panel, name, shown)
    left_out = left_out_text(len(known), len(shown), _BEST)
    caption = (
        "One panel for each searched hyperparameter, a point for each configuration at what its seeds reached together. All "
        f"other hyperparameters vary as well, so a slope may be another one's.{left_out}"
    )
    alt = _alt(record, names, known[-1])
    return Figure("slices", "Objective by hyperparameter", caption, alt, svg.document("slices", bottom, alt, parts))


def _panel(record: SweepRecord, panel: Panel, name: str, shown: Sequence[GroupResult]) -> list[str]:
    values = [getattr(record.configurations[result.name].configuration, name) for result in shown]
    x = dimension(values, panel.left + 8, panel.right - 8)
    y = covering([result.objective for result in shown], panel.bottom, panel.top, margin=0.08)
    parts = [
        svg.text(panel.left, panel.top - 10, svg.truncate(title_of(name), panel.right - panel.left), "heading"),
        *panel.grid_y(y),
    ]
    parts += _ticks(panel, x)
    xs = [x(value) for value in values]
    if x.categories is not None:
        xs = _swarm_by_category(x, values, [y(result.objective) for result in shown])
    for place, result in zip(xs, shown, strict=True):
        parts.append(point(kind_of(record, result), place, y(result.objective), data_configuration=result.name))
    for value in x.categories or ():
        middle = y(median(result.objective for result, of in zip(shown, values, strict=True) if of == value))
        half = min(22.0, _step(x) * 0.4)
        parts.append(svg.line(x(value) - half, middle, x(value) + half, middle, "median"))
    parts.append(point("winner", xs[-1], y(shown[-1].objective)))
    return parts


def _ticks(panel: Panel, x: Dimension) -> list[str]:
    """Labels below, those left out that would lie on the one before."""
    parts, free = [], panel.left - 40.0
    for at, label in x.ticks(4):
        label = svg.truncate_front(label, max(24.0, _step(x) - 4 if x.categories is not None else 60.0))
        half = svg.width_of(label) / 2
        if at - half < free:
            continue
        parts.append(svg.text(at, panel.bottom + 17, label, "muted middle"))
        free = at + half + 4
    return parts


def _step(x: Dimension) -> float:
    return abs(x.scale(1) - x.scale(0)) if x.categories is not None else 0.0


def _swarm_by_category(x: Dimension, values: Sequence[object], heights: Sequence[float]) -> list[float]:
    """Points of one category lie beside each other."""
    places = [0.0] * len(values)
    for category in x.categories or ():
        members = [index for index, value in enumerate(values) if value == category]
        offsets = swarm([heights[index] for index in members], 7.0, _step(x) * 0.42)
        for index, offset in zip(members, offsets, strict=True):
            places[index] = x(category) + offset
    return places


def _alt(record: SweepRecord, names: Sequence[str], best: GroupResult) -> str:
    configuration = record.configurations[best.name].configuration
    said = ", ".join(f"{title_of(name)} {value_text(getattr(configuration, name))}" for name in names)
    return f"The best configuration, {best.name}, reaches {score_text(best.objective)} with {said}."
