"""The expected best of n seeds."""

from __future__ import annotations

from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import legend, x_axis, y_axis
from blurb_tune.report.figures.contenders import contenders, left_out_text
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.scale import Scale, covering
from blurb_tune.report.figures.words import score_text
from blurb_tune.stats.expected_best import expected_best

_LEFT, _RIGHT, _HEIGHT, _FOOT = 62, 704, 260, 50
_MOST_DOTS = 30


def expected_best_figure(record: SweepRecord) -> Figure | None:
    """For vanilla and the best strategies, what the best of n seeds is worth on average (`stats.expected_best`).

    None while no strategy has two seeds with a result, and for crossed seeds, which are not independent.
    """
    lines, left_out = contenders(record)
    lines = [line for line in lines if len(line.scores) > 1]
    if not lines or record.header.crossed is not None:
        return None
    values = [[expected_best(line.scores, n) for n in range(1, len(line.scores) + 1)] for line in lines]
    longest = max(map(len, values))
    parts, top = legend([(line.sign(), line.label) for line in lines], 4)
    parts.append(svg.text(10, top + 24, f"expected best {record.header.metric} on dev", "muted"))
    top += 38
    x = Scale(1.0, float(longest), _LEFT + 14, _RIGHT - 10)
    y = covering([value for of in values for value in of], top + _HEIGHT, top, margin=0.07)
    parts += x_axis(x, top, top + _HEIGHT, "seeds that are run, of which the best on dev is kept", whole=True)
    parts += y_axis(y, _LEFT, _RIGHT)
    for line, of in reversed(list(zip(lines, values, strict=True))):
        points = [(x(n), y(value)) for n, value in enumerate(of, start=1)]
        name = {"data_configuration": line.configuration_id}
        parts.append(svg.element("path", d=svg.path_of(points), class_=f"line {line.style}", **name))
        if longest <= _MOST_DOTS:
            parts += [svg.element("circle", cx=a, cy=b, r=2.8, class_=line.fill) for a, b in points]
    alt = "; ".join(
        f"{line.name}: one seed {score_text(of[0])}, the best of {len(of)} {score_text(of[-1])}"
        for line, of in zip(lines, values, strict=True)
    )
    caption = (
        "What one can expect of the best of n seeds of one configuration (Dodge et al. 2019). A line that rises steeply owes "
        "its score to lucky seeds. It holds for independent seeds, is somewhat too low for n near its end, and says nothing "
        f"about more seeds than were run.{left_out_text(left_out)}"
    )
    title = "Expected best of n seeds"
    return Figure("expected-best", title, caption, alt, svg.document("expected-best", top + _HEIGHT + _FOOT, alt, parts))
