"""Learning curves: dev scores over the share of the steps, a panel for each configuration, strategy or family."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from blurb_tune.core.numbers import plural
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import legend
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.marks import KINDS, kind_of, sign
from blurb_tune.report.figures.marks import shape as shape_of
from blurb_tune.report.figures.panels import grid_of, panel_axes
from blurb_tune.report.figures.scale import Scale
from blurb_tune.report.figures.words import rule_text, settings_text
from blurb_tune.report.hyperparameters import differing_hyperparameters
from blurb_tune.report.trial_groups import Group, by_configuration, by_family, by_strategy, rank

MAX_PANELS = 12
# Completed runs of a panel that are still drawn as lines of their own; and at most so many of each other kind.
_MOST_LINES, _MOST_OTHERS = 12, 20
_FEWEST_FOR_BAND = 5
_POINTS = 41
_OUTLIERS = 0.002


def curves_figure(record: SweepRecord) -> Figure | None:
    """Panels of the same axes; None while no run has been measured.

    The fan is of completed runs: the median of their dev scores at equal shares of their steps, and the band from the 10th to
    the 90th percentile. Failed runs and those stopped with their configuration are lines of their own, each to where it ended,
    with the rule that ended it.
    """
    groups, left_out = _groups(record)
    trials = [trial for group in groups for trial in group.trials if trial.is_final and trial.measurements]
    scores = np.array([m.dev_score for trial in trials for m in trial.measurements], dtype=float)
    scores = scores[np.isfinite(scores)]
    if not scores.size:
        return None
    parts, top = legend(_legend(trials), 4)
    parts.append(svg.text(10, top + 24, f"{record.header.metric} on dev, over the share of the planned steps", "muted"))
    low, high = np.quantile(scores, [_OUTLIERS, 1 - _OUTLIERS])
    trivial = record.header.trivial_score
    bounds = [low, high, trivial] if math.isfinite(trivial) else [low, high]
    panels, bottom = grid_of(len(groups), top + 26, lines=3 if record.has_models else 2)
    for panel, group in zip(panels, groups, strict=True):
        x, y = panel_axes(panel, (0.0, 1.0), bounds)
        parts += panel.frame(x, y, [*([group.model] if record.has_models else []), _title(record, group), _subtitle(group)])
        if math.isfinite(trivial):
            parts.append(svg.line(x.start, y(trivial), x.end, y(trivial), "trivial"))
        parts += _curves(record, group, x, y)
    alt = _alt(record, groups)
    title = "Learning curves"
    return Figure("curves", title, _caption(record, groups, left_out), alt, svg.document("curves", bottom, alt, parts))


def _groups(record: SweepRecord) -> tuple[list[Group], int]:
    """Configurations if they are few, or strategies, or families; vanilla of each model first, then the best."""
    for grouped in (by_configuration, by_strategy, by_family):
        groups = [group for group in grouped(record) if any(trial.is_final for trial in group.trials)]
        if len(groups) <= MAX_PANELS:
            break
    groups.sort(key=lambda group: (not group.is_vanilla, rank(record, group.result)))
    return groups[:MAX_PANELS], max(0, len(groups) - MAX_PANELS)


def _title(record: SweepRecord, group: Group) -> str:
    """Without the model; a configuration with the settings by which it is told apart from others of its strategy."""
    words = group.label.removeprefix(f"{group.model}: ") if record.has_models else group.label
    others = [name for name in record.configurations if record.label(name) == group.label]
    if group.result.name not in record.configurations or len(others) == 1:
        return words
    return f"{words}, {settings_text(record, group.result.name, differing_hyperparameters(record, others))}"


def _subtitle(group: Group) -> str:
    kinds = Counter(kind_of(trial.outcome) for trial in group.trials if trial.is_final)
    return ", ".join(
        [plural(kinds.total(), "run"), *(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind] and kind != "completed")]
    )


def _curves(record: SweepRecord, group: Group, x: Scale, y: Scale) -> Iterator[str]:
    by_kind: dict[str, list[TrialRecord]] = {kind: [] for kind in KINDS}
    for trial in group.trials:
        if trial.is_final and trial.measurements:
            by_kind[kind_of(trial.outcome)].append(trial)
    completed = by_kind["completed"]
    fan = _fan(record, completed, x, y)
    if fan and len(completed) >= _FEWEST_FOR_BAND:
        yield svg.element("path", d=svg.path_of([*fan["high"], *fan["low"][::-1]]) + "Z", class_="band completed-fill")
    if len(completed) <= _MOST_LINES:
        yield from (_line(record, trial, "completed", x, y) for trial in completed)
    for kind in ("stopped", "failed"):
        yield from (_line(record, trial, kind, x, y) for trial in _some(by_kind[kind]))
    if fan:
        yield svg.element("path", d=svg.path_of(fan["middle"]), class_="line completed-line")


def _fan(record: SweepRecord, completed: Sequence[TrialRecord], x: Scale, y: Scale) -> dict[str, list[tuple[float, float]]]:
    """10th percentile, median and 90th percentile at equal shares of the steps, where most runs have a score; empty where
    they nowhere have, and for a single run."""
    shares = np.linspace(0, 1, _POINTS)
    table = np.array([_at(shares, *_curve(record, trial)) for trial in completed]).reshape(len(completed), _POINTS)
    known = (~np.isnan(table)).sum(axis=0) * 2 > len(completed)
    if len(completed) < 2 or not known.any():
        return {}
    at = [x(share) for share in shares[known]]
    quantiles = np.nanquantile(table[:, known], [0.1, 0.5, 0.9], axis=0)
    return {
        name: [(a, y.clip(value)) for a, value in zip(at, of, strict=True)]
        for name, of in zip(("low", "middle", "high"), quantiles, strict=True)
    }


def _curve(record: SweepRecord, trial: TrialRecord) -> tuple[list[float], list[float]]:
    """Shares of the planned steps, and dev scores; the last ones of a run whose log repeats some."""
    epochs = record.configurations[trial.configuration_id].configuration.epochs
    return [min(1.0, m.epoch / epochs) for m in trial.measurements], [m.dev_score for m in trial.measurements]


def _at(shares: NDArray[np.float64], known: Sequence[float], scores: Sequence[float]) -> NDArray[np.float64]:
    """Scores between measurements, by straight lines; NaN before the first one, and next to an undefined one."""
    return np.interp(shares, known, scores, left=math.nan, right=math.nan)


def _some(trials: Sequence[TrialRecord]) -> Sequence[TrialRecord]:
    every = math.ceil(len(trials) / _MOST_OTHERS)
    return trials[::every] if every > 1 else trials


def _line(record: SweepRecord, trial: TrialRecord, kind: str, x: Scale, y: Scale) -> str:
    """The curve of one run, interrupted where its score is undefined, and the mark of its end."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for share, score in zip(*_curve(record, trial), strict=True):
        if math.isfinite(score):
            pieces[-1].append((x(share), y.clip(score)))
        elif pieces[-1]:
            pieces.append([])
    pieces = [piece for piece in pieces if piece]
    drawn = "".join(svg.path_of(piece) for piece in pieces)
    content = svg.element("path", d=drawn, class_=f"thin {kind}-line") if drawn else ""
    if kind != "completed":
        end = x(_curve(record, trial)[0][-1]), pieces[-1][-1][1] if pieces else y(y.low)
        content += svg.element("path", d=f"M{svg.number(end[0])} {svg.number(end[1])}{shape_of(kind)}", class_=kind)
    return svg.element("g", content, class_=f"trial {kind}-run", data_trial=trial.trial_id, data_rule=_rule(record, trial))


