"""Configurations as lines across all searched hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence

from blurb_tune.core.numbers import plural
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import legend
from blurb_tune.report.figures.configurations import left_out_text, thin_out, with_objective
from blurb_tune.report.figures.dimension import Dimension, dimension
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.words import score_text, value_text
from blurb_tune.report.hyperparameters import searched_hyperparameters, title_of
from blurb_tune.results.groups import GroupResult

_TOP_GAP, _HEIGHT, _FOOT, _LEFT, _RIGHT = 50, 300, 16, 56, 664
_MOST_LINES, _BEST, _MANY = 300, 50, 100
_FIFTHS = 5
_JITTER = 7.0


def parallel_figure(record: SweepRecord) -> Figure | None:
    """A line for each configuration, colored by the fifth of all in which its objective lies; None for fewer than two searched
    hyperparameters or fewer than five configurations with an objective.

    On an axis of few values lines lie a little apart, so that they can be followed.
    """
    names, known = searched_hyperparameters(record), with_objective(record)
    if len(names) < 2 or len(known) < _FIFTHS:
        return None
    objectives = sorted(result.objective for result in known)
    shown = sorted(thin_out(known, _MOST_LINES, _BEST), key=lambda result: result.objective)
    best = known[-1]
    words = {1: "lowest fifth", 3: "middle fifth", _FIFTHS: "highest fifth"}
    entries = [(svg.line(-9, 0, 9, 0, f"strand q{i}"), words.get(i, "")) for i in range(1, _FIFTHS + 1) if i in words]
    entries.append((svg.line(-9, 0, 9, 0, "best-strand"), "the best"))
    parts, top = legend(entries, 4)
    top += _TOP_GAP
    axes = _axes(record, names, shown, top)
    places = [_LEFT + index * (_RIGHT - _LEFT) / len(names) for index in range(len(names) + 1)]
    parts += _strands(record, shown, objectives, best, axes, places)
    for index, (axis, x) in enumerate(zip(axes.values(), places, strict=True)):
        parts += _axis(axis, x, top, [*map(title_of, names), record.header.objective][index], index, len(names))
    left_out = left_out_text(len(known), len(shown), _BEST)
    caption = (
        "A line for each configuration, from hyperparameter to hyperparameter to the objective on the right; where those "
        f"of the highest fifth run together, values are good.{left_out}"
    )
    configuration = record.configurations[best.name].configuration
    said = ", ".join(f"{title_of(name)} {value_text(getattr(configuration, name))}" for name in names)
    alt = f"The best of {plural(len(known), 'configuration')} runs through {said} to {score_text(best.objective)}."
    svg_ = svg.document("parallel", top + _HEIGHT + _FOOT, alt, parts)
    return Figure("parallel", "Configurations as lines", caption, alt, svg_)


def _axes(record: SweepRecord, names: Sequence[str], shown: Sequence[GroupResult], top: float) -> dict[str, Dimension]:
    bottom = top + _HEIGHT
    of = [record.configurations[result.name].configuration for result in shown]
    axes = {name: dimension([getattr(c, name) for c in of], bottom, top) for name in names}
    objectives = [result.objective for result in shown]
    different = dimension([*objectives, *(min(objectives) + step * 1e-3 for step in range(8))], bottom, top)
    return {**axes, "": different}


def _strands(
    record: SweepRecord,
    shown: Sequence[GroupResult],
    objectives: Sequence[float],
    best: GroupResult,
    axes: dict[str, Dimension],
    places: Sequence[float],
) -> list[str]:
    parts = []
    for result in [*(result for result in shown if result is not best), best]:
        configuration = record.configurations[result.name].configuration
        shift = _JITTER * ((record.configurations[result.name].number * 0.618) % 1 - 0.5)
        points = []
        for (name, axis), x in zip(axes.items(), places, strict=True):
            value = getattr(configuration, name) if name else result.objective
            points.append((x, axis(value) + (shift if axis.categories is not None else 0)))
        fifth = min(_FIFTHS - 1, sum(o < result.objective for o in objectives) * _FIFTHS // len(objectives)) + 1
        many = " many" if len(shown) > _MANY else ""
        class_ = "best-strand" if result is best else f"strand q{fifth}{many}"
        parts.append(svg.element("path", d=svg.path_of(points), class_=class_, data_configuration=result.name))
    return parts


def _axis(axis: Dimension, x: float, top: float, title: str, index: int, last: int) -> list[str]:
    parts = [svg.line(x, top, x, top + _HEIGHT, "axis")]
    room = (_RIGHT - _LEFT) / last - 8
    lines = svg.wrap(title.replace("_", " "), room)[:2]
    anchor = "heading" if index == 0 else "heading end" if index == last else "heading middle"
    at = 10 if index == 0 else svg.WIDTH - 6 if index == last else x
    parts += [svg.text(at, top - 12 - 16 * (len(lines) - 1 - number), line, anchor) for number, line in enumerate(lines)]
    for y, label in axis.ticks(5):
        parts.append(svg.text(x + 5, y + 4.5, svg.truncate_front(label, room), "tick"))
    return parts
