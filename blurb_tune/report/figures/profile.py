"""Performance profiles: the share of seeds above each score."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from blurb_tune.core.numbers import plural
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import legend, x_axis, y_axis
from blurb_tune.report.figures.contenders import Contender, contenders, left_out_text
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.scale import Scale, covering
from blurb_tune.stats.profile import Profile, performance_profile

_LEFT, _RIGHT, _HEIGHT, _FOOT = 62, 704, 300, 50
_BANDS = 2


def profile_figure(record: SweepRecord) -> Figure | None:
    """A step line for vanilla and for each of the best strategies; None while none has two seeds with a result.

    The first two have their 95 % bands, pointwise by Wilson's interval (`stats.profile`); with crossed seeds, which are not
    independent, none has.
    """
    lines, left_out = contenders(record)
    lines = [line for line in lines if len(line.scores) > 1]
    if not lines:
        return None
    trivial = record.header.trivial_score
    x = covering([trivial, *(score for line in lines for score in line.scores)], _LEFT, _RIGHT)
    parts, top = legend([(line.sign(), line.label) for line in lines], 4)
    parts.append(svg.text(10, top + 24, "share of seeds above the score", "muted"))
    top += 38
    y = Scale(0.0, 1.0, top + _HEIGHT, top)
    parts += x_axis(x, top, top + _HEIGHT, f"{record.header.metric} on dev")
    parts += y_axis(y, _LEFT, _RIGHT, percent=True)
    if math.isfinite(trivial):
        parts.append(svg.line(x(trivial), top, x(trivial), top + _HEIGHT, "trivial"))
        words = "trivial predictor"
        is_right = x(trivial) + svg.width_of(words) + 10 > _RIGHT
        parts.append(svg.text(x(trivial) + (-6 if is_right else 6), top + 14, words, "muted end" if is_right else "muted"))
    profiles = [performance_profile(line.scores) for line in lines]
    is_banded = record.header.crossed is None
    if is_banded:
        parts += [_band(line, of, x, y) for line, of in itertools.islice(zip(lines, profiles, strict=True), _BANDS)]
    for line, of in reversed(list(zip(lines, profiles, strict=True))):
        path = svg.path_of(_steps(of.scores, (1.0, *of.shares), x, y))
        parts.append(svg.element("path", d=path, class_=f"line {line.style}", data_configuration=line.configuration_id))
    alt = _alt(record, lines)
    caption = " ".join(_caption(record, lines, is_banded)) + left_out_text(left_out)
    return Figure("profile", "Performance profile", caption, alt, svg.document("profile", top + _HEIGHT + _FOOT, alt, parts))


def _caption(record: SweepRecord, lines: Sequence[Contender], is_banded: bool) -> Iterator[str]:
    yield "For every score on the x axis, the share of seeds above it; further to the right is better, steep is stable."
    if is_banded:
        named = " and ".join(line.name for line in lines[:_BANDS])
        yield f"Band: 95 % interval of the share at one score (Wilson), of {named}."
    else:
        yield "Crossed seeds are not independent: no band."
    yield "Of each strategy its best configuration, on the seeds of the search."
    if not lines[-1].is_vanilla:
        yield "The line of the winner is rather too high, since it was picked on these."
    if any(line.is_censored for line in lines):
        yield "Vanilla was stopped before it had all seeds: its line does not compare with the others."


def _steps(scores: Sequence[float], shares: Sequence[float], x: Scale, y: Scale) -> list[tuple[float, float]]:
    """Corners of the step function over the whole axis; shares has one more than scores, for the left of all."""
    points = [(x(x.low), y(shares[0]))]
    for score, before, after in zip(scores, shares, shares[1:], strict=False):
        points += [(x(score), y(before)), (x(score), y(after))]
    return [*points, (x(x.high), y(shares[-1]))]


def _band(line: Contender, of: Profile, x: Scale, y: Scale) -> str:
    upper = _steps(of.scores, (of.before[1], *of.high), x, y)
    lower = _steps(of.scores, (of.before[0], *of.low), x, y)
    return svg.element("path", d=svg.path_of(upper + lower[::-1]) + "Z", class_=f"band {line.fill}")


def _alt(record: SweepRecord, lines: Sequence[Contender]) -> str:
    """Of each line, how many seeds beat the trivial predictor, or the median of the first where there is none."""
    trivial = record.header.trivial_score
    level = trivial if math.isfinite(trivial) else sorted(lines[0].scores)[len(lines[0].scores) // 2]
    what = "the trivial predictor" if level == trivial else f"a {record.header.metric} of {level:.3f}"
    said = [f"{sum(s > level for s in line.scores)} of {plural(len(line.scores), 'seed')} of {line.name}" for line in lines]
    return f"Above {what} are {', '.join(said)}."