def _rule(record: SweepRecord, trial: TrialRecord) -> str | None:
    """How a run came to its end that did not complete, in words."""
    stopped = record.configurations[trial.configuration_id].stopped
    own = next((prune.rule for prune in reversed(trial.prunes) if not prune.spared), None)
    match trial.outcome:
        case Outcome.COLLAPSED:
            return "ended at the trivial level"
        case Outcome.DIVERGED:
            return rule_text("non_finite_loss")
        case Outcome.PRUNED_UNSTABLE | Outcome.PRUNED_UNDERPERFORMING:
            return rule_text(own or (stopped.rule if stopped else "stopped"))
        case _:
            return None


def _legend(trials: Sequence[TrialRecord]) -> list[tuple[str, str]]:
    kinds = {kind_of(trial.outcome) for trial in trials}
    entries = []
    if "completed" in kinds:
        entries.append((svg.line(-9, 0, 9, 0, "thin completed-line"), "completed run"))
        entries.append((svg.line(-9, 0, 9, 0, "line completed-line"), "their median"))
        entries.append((svg.rect(-8, -6, 16, 12, "band completed-fill"), "10th to 90th percentile"))
    entries += [
        (svg.line(-9, 0, 9, 0, f"thin {kind}-line") + sign(kind), KINDS[kind])
        for kind in ("failed", "stopped")
        if kind in kinds
    ]
    entries.append((svg.line(-9, 0, 9, 0, "trivial"), "trivial predictor"))
    return entries


def _caption(record: SweepRecord, groups: Sequence[Group], left_out: int) -> str:
    ended = [trial for group in groups for trial in group.trials if trial.is_final]
    rules = Counter(rule for trial in ended if trial.measurements and (rule := _rule(record, trial)))
    said = ["The median and the fan are of completed runs; what failed or was stopped is drawn run by run, to where it ended."]
    if rules:
        said.append(f"How they ended: {', '.join(f'{rule} ({count})' for rule, count in rules.most_common())}.")
    if any(
        sum(kind_of(trial.outcome) == kind for trial in group.trials if trial.is_final) > _MOST_OTHERS
        for group in groups
        for kind in ("failed", "stopped")
    ):
        said.append(f"Of more than {_MOST_OTHERS} failed or stopped runs in a panel some are drawn.")
    if left_out:
        said.append(f"{plural(left_out, 'panel')} of lower rank not shown.")
    return " ".join(said)


def _alt(record: SweepRecord, groups: Sequence[Group]) -> str:
    said = [f"{group.label}: {_subtitle(group)}" for group in groups]
    return f"Runs by the way in which they ended. {'; '.join(said)}."
