"""Vanilla and the best strategies: the lines of the figures that can hold only a few."""

from __future__ import annotations

from dataclasses import dataclass

from blurb_tune.core.numbers import plural
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.claims import MAX_STRATEGIES
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.words import settings_text
from blurb_tune.report.hyperparameters import differing_hyperparameters
from blurb_tune.report.trial_groups import by_family, by_strategy, rank

MAX_LINES = 6
# Told apart by color and by dashes. Vanilla has its own color in all figures.
_STYLES = ("s1", "s2 d2", "s3 d3", "s4 d4", "s8 d5", "s6 d6")


@dataclass(frozen=True)
class Contender:
    """The best configuration of a strategy. name: the strategy in words. label: with its number of seeds and the settings in
    which it differs from the others. is_censored: it was stopped before it had all seeds. scores: of its seeds. style: the
    classes of its line."""

    name: str
    label: str
    configuration_id: str
    is_vanilla: bool
    is_censored: bool
    scores: tuple[float, ...]
    style: str

    @property
    def fill(self) -> str:
        """The class of an area in the line's color."""
        return "vanilla-fill" if self.is_vanilla else f"f{self.style[1]}"

    def sign(self) -> str:
        return svg.line(-9, 0, 9, 0, f"line {self.style}")


def contenders(record: SweepRecord, limit: int = MAX_LINES) -> tuple[list[Contender], int]:
    """Vanilla of the model of the best, if it has a result, and the best strategies, `limit` in all; and how many strategies
    are left out for lack of room.

    Of each strategy the configuration that stands first, as best is compared with best; where there are more than 15
    strategies, of each family. What was stopped before it had all seeds is left out, and compared with nothing; vanilla alone
    is there all the same, and says so.
    """
    groups = by_strategy(record)
    if len(groups) > MAX_STRATEGIES:
        groups = by_family(record)
    found = []
    for group in groups:
        best = record.best_of(dict.fromkeys(trial.configuration_id for trial in group.trials))
        if best is not None and (group.is_vanilla or not record.is_censored(best.name)):
            found.append((group, best))
    found.sort(key=lambda item: (record.is_censored(item[1].name), rank(record, item[1])))
    if not found:
        return [], 0
    model = found[0][0].model
    vanilla = [item for item in found if item[0].is_vanilla and item[0].model == model]
    others = [item for item in found if item not in vanilla and not record.is_censored(item[1].name)]
    shown = (vanilla + others)[:limit]
    names = differing_hyperparameters(record, [best.name for _, best in shown])
    styles = iter(_STYLES)
    lines = []
    for group, best in shown:
        name, settings = record.label(best.name), settings_text(record, best.name, names)
        is_vanilla, is_censored = (group, best) in vanilla, record.is_censored(best.name)
        count = f"stopped after {plural(best.n, 'seed')}" if is_censored else f"n = {best.n}"
        label = f"{name} ({count})" + (f", {settings}" if settings else "")
        scores = tuple(record.seed_scores(record.trials_of(best.name)).get(best.name, {}).values())
        style = "of-vanilla" if is_vanilla else next(styles)
        lines.append(Contender(name, label, best.name, is_vanilla, is_censored, scores, style))
    return lines, len(vanilla) + len(others) - len(shown)


def left_out_text(left_out: int) -> str:
    """A sentence, or nothing."""
    return f" {left_out} more {'is' if left_out == 1 else 'are'} not shown." if left_out else ""
