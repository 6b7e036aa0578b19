"""Which hyperparameters have to do with a good objective."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blurb_tune.core.numbers import plural
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import LINE, legend
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.scale import Scale
from blurb_tune.report.hyperparameters import searched_hyperparameters, title_of
from blurb_tune.search.importance import Importance, best_count, importances

_LEFT, _RIGHT, _ROW = 160, 650, 32
MOST_CONFIGURATIONS = 500


def importances_figure(record: SweepRecord) -> Figure | None:
    """A bar for each searched hyperparameter, and how long it would be by chance (`search.importance`); None for fewer than 20
    configurations with a result, or fewer than two searched hyperparameters. Of more than 500 configurations every k-th."""
    names = searched_hyperparameters(record)
    known = [result for result in record.by_configuration() if math.isfinite(result.objective)]
    known = known[:: max(1, math.ceil(len(known) / MOST_CONFIGURATIONS))]
    points = [{name: getattr(record.configurations[of.name].configuration, name) for name in names} for of in known]
    found = importances(points, [of.objective for of in known])
    if not found:
        return None
    is_over = [importance.is_beyond_chance for importance in found]
    entries = [(svg.rect(-8, -6, 16, 12, "f1"), "more than by chance")] if any(is_over) else []
    entries += [(svg.rect(-8, -6, 16, 12, "by-chance"), "no more than by chance")] if not all(is_over) else []
    entries.append((svg.line(0, -8, 0, 8, "median"), "reached by chance in 1 of 20 cases"))
    parts, top = legend(entries, 4)
    top += 12
    longest = max(max(importance.share, min(importance.by_chance, 1.0)) for importance in found)
    x = Scale(0.0, longest * 1.02, _LEFT, _RIGHT)
    for index, importance in enumerate(found):
        y = top + index * _ROW
        parts.append(svg.text(_LEFT - 10, y + _ROW / 2 + 4.5, svg.truncate(title_of(importance.name), _LEFT - 14), "end"))
        class_ = "f1" if importance.is_beyond_chance else "by-chance"
        parts.append(svg.rect(_LEFT, y + 5, x(importance.share) - _LEFT, _ROW - 10, class_, rx=2))
        at = x.clip(importance.by_chance)
        parts.append(svg.line(at, y + 3, at, y + _ROW - 3, "median"))
        end = max(x(importance.share), at if at - x(importance.share) < 44 else 0)
        parts.append(svg.text(end + 8, y + _ROW / 2 + 4.5, f"{100 * importance.share:.0f} %"))
    alt = _alt(found)
    caption = (
        f"How much a hyperparameter has to do with being among the best {best_count(len(known))} of "
        f"{plural(len(known), 'configuration')} by {record.header.objective} (PED-ANOVA, Watanabe et al. 2023); the shares "
        "add up to 100 %. The black line is what a hyperparameter without any effect stays below in 19 of 20 cases: "
        "objectives shuffled among the configurations. Configurations that were stopped count with what they had reached."
    )
    bottom = top + len(found) * _ROW + LINE / 2
    return Figure(
        "importances", "Importance of hyperparameters", caption, alt, svg.document("importances", bottom, alt, parts)
    )


def _alt(found: Sequence[Importance]) -> str:
    beyond = [f"{title_of(i.name)} ({100 * i.share:.0f} %)" for i in found if i.is_beyond_chance]
    if not beyond:
        return "No hyperparameter matters more than chance would have it among so few configurations."
    return f"More than by chance matter: {', '.join(beyond)}."
