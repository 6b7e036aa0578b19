"""Slots over time: which trial ran when, how it ended, and what stopping saved."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from blurb_tune.core.numbers import plural
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import legend, y_axis
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.scale import Scale
from blurb_tune.report.figures.timeline_spans import KINDS, Clock, Span, clock_of, is_real_time, saved_seconds, spans_of
from blurb_tune.report.figures.words import duration

_Numbers = NDArray[np.float64]
_LEFT, _RIGHT = 66, 706
_MOST_SPANS, _MOST_SLOTS = 1500, 32
_BINS, _AREA_HEIGHT = 160, 220
_USE = 24
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)


def timeline_figure(record: SweepRecord) -> Figure | None:
    """A bar for each attempt of each trial, a row for each slot; with more than 1,500 attempts or 32 slots, how many trials of
    each outcome were at work. Below, what the slots' time went to, and what stopping saved. None while nothing has run, and
    for a replay, whose log has no times.

    Times in which nothing ran, such as between two drivers, are cut out of the axis.
    """
    spans = spans_of(record)
    if not any(span.ended > span.started for span in spans) or not is_real_time(record, spans):
        return None
    clock = clock_of(spans, _LEFT, _RIGHT)
    slots = max(span.slot for span in spans) + 1
    is_aggregated = len(spans) > _MOST_SPANS or slots > _MOST_SLOTS
    present = [kind for kind in KINDS if any(span.kind == kind for span in spans)]
    saved = saved_seconds(record)
    entries = [(svg.rect(-9, -6, 18, 12, f"span span-{kind}"), KINDS[kind]) for kind in present]
    if saved:
        entries.append((svg.rect(-9, -6, 18, 12, "span span-saved"), "saved by stopping"))
    parts, top = legend(entries, 4)
    top += 28 if is_aggregated else 16
    body, bottom = _areas(spans, clock, slots, top) if is_aggregated else _bars(spans, clock, slots, top)
    parts += [*_time_axis(clock, top, bottom), *body]
    used = dict.fromkeys(KINDS, 0.0)
    for span in spans:
        used[span.kind] += span.ended - span.started
    use_top = bottom + (52 if clock.pauses else 34)
    parts += _use(used, saved, use_top)
    alt = _alt(used, saved, clock, slots)
    what = (
        "How many trials were at work, by how they ended"
        if is_aggregated
        else "A row for each slot, a bar for each attempt of a trial"
    )
    caption = f"{what}. The bar below is the time that all slots together spent, and about what stopping saved of it."
    if clock.pauses:
        caption += (
            f" {plural(len(clock.pauses), 'time')} in which nothing ran {'is' if len(clock.pauses) == 1 else 'are'} cut out."
        )
    return Figure("timeline", "Slots over time", caption, alt, svg.document("timeline", use_top + _USE + 30, alt, parts))


def _bars(spans: Sequence[Span], clock: Clock, slots: int, top: float) -> tuple[list[str], float]:
    height = min(26.0, max(9.0, 340 / slots))
    parts = []
    every = max(1, round(16 / height + 0.49))
    for slot in range(0, slots, every):
        parts.append(svg.text(_LEFT - 8, top + (slot + 0.5) * height + 4.5, f"slot {slot + 1}", "muted end"))
    for span in spans:
        x, y = clock(span.started), top + span.slot * height + 1.5
        width = max(1.2, clock(span.ended) - x - 0.6)
        is_latest = span.attempt == span.trial.attempt
        data = {"data_trial": span.trial.trial_id, "data_attempt": str(span.attempt) if span.attempt > 1 else None}
        class_ = f"{'trial ' if is_latest else ''}span span-{span.kind}"
        inset = (height - 3) * 0.22 if span.kind == "failed" else 0.0  # told apart by its shape, too
        parts.append(svg.rect(x, y + inset, width, height - 3 - 2 * inset, class_, **data))
    return parts, top + slots * height


def _areas(spans: Sequence[Span], clock: Clock, slots: int, top: float) -> tuple[list[str], float]:
    """Layers of the mean number of trials at work in each of 160 equal times."""
    bottom = top + _AREA_HEIGHT
    edges = np.linspace(clock(0.0), clock(clock.end), _BINS + 1)
    y = Scale(0.0, float(slots), bottom, top)
    layers: dict[str, _Numbers] = {}
    for kind in KINDS:
        of_kind = [span for span in spans if span.kind == kind]
        if of_kind:
            starts = np.sort([clock(span.started) for span in of_kind])
            ends = np.sort([clock(span.ended) for span in of_kind])
            layers[kind] = _mean_active(starts, ends, edges)
    parts = [*y_axis(y, _LEFT, _RIGHT, count=4), svg.text(10, top - 4, "slots at work", "muted")]
    below = np.zeros(_BINS)
    xs = [float(x) for edge in itertools.pairwise(edges) for x in edge]
    for kind, layer in layers.items():
        above = below + layer
        upper = list(zip(xs, (y(float(v)) for v in np.repeat(above, 2)), strict=True))
        lower = list(zip(xs, (y(float(v)) for v in np.repeat(below, 2)), strict=True))
        parts.append(svg.element("path", d=svg.path_of(upper + lower[::-1]) + "Z", class_=f"area span-{kind}"))
        below = above
    return parts, bottom


def _mean_active(
    starts: _Numbers,
    ends: _Numbers,
    edges: _Numbers,
) -> _Numbers:
    """Between two edges each, how many of the intervals from starts to ends, sorted, are there on average."""

    def elapsed(points: _Numbers) -> _Numbers:
        sums = np.concatenate([[0.0], np.cumsum(points)])
        counts = np.searchsorted(points, edges)
        since: _Numbers = counts * edges - sums[counts]  # sum of max(0, edge - point)
        return since

    return np.asarray(np.diff(elapsed(starts) - elapsed(ends)) / np.diff(edges))


def _time_axis(clock: Clock, top: float, bottom: float) -> Iterator[str]:
    step = next(
        (step for step in _STEPS if clock.active / step <= 6), _STEPS[-1] * max(1, round(clock.active / _STEPS[-1] / 6))
    )
    free = -1.0
    ticks = [index * step for since, to in clock.segments() for index in range(-int(-since // step), int(to // step) + 1)]
    for at in dict.fromkeys(ticks):
        x, words = clock(at), duration(at) if at else "0"
        yield svg.line(x, top, x, bottom, "grid")
        if x - svg.width_of(words) / 2 > free and x < _RIGHT - 8:
            yield svg.text(x, bottom + 17, words, "muted middle")
            free = x + svg.width_of(words) / 2 + 8
    for since, to in clock.pauses:
        x = (clock(since) + clock(to)) / 2
        yield svg.rect(clock(since) + 3, top, clock.gap - 6, bottom - top, "row-band")
        yield svg.text(x, bottom + 35, f"{duration(to - since)} cut", "muted middle")


def _use(used: Mapping[str, float], saved: float, top: float) -> Iterator[str]:
    """One bar: the slots' time by what it went to, and what would have come on top."""
    total = sum(used.values()) + saved
    x = Scale(0.0, max(total, 1e-9), _LEFT, _RIGHT)
    yield svg.text(_LEFT - 8, top + _USE / 2 + 4.5, "time", "muted end")
    at = 0.0
    for kind in [*KINDS, "saved"]:
        seconds = saved if kind == "saved" else used[kind]
        if seconds <= 0:
            continue
        left, right = x(at), x(at + seconds)
        yield svg.rect(left, top, max(0.8, right - left - 1), _USE, f"span span-{kind}")
        words = duration(seconds)
        if svg.width_of(words) < right - left - 4:
            yield svg.text((left + right) / 2, top + _USE + 17, words, "muted middle")
        at += seconds


def _alt(used: Mapping[str, float], saved: float, clock: Clock, slots: int) -> str:
    share = sum(used.values()) / (slots * clock.active) if clock.active else 0.0
    at_work = f"{100 * min(share, 1.0):.0f} %"
    said = f"Trials ran for {duration(clock.active)} on {plural(slots, 'slot')}, which were at work {at_work} of the time"
    lost = used["errored"]
    if lost:
        said += f"; {duration(lost)} went to attempts that errored or were lost"
    if saved:
        said += (
            f"; stopping saved about {duration(saved)} of training, {100 * saved / (sum(used.values()) + saved):.0f} % of all"
        )
    return said + "."
