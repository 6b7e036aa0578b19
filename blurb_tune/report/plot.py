"""A picture of a sweep: the dev scores of all seeds, a row per configuration or strategy, model by model."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blurb_tune.core.errors import UnwrittenError
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord, TrialRecord
from blurb_tune.report.groups import Group, by_configuration, by_strategy, lacks_seeds, rank

MAX_ROWS = 40
# Okabe and Ito's colours, told apart by colour-blind readers too; the marks differ in shape besides.
_COMPLETED, _FAILED, _GREY, _VANILLA = "#0072B2", "#D55E00", "#777777", "#E69F00"
_TITLE_WIDTH, _LABEL_WIDTH = 90, 100  # characters
_ROW_INCHES, _FRAME_INCHES, _WIDTH_INCHES, _DPI = 0.3, 1.75, 8.0, 150


@dataclass(frozen=True)
class Mark:
    """How one kind of trial is drawn; size in points squared, width of its lines in points."""

    label: str
    shape: str
    color: str
    size: float
    width: float


_COMPLETED_MARK = Mark("completed", "o", _COMPLETED, 22, 0)
_FAILED_MARK = Mark("failed", "x", _FAILED, 26, 1.5)
_STOPPED_MARK = Mark("stopped with its configuration", "|", _GREY, 45, 1.3)


def plot_rows(record: SweepRecord, limit: int = MAX_ROWS) -> tuple[list[Group], int]:
    """At most `limit` rows, and the number of rows left out: model by model, the one with the best row first; of each model
    vanilla on top and the others by `rank`.

    A row is a configuration, so that its spread is that of the seeds; with more than `limit` of them, a strategy.
    """
    groups = _configurations(record) if len(record.configurations) <= limit else by_strategy(record)
    rows = sorted((group for group in groups if group.trials), key=lambda group: rank(record, group.result))
    models = list(dict.fromkeys(row.model for row in rows))
    rows.sort(key=lambda row: (models.index(row.model), not row.is_vanilla))
    most = limit if len(rows) <= limit else max(1, limit // len(record.header.models))
    shown = [row for top, bottom in _blocks_of_rows(rows) for row in rows[top : min(bottom, top + most)]]
    return shown, len(rows) - len(shown)


def _configurations(record: SweepRecord) -> list[Group]:
    """The configurations, with their ids where others have the same strategy."""
    groups = by_configuration(record)
    labels = [group.label for group in groups]
    return [
        group if labels.count(group.label) == 1 else replace(group, label=f"{group.label} ({group.result.name})")
        for group in groups
    ]


def plot_scores(record: SweepRecord, path: Path) -> None:
    """Draw the sweep's dev scores as an image at `path`, in the format of its suffix, replaced atomically.

    Dots are completed seeds, crosses failed ones (at the score they count with), grey ticks those that were stopped with their
    configuration (at their last score), diamonds with whiskers mean and standard deviation. Raises LookupError while the log
    is empty, UnwrittenError when the image cannot be written.
    """
    rows, left_out = plot_rows(record)
    figure = Figure(figsize=(_WIDTH_INCHES, _FRAME_INCHES + _ROW_INCHES * max(len(rows), 2)), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    _label(axes, record, rows, left_out)
    _draw_references(axes, record, rows)
    _draw_scores(axes, record, rows)
    _draw_spreads(axes, rows)
    if rows:
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        figure.savefig(temporary)
        temporary.replace(path)
    except OSError as error:
        raise UnwrittenError([f"{path}: cannot be written ({error.strerror or error})"]) from None
    finally:
        temporary.unlink(missing_ok=True)


def _label(axes: Axes, record: SweepRecord, rows: Sequence[Group], left_out: int) -> None:
    header = record.header
    title = f"{header.task}, {', '.join(header.models)}: {header.metric} on the dev split"
    axes.set_title(textwrap.fill(title, _TITLE_WIDTH), fontsize="medium", parse_math=False)
    label = f"{header.metric} ({_order(record, rows, left_out)})"
    axes.set_xlabel(textwrap.fill(label, _LABEL_WIDTH), fontsize="small", parse_math=False)
    axes.set_yticks(range(len(rows)), [row.label for row in rows], fontsize="small", parse_math=False)
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_color(_GREY if lacks_seeds(record, row.result) else "black")
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize="small")
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    if not rows:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "no trial has begun", transform=axes.transAxes, ha="center", va="center", color=_GREY)


def _order(record: SweepRecord, rows: Sequence[Group], left_out: int) -> str:
    """In words, how the rows are ordered."""
    has_vanilla = any(row.is_vanilla for row in rows)
    order = f"{'vanilla first, then the best' if has_vanilla else 'best first'}, by failed runs and {record.header.objective}"
    if record.has_models:
        order += "; models by their best"
    if any(lacks_seeds(record, row.result) for row in rows):
        order += "; grey: without a result for every seed"
    return f"{order}; {left_out} more not shown" if left_out else order


def _draw_references(axes: Axes, record: SweepRecord, rows: Sequence[Group]) -> None:
    """The trivial predictor's score over the height of the plot, and what vanilla gives over the rows of its model."""
    if rows and math.isfinite(record.header.trivial_score):
        # Failed runs can lie on its right: each is held against the trivial predictor of its own fold.
        name = "trivial predictor" + (" on all data (a run must beat its fold's)" if record.header.folds else "")
        axes.axvline(record.header.trivial_score, color="black", linewidth=1, linestyle="--", label=name)
    for height, row in enumerate(rows):
        if row.is_vanilla:
            axes.axhspan(height - 0.5, height + 0.5, color=_VANILLA, alpha=0.12, linewidth=0)
    label: str | None = "vanilla's mean ± std"
    for top, bottom in _blocks_of_rows(rows):
        if top:
            axes.axhline(top - 0.5, color=_GREY, linewidth=0.6)
        vanilla = next((row.result.spread for row in rows[top:bottom] if row.is_vanilla and row.result.n > 1), None)
        if vanilla is not None:
            low, high = vanilla.mean - vanilla.std, vanilla.mean + vanilla.std
            axes.fill_betweenx([top - 0.5, bottom - 0.5], low, high, color=_VANILLA, alpha=0.12, linewidth=0, label=label)
            label = None


