"""How configurations are drawn where each is one point."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blurb_tune.core.numbers import plural
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.trial_groups import rank
from blurb_tune.results.groups import GroupResult

WORDS = {
    "whole": "configuration",
    "of-vanilla": "vanilla",
    "censored": "stopped before it had all seeds, or at work",
    "winner": "the best",
}
_SQUARE, _DIAMOND = "m-3-3h6v6h-6z", "m0-5l5 5l-5 5l-5-5z"


def with_objective(record: SweepRecord) -> list[GroupResult]:
    """The configurations that have an objective, the best last, so that it is drawn above the others."""
    known = [result for result in record.by_configuration() if math.isfinite(result.objective)]
    return sorted(known, key=lambda result: _order(record, result), reverse=True)


def _order(record: SweepRecord, result: GroupResult) -> tuple[bool, tuple[bool, float, float]]:
    return record.is_censored(result.name), rank(record, result)


def thin_out(results: Sequence[GroupResult], most: int, best: int) -> list[GroupResult]:
    """At most so many, in the same order: the `best` last ones, and every k-th of the others."""
    if len(results) <= most:
        return list(results)
    others, top = results[:-best], results[-best:]
    every = math.ceil(len(others) / max(1, most - best))
    return [*others[::every], *top]


def left_out_text(known: int, shown: int, best: int) -> str:
    """A sentence, or nothing."""
    return f" Of {plural(known, 'configuration')} the best {best} and some others are drawn." if shown < known else ""


def kind_of(record: SweepRecord, result: GroupResult) -> str:
    """`of-vanilla`, `censored` (fewer seeds than planned) or `whole`."""
    if record.configurations[result.name].configuration.strategy.is_vanilla:
        return "of-vanilla"
    return "censored" if result.n < record.header.replicates else "whole"


def point(kind: str, x: float, y: float, **data: object) -> str:
    """A dot, a diamond for vanilla, or a hollow square for what lacks seeds; a ring is laid around the best."""
    match kind:
        case "whole":
            return svg.element("circle", cx=x, cy=y, r=3.8, class_="configuration whole", **data)
        case "winner":
            return svg.element("circle", cx=x, cy=y, r=7.5, class_="ring")
        case _:
            shape = _DIAMOND if kind == "of-vanilla" else _SQUARE
            d = f"M{svg.number(x)} {svg.number(y)}{shape}"
            return svg.element("path", d=d, class_=f"configuration c-{kind}", **data)


def entries(kinds: Sequence[str]) -> list[tuple[str, str]]:
    """For a legend, of the kinds that are there."""
    return [(point(kind, 0, 0), words) for kind, words in WORDS.items() if kind in kinds]
