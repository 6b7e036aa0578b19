"""One frame of the live view: a sweep's progress, cut to the size of the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from blurb_tune.core.numbers import difference, duration, score, share, time_left
from blurb_tune.log.record import TrialRecord
from blurb_tune.report.groups import Group, lacks_seeds
from blurb_tune.report.progress import Progress, Standing
from blurb_tune.results.groups import GroupResult

MAX_STRATEGIES = 8
_BAR_WIDTH = 18
# Lines that are always there: title, bar, counts, best, and a blank and the headings for each of the two tables.
_FIXED_LINES = 8
_SMALLEST_HEIGHT = 15
# What the number columns of each table need; the first column gets the rest of the width.
_STRATEGY_NUMBERS, _RUNNING_NUMBERS = 47, 36


def frame(progress: Progress, width: int, height: int, now: float) -> RenderableType:
    """The view at `now` (seconds since the epoch) in `height` lines, at least 15; rows that do not fit are counted."""
    header = progress.record.started
    if header is None:
        return _line("starting the sweep")
    standing = progress.standing(MAX_STRATEGIES)
    running = list(progress.running.values())
    room = max(height, _SMALLEST_HEIGHT) - _FIXED_LINES
    for_running = min(len(running), max(room - len(standing.groups), room // 2))
    parts: list[RenderableType] = [
        _line(f"{header.name}: {header.task}, {', '.join(header.models)}, {header.metric} on dev", style="bold"),
        _bar(progress, now),
        _counts(progress),
        _best(progress, standing.best),
    ]
    if standing.groups:
        parts += [Text(), _groups(progress, standing, room - for_running, width)]
    if running:
        parts += [Text(), _running(progress, running, for_running, width)]
    return Lines(*parts)


def _line(text: str, style: str = "") -> Text:
    return Text(" ".join(text.split()), style=style, no_wrap=True, overflow="ellipsis")


def _bar(progress: Progress, now: float) -> RenderableType:
    done, total = progress.counts().done, progress.total()
    started = progress.session_started
    elapsed = f", {duration(now - started)} elapsed" if started is not None else ""
    if total is None:
        return _line(f"{done} trials done{elapsed}")
    left = progress.seconds_left(now)
    rest = f", {time_left(left)}" if left is not None and done < total else ""
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=total, completed=done, width=_BAR_WIDTH), _line(f"{done}/{total} trials{elapsed}{rest}"))
    return row


def _counts(progress: Progress) -> Text:
    counts = progress.counts()
    finished = f"{counts.finished} finished (of these {counts.pruned} pruned, {counts.failed} failed)"
    return _line(f"{counts.running} running, {finished}, {counts.errored} errored")


def _best(progress: Progress, best: GroupResult | None) -> Text:
    if best is None:
        return _line("best so far: -")
    label = progress.record.label(best.name)
    return _line(f"best so far: {best.name}, {label}: {_mean_and_std(best)}, n {best.n}", style="green")


def _mean_and_std(result: GroupResult) -> str:
    return f"{score(result.spread.mean)} ± {score(result.spread.std)}" if result.n > 1 else score(result.spread.mean)


def _table(first: str, first_width: int, *numbers: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(first, no_wrap=True, overflow="ellipsis", max_width=max(first_width, 8))
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True, overflow="ellipsis")
    return table


def _groups(progress: Progress, standing: Standing, rows: int, width: int) -> Table:
    numbers = ("mean ± std", "n", "failed", "objective", "vs vanilla")
    table = _table(standing.kind, width - _STRATEGY_NUMBERS, *numbers)
    shown = _shown(standing.groups, rows)
    for group in standing.groups[:shown]:
        style = "dim" if lacks_seeds(progress.record, group.result) else ""
        table.add_row(Text(group.label), *_cells(group), style=style)
    if shown < len(standing.groups):
        table.add_row(f"and {len(standing.groups) - shown} more", style="dim")
    return table


def _cells(group: Group) -> tuple[str, ...]:
    result = group.result
    failed, objective = share(result.failed, result.n), score(result.objective)
    return _mean_and_std(result), str(result.n), failed, objective, difference(group.difference)


def _running(progress: Progress, trials: Sequence[TrialRecord], rows: int, width: int) -> Table:
    table = _table("running", width - _RUNNING_NUMBERS, "seed", "step", "epoch", "last score")
    shown = _shown(trials, rows)
    for trial in trials[:shown]:
        configuration = progress.record.configurations[trial.configuration_id].configuration
        name = Text(f"{trial.configuration_id}, {progress.record.label(trial.configuration_id)}")
        epochs = f"{trial.epochs:.3g}/{configuration.epochs}"
        table.add_row(name, trial.run.removeprefix("seed "), str(trial.steps), epochs, score(trial.final_score))
    if shown < len(trials):
        table.add_row(f"and {len(trials) - shown} more", style="dim")
    return table


def _shown(items: Sequence[object], rows: int) -> int:
    """How many of `items` to show in `rows` lines, one of which says how many are left out when not all fit."""
    return len(items) if len(items) <= rows else max(rows - 1, 0)
