"""Every seed: a row of dots for each configuration or strategy, as in Mosbach et al. 2021 (arXiv 2006.04884, figure 1)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from blurb_tune.core.numbers import plural
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import legend, x_axis
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.marks import KINDS, diamond, kind_of, sign, trial_mark
from blurb_tune.report.figures.scale import Scale, covering
from blurb_tune.report.figures.seed_rows import Block, Row, blocks_of
from blurb_tune.report.figures.swarm import swarm
from blurb_tune.report.figures.words import score_text
from blurb_tune.results.groups import GroupResult

_LEFT, _RIGHT, _GUTTER = 236, 578, 62
_ROW, _TITLE, _FOOT = 38, 30, 50
_FEWEST_FOR_BOX = 4
# Of all rows together; with more trials a row shows its box and those that did not complete.
MOST_MARKS = 4000


def seeds_figure(record: SweepRecord) -> Figure | None:
    """A mark per ended trial at the score that it counts with; None while none has ended.

    Boxes reach from the first to the third quartile of the scores over seeds, whiskers to the last score within 1.5 times as
    far (Tukey 1977). In a cross-validation a dot is a seed, the mean over its folds, and small marks are the folds. What was
    stopped with its configuration is drawn at its last score, and is no part of box, median and mean. What has no score stands
    on the left of the axis.
    """
    blocks = blocks_of(record)
    rows = [row for block in blocks for row in block.rows]
    if not any(_final_trials(row) for row in rows):
        return None
    places = {trial.trial_id: _place(record, trial) for row in rows for trial in _final_trials(row)}
    has_gutter = any(map(math.isnan, places.values()))
    trivial = record.header.trivial_score
    left = _LEFT + (_GUTTER if has_gutter else 0)
    bands = [bound for block in blocks if block.vanilla for bound in _band(block.vanilla)]
    scale = covering([*places.values(), *bands, trivial], left, _RIGHT)
    is_dense = len(places) > MOST_MARKS
    entries = _legend(record, rows, is_dense)
    parts, top = legend(entries, 4)
    top += 30
    bottom = top + sum(_height(block) for block in blocks)
    parts += x_axis(scale, top, bottom, f"{record.header.metric} on dev", is_above=True)
    if has_gutter:
        parts.append(svg.text(_LEFT + _GUTTER / 2 - 4, top - 7, "no score", "muted middle"))
        parts.append(svg.line(left - 4, top, left - 4, bottom, "axis"))
    y = top
    for block in blocks:
        parts += _block(record, block, y, scale, places, is_dense)
        y += _height(block)
    if math.isfinite(trivial):
        parts.append(svg.line(scale(trivial), top, scale(trivial), bottom, "trivial"))
    alt = _alt(record, rows)
    return Figure(
        "seeds", "Every seed", _caption(record, blocks, is_dense), alt, svg.document("seeds", bottom + _FOOT, alt, parts)
    )


def _band(vanilla: GroupResult) -> tuple[float, float]:
    return vanilla.summary.mean - vanilla.summary.std, vanilla.summary.mean + vanilla.summary.std


def _final_trials(row: Row) -> list[TrialRecord]:
    return [trial for trial in row.trials if trial.is_final]


def _place(record: SweepRecord, trial: TrialRecord) -> float:
    """The score at which a trial is drawn, NaN where it has none."""
    counted_with = record.score(trial)
    if counted_with is not None:
        return counted_with
    return math.nan if trial.outcome is Outcome.ERRORED else trial.final_score


def _height(block: Block) -> float:
    return _ROW * len(block.rows) + (_TITLE if block.title else 0)


def _block(
    record: SweepRecord, block: Block, top: float, scale: Scale, places: dict[str, float], is_dense: bool
) -> Iterator[str]:
    if block.title:
        yield svg.text(10, top + 20, svg.truncate(block.title, _RIGHT - 20), "heading")
        top += _TITLE
    if block.vanilla is not None:
        low, high = map(scale, _band(block.vanilla))
        yield svg.rect(low, top, high - low, _ROW * len(block.rows), "vanilla-band")
    for index, row in enumerate(block.rows):
        yield from _row(record, row, top + index * _ROW, scale, places, is_dense)


def _row(record: SweepRecord, row: Row, top: float, scale: Scale, places: dict[str, float], is_dense: bool) -> Iterator[str]:
    middle = top + _ROW / 2
    yield svg.line(10, top + _ROW, svg.WIDTH - 10, top + _ROW, "grid")
    ink = None if row.has_all_seeds else "censored"
    of = {"data_configuration": row.configuration_id}
    yield svg.text(10, middle + (-2 if row.detail else 4.5), svg.truncate(row.label, _LEFT - 14), ink, **of)
    if row.detail:
        yield svg.text(10, middle + 14, svg.truncate(row.detail, _LEFT - 14), "muted")
    scores = [score for of_seeds in record.seed_scores(row.trials).values() for score in of_seeds.values()]
    yield from _box(row, scores, scale, middle)
    yield from _marks(record, row, scale, places, middle, is_dense)
    yield from _center(row, scores, scale, middle)
    yield from _counts(record, row, middle)


def _box(row: Row, scores: Sequence[float], scale: Scale, middle: float) -> Iterator[str]:
    if len(scores) < _FEWEST_FOR_BOX:
        return
    first, third = np.quantile(scores, [0.25, 0.75])
    reach = 1.5 * (third - first)
    low = min(score for score in scores if score >= first - reach)
    high = max(score for score in scores if score <= third + reach)
    yield svg.line(scale(low), middle, scale(high), middle, "whisker")
    yield svg.rect(
        scale(first), middle - 11, scale(third) - scale(first), 22, "box of-vanilla" if row.is_vanilla else "box", rx=2
    )


def _marks(
    record: SweepRecord, row: Row, scale: Scale, places: dict[str, float], middle: float, is_dense: bool
) -> Iterator[str]:
    """A swarm: equal scores lie beside each other in y, so that they can be counted."""
    shown = [trial for trial in _final_trials(row) if not is_dense or trial.outcome is not Outcome.COMPLETED]
    of_folds = record.header.folds > 0
    points: list[tuple[float, TrialRecord | tuple[str, int]]] = [
        (_LEFT + _GUTTER / 2 - 4 if math.isnan(places[trial.trial_id]) else scale(places[trial.trial_id]), trial)
        for trial in shown
    ]
    if of_folds:
        for configuration_id, of_seeds in record.seed_scores(row.trials).items():
            points += [(scale(score), (configuration_id, seed)) for seed, score in of_seeds.items()]
    offsets = swarm([x for x, _ in points], 4.0 if of_folds else 7.0, 15.0)
    for (x, what), offset in zip(points, offsets, strict=True):
        if isinstance(what, TrialRecord):
            yield trial_mark(what, x, middle + offset, is_fold=of_folds)
        else:
            seed = {"data_configuration": what[0], "data_seed": str(what[1])}
            yield svg.element("circle", cx=x, cy=middle + offset, r=4, class_="seed completed", **seed)


def _center(row: Row, scores: Sequence[float], scale: Scale, middle: float) -> Iterator[str]:
    if len(scores) > 1:
        median = scale(float(np.median(scores)))
        yield svg.line(median, middle - 12, median, middle + 12, "median")
    if scores:
        yield diamond(scale(row.result.summary.mean), middle)


def _counts(record: SweepRecord, row: Row, middle: float) -> Iterator[str]:
    result, x = row.result, _RIGHT + 12
    running = sum(not trial.is_final for trial in row.trials)
    first = ", ".join([f"n = {result.n}", *_in_words((result.errored, "errored"), (running, "running"))])
    second = ", ".join(_in_words((result.failed, "failed"), (result.underperforming, "stopped")))
    yield svg.text(x, middle + (-2 if second else 4.5), svg.truncate(first, svg.WIDTH - x))
    if second:
        yield svg.text(x, middle + 14, svg.truncate(second, svg.WIDTH - x), "note-failed" if result.failed else "muted")


def _in_words(*counts: tuple[int, str]) -> list[str]:
    return [f"{count} {what}" for count, what in counts if count]


def _legend(record: SweepRecord, rows: Sequence[Row], is_dense: bool) -> list[tuple[str, str]]:
    present = Counter(kind_of(trial.outcome) for row in rows for trial in _final_trials(row))
    if is_dense:
        del present["completed"]
    entries = [(sign(kind), words) for kind, words in KINDS.items() if present[kind]]
    if record.header.folds:
        entries = [(svg.element("circle", r=4, class_="completed"), "a seed: mean over its folds"), *entries]
        entries = [(mark, words.replace("completed", "fold completed")) for mark, words in entries]
    if any(row.result.n for row in rows):
        entries.append((diamond(0, 0), "mean"))
        entries.append((svg.line(0, -8, 0, 8, "median"), "median"))
    if any(row.result.n >= _FEWEST_FOR_BOX for row in rows):
        entries.append((svg.rect(-8, -6, 16, 12, "box", rx=2), "middle half of the seeds"))
    if banded := [row for row in rows if row.is_vanilla and math.isfinite(row.result.summary.std)]:
        so_far = "" if all(row.has_all_seeds for row in banded) else ", of the seeds that it has"
        entries.append((svg.rect(-8, -7, 16, 14, "vanilla-band"), f"vanilla: mean \u00b1 std{so_far}"))
    if math.isfinite(record.header.trivial_score):
        on = " on all data (each run is held against its fold's)" if record.header.folds else ""
        entries.append((svg.line(0, -8, 0, 8, "trivial"), f"trivial predictor{on}"))
    return entries


def _caption(record: SweepRecord, blocks: Sequence[Block], is_dense: bool) -> str:
    rows = [row for block in blocks for row in block.rows]
    is_pooled = any(row.configuration_id is None for row in rows)
    has_vanilla = any(row.is_vanilla for row in rows)
    unit = "strategy, of which all configurations are pooled" if is_pooled else "configuration"
    order = (
        f"{'vanilla first, then the best' if has_vanilla else 'the best first'}, by failed runs and {record.header.objective}"
    )
    mark = f"a mark for each trial at the {record.header.metric} on dev that it counts with"
    said = [f"A row for each {unit}, {mark}; {order}."]
    if record.has_models:
        said.append("Models by their best row, each with its own vanilla.")
    if any(not row.has_all_seeds for row in rows):
        said.append("Names in gray lack a result for some seeds: what is left after stopping looks better than it is.")
    if any(row.result.underperforming for row in rows):
        said.append("What was stopped with its configuration stands at its last score, and enters no mean.")
    if record.header.crossed:
        said.append("Seeds of the initialization and of the data order are crossed: the dots of a row are not independent.")
    if is_dense:
        said.append("Completed trials are too many to be drawn one by one: boxes, whiskers, mean and median stand for them.")
    if left_out := sum(block.left_out for block in blocks):
        said.append(f"{plural(left_out, 'row')} of lower rank not shown.")
    return " ".join(said)


def _alt(record: SweepRecord, rows: Sequence[Row]) -> str:
    whole = [row for row in rows if row.result.n]
    metric = record.header.metric
    if not whole:
        return f"No seed of {plural(len(rows), 'row')} has a result yet."
    best = min((row for row in whole), key=lambda row: (not row.has_all_seeds, row.result.excess, -row.result.objective))
    summary = best.result.summary
    said = f"{best.label} stands first with a mean {metric} of {score_text(summary.mean)} over {plural(summary.n, 'seed')}"
    vanilla = next((row for row in whole if row.is_vanilla), None)
    if vanilla is not None and vanilla is not best:
        said += f", vanilla has {score_text(vanilla.result.summary.mean)}"
    ended, failed = sum(row.result.ended for row in rows), sum(row.result.failed for row in rows)
    return f"{said}; {failed:,} of {plural(ended, 'run')} failed."
