"""Mean against spread, and which configurations no other beats in both."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import LINE, legend, x_axis, y_axis
from blurb_tune.report.figures.configurations import entries, kind_of, left_out_text, point, thin_out, with_objective
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.scale import covering
from blurb_tune.report.figures.words import score_text
from blurb_tune.results.groups import GroupResult

_LEFT, _RIGHT, _HEIGHT, _FOOT = 62, 700, 320, 50
_MOST, _BEST, _MOST_NAMES = 1500, 200, 8
_RADIUS = 7.0


def pareto_figure(record: SweepRecord) -> Figure | None:
    """A point for each configuration with two seeds at least, at its mean and standard deviation; those with a full set of
    seeds that no other beats in both are joined. A sector around it is the share of its failed runs. None for fewer than two
    points."""
    known = [result for result in with_objective(record) if math.isfinite(result.summary.std)]
    if len(known) < 2:
        return None
    front = record.front()
    names = {result.name for result in front}
    shown = thin_out(known, _MOST, _BEST)
    shown += [result for result in known if result.name in names and result not in shown]
    signs = entries(sorted({kind_of(record, result) for result in shown}))
    if any(result.failed for result in shown):
        signs.append((_sector(0, 0, 0.3), "share of failed runs"))
    if front:
        signs.append((svg.line(-9, 0, 9, 0, "front"), "not beaten in both"))
    parts, top = legend(signs, 4)
    parts.append(svg.text(10, top + 24, f"mean {record.header.metric} on dev", "muted"))
    top += 38
    x = covering([0.0, *(result.summary.std for result in shown)], _LEFT, _RIGHT)
    y = covering([result.summary.mean for result in shown], top + _HEIGHT, top, margin=0.07)
    parts += x_axis(x, top, top + _HEIGHT, "standard deviation over the seeds (further left is more stable)")
    parts += y_axis(y, _LEFT, _RIGHT)
    if front:
        corners = [(x(result.summary.std), y(result.summary.mean)) for result in front]
        parts.append(svg.element("path", d=svg.path_of(_stairs(corners)), class_="front"))
    for result in shown:
        a, b = x(result.summary.std), y(result.summary.mean)
        if result.failed:
            parts.append(_sector(a, b, result.failed_share))
        parts.append(point(kind_of(record, result), a, b, data_configuration=result.name))
    parts += _labels(record, front, [(x(of.summary.std), y(of.summary.mean)) for of in front])
    left_out = left_out_text(len(known), len(shown), _BEST)
    caption = (
        "A configuration further up has the higher mean, one further left spreads less over its seeds. The joined ones are "
        "beaten by no other in both, of those with a result for every seed. Runs that all fail alike spread little, "
        f"too.{left_out}"
    )
    alt = _alt(record, front)
    return Figure("pareto", "Mean and spread", caption, alt, svg.document("pareto", top + _HEIGHT + _FOOT, alt, parts))


def _stairs(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """From corner to corner, down and then left: what lies on the lower right of it is beaten."""
    path = [corners[0]]
    for (x, _), (next_x, next_y) in itertools.pairwise(corners):
        path += [(x, next_y), (next_x, next_y)]
    return path


def _sector(x: float, y: float, share: float) -> str:
    """A ring of which so large a share is filled, clockwise from the top."""
    ring = svg.element("circle", cx=x, cy=y, r=_RADIUS, class_="failed-ring")
    if share >= 1:
        return ring + svg.element("circle", cx=x, cy=y, r=_RADIUS, class_="failed-sector")
    angle = 2 * math.pi * share
    end = f"{svg.number(x + _RADIUS * math.sin(angle))} {svg.number(y - _RADIUS * math.cos(angle))}"
    start = f"M{svg.number(x)} {svg.number(y)}v-{svg.number(_RADIUS)}"
    d = f"{start}A{_RADIUS} {_RADIUS} 0 {int(share > 0.5)} 1 {end}Z"
    return ring + svg.element("path", d=d, class_="failed-sector")


def _labels(record: SweepRecord, front: Sequence[GroupResult], places: Sequence[tuple[float, float]]) -> list[str]:
    """Names of the front's first configurations, one below the other, on the right of their points."""
    parts: list[str] = []
    free = -math.inf
    for result, (x, y) in list(zip(front, places, strict=True))[:_MOST_NAMES]:
        at = max(y, free)
        free = at + LINE - 2
        left = min(x + 26, svg.WIDTH - 160)
        parts.append(svg.line(x + 5, y, left - 3, at, "whisker"))
        parts.append(svg.text(left, at + 4.5, svg.truncate(record.label(result.name), svg.WIDTH - left), "halo"))
    return parts


def _alt(record: SweepRecord, front: Sequence[GroupResult]) -> str:
    if not front:
        return "No configuration has a result for every seed yet."
    said = [
        f"{record.label(of.name)} (mean {score_text(of.summary.mean)}, standard deviation {score_text(of.summary.std)})"
        for of in front[:_MOST_NAMES]
    ]
    return f"Beaten by no other in both mean and spread: {'; '.join(said)}."