def _blocks_of_rows(rows: Sequence[Group]) -> Iterator[tuple[int, int]]:
    """The rows of each model, as a half-open range of heights."""
    for model in dict.fromkeys(row.model for row in rows):
        heights = [height for height, row in enumerate(rows) if row.model == model]
        yield heights[0], heights[-1] + 1


def _draw_scores(axes: Axes, record: SweepRecord, rows: Sequence[Group]) -> None:
    """A mark per ended trial; the seeds of a row lie a little apart in y so that equal scores can be counted."""
    points: dict[Mark, list[tuple[float, float]]] = {mark: [] for mark in (_COMPLETED_MARK, _FAILED_MARK, _STOPPED_MARK)}
    for height, row in enumerate(rows):
        ended = [trial for trial in row.trials if trial.is_final and trial.outcome is not Outcome.ERRORED]
        for index, trial in enumerate(ended):
            counted = record.score(trial)
            score = trial.final_score if counted is None else counted
            points[_mark(trial)].append((score, height + _offset(index, len(ended))))
    for mark, places in points.items():
        if places:
            x, y = zip(*places, strict=True)
            axes.scatter(x, y, s=mark.size, marker=mark.shape, color=mark.color, lw=mark.width, zorder=3, label=mark.label)


def _mark(trial: TrialRecord) -> Mark:
    if trial.outcome is Outcome.COMPLETED:
        return _COMPLETED_MARK
    return _STOPPED_MARK if trial.outcome is Outcome.PRUNED_UNDERPERFORMING else _FAILED_MARK


def _draw_spreads(axes: Axes, rows: Sequence[Group]) -> None:
    drawn = [(row.result, height) for height, row in enumerate(rows) if row.result.n]
    if not drawn:
        return
    axes.errorbar(
        [result.spread.mean for result, _ in drawn],
        [height for _, height in drawn],
        xerr=[result.spread.std if result.n > 1 else 0.0 for result, _ in drawn],
        fmt="D",
        color="black",
        markersize=4,
        capsize=3,
        elinewidth=1.2,
        zorder=4,
        label="mean ± std",
    )
    for result, height in drawn:
        axes.annotate(
            f"n = {result.n}" + (f", {result.failed} failed" if result.failed else ""),
            (1.01, height),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            fontsize="x-small",
            color=_FAILED if result.failed else "#555555",
            annotation_clip=False,
        )


def _offset(index: int, count: int, span: float = 0.4) -> float:
    return 0.0 if count < 2 else span * (index / (count - 1) - 0.5)
