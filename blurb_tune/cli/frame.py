"""One frame of the live view: a sweep's progress, cut to the size of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from blurb_tune.cli.spark import spark
from blurb_tune.core.numbers import difference, duration, plural, score, share, time_left
from blurb_tune.core.trial import Outcome
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.hyperparameters import settings_in_words, varying_settings
from blurb_tune.report.progress import Progress
from blurb_tune.report.trial_groups import Group, lacks_seeds
from blurb_tune.results.groups import GroupResult, why_no_result

_BAR_WIDTH = 16
_HEAD_LINES = 5  # title, folder, bar, counts, best
_TABLE_LINES = 2  # a blank and the headings
_SMALLEST_HEIGHT = 16
# What the number columns of each table need; the first column gets the rest of the width.
_STRATEGY_NUMBERS, _RUNNING_NUMBERS = 47, 52
_SPARK = 8
_SILENT_SECONDS = 20.0  # after which what was heard last of a trial is not shown as its state
_PHASES = 8


@dataclass
class Scene:
    """What a view knows beside the events. phases: what the driver has done so far and since when, the last of which it does
    now; none is left when trials run."""

    began: float
    title: str
    folder: str = ""
    waiting: str = ""
    phases: list[tuple[str, float]] = field(default_factory=list)


def frame(progress: Progress, scene: Scene, left: float | None, width: int, height: int, now: float) -> RenderableType:
    """The view at `now` (seconds since the epoch) in `height` lines, at least 16; rows that do not fit are counted.

    left: the seconds to go, None while nobody knows.
    """
    header = progress.record.started
    if header is None or (scene.phases and not progress.running and not progress.record.trials):
        return Lines(*_beginning(scene, now))
    leaderboard = progress.leaderboard()
    groups = [group for group in leaderboard.groups if group.result.ended]
    running = list(progress.running.values())
    heads = _HEAD_LINES + bool(scene.waiting) + _TABLE_LINES * (bool(groups) + bool(running or scene.phases))
    room = max(height, _SMALLEST_HEIGHT) - heads
    for_running = min(len(running), max(room - len(groups), room // 2))
    parts: list[RenderableType] = [
        _line(f"{header.name}: {header.task}, {', '.join(header.models)}, {header.metric} on dev", style="bold"),
        _line(scene.folder or header.sweep_id, style="dim"),
        _bar(progress, left, now),
        _counts(progress),
        best_line(progress, leaderboard.best),
    ]
    if scene.waiting:
        parts.append(_line(scene.waiting, style="yellow"))
    if groups:
        parts += [Text(), _groups(progress, leaderboard.kind, groups, room - for_running, width)]
    if running:
        parts += [Text(), _running(progress, running, for_running, width, now)]
    elif scene.phases:
        parts += [Text(), _phase(*scene.phases[-1], now)]
    return Lines(*parts)


def _beginning(scene: Scene, now: float) -> list[RenderableType]:
    """What has been done so far, and what is done now."""
    ends = [since for _, since in scene.phases[1:]]
    done = [_line(f"  {what}: {duration(end - since)}", "dim") for (what, since), end in zip(scene.phases, ends, strict=False)]
    parts: list[RenderableType] = [_line(scene.title, style="bold")]
    if scene.folder:
        parts.append(_line(scene.folder, style="dim"))
    now_doing = scene.phases[-1] if scene.phases else ("starting", scene.began)
    return [*parts, *done[-_PHASES:], _phase(*now_doing, now)]


def _phase(what: str, since: float, now: float) -> Text:
    return _line(f"  {what} ... {whole_seconds(now - since)}" if now - since >= 1 else f"  {what} ...")


def whole_seconds(seconds: float) -> str:
    """A time that runs: whole seconds, which do not flicker."""
    return f"{max(int(seconds), 0)} s" if seconds < 60 else duration(int(seconds))


def _line(text: str, style: str = "") -> Text:
    lead = len(text) - len(text.lstrip())
    return Text(" " * lead + " ".join(text.split()), style=style, no_wrap=True, overflow="ellipsis")


def _bar(progress: Progress, left: float | None, now: float) -> RenderableType:
    elapsed, work = whole_seconds(progress.elapsed(now)), progress.work()
    if work is None:
        return _line(f"{plural(progress.counts().done, 'trial')} done, {elapsed} elapsed")
    rest = f", {time_left(left)}" if left is not None and work.done < work.total else ""
    row = Table.grid(padding=(0, 1))
    said = f"{work.done:,.0f}/{work.total:,.0f} epochs, {elapsed} elapsed{rest}"
    row.add_row(ProgressBar(total=work.total, completed=work.done, width=_BAR_WIDTH), _line(said))
    return row


def _counts(progress: Progress) -> Text:
    counts, total = progress.counts(), progress.total()
    of = f"/{total:,}" if total is not None else ""
    cut_short = progress.record.outcome_counts()[Outcome.PRUNED_UNDERPERFORMING]
    ended = [f"{counts.finished - counts.failed - cut_short} completed", f"{counts.failed} failed"]
    ended += [f"{cut_short} cut short"] if cut_short else []
    ended += [f"{counts.errored} errored"] if counts.errored else []
    return _line(f"{counts.done:,}{of} trials ended, {counts.running} running: {', '.join(ended)}")


def best_line(progress: Progress, best: GroupResult | None) -> Text:
    """The best configuration so far."""
    if best is None or not best.n:
        return _line("best so far: no result yet")
    if why_no_result(best) is not None:
        return _line(f"best so far: none; of the first, {best.name}, {best.failed} of {plural(best.ended, 'run')} failed")
    seeds = f"n {best.n}" + ("" if best.n >= progress.record.header.replicates else f" of {progress.record.header.replicates}")
    return _line(f"best so far: {_name(progress, best.name)}: {_mean_and_std(best)}, {seeds}", style="green")


def _name(progress: Progress, configuration_id: str) -> str:
    configuration = progress.record.configurations[configuration_id].configuration
    words = settings_in_words(configuration, varying_settings(progress.record))
    return ", ".join(filter(None, (configuration_id, progress.record.label(configuration_id), words)))


def _mean_and_std(result: GroupResult) -> str:
    return f"{score(result.summary.mean)} ± {score(result.summary.std)}" if result.n > 1 else score(result.summary.mean)


def _table(first: str, first_width: int, *numbers: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(first, no_wrap=True, overflow="ellipsis", max_width=max(first_width, 8))
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True, overflow="ellipsis")
    return table


def _groups(progress: Progress, kind: str, groups: Sequence[Group], rows: int, width: int) -> Table:
    table = _table(kind, width - _STRATEGY_NUMBERS, "mean ± std", "n", "failed", "objective", "vs vanilla")
    shown = _rows_that_fit(groups, rows)
    for group in groups[:shown]:
        style = "dim" if lacks_seeds(progress.record, group.result) else ""
        table.add_row(Text(group.label), *_cells(group), style=style)
    if shown < len(groups):
        table.add_row(f"and {len(groups) - shown} more", style="dim")
    return table


def _cells(group: Group) -> tuple[str, ...]:
    result = group.result
    failed, objective = share(result.failed, result.ended), score(result.objective)
    return _mean_and_std(result), str(result.n), failed, objective, difference(group.difference)


def _running(progress: Progress, trials: Sequence[TrialRecord], rows: int, width: int, now: float) -> Table:
    table = _table("running", width - _RUNNING_NUMBERS, "seed", "epoch", "train loss", "dev score")
    shown = _rows_that_fit(trials, rows)
    for trial in trials[:shown]:
        measured = trial.measurements
        table.add_row(
            Text(_name(progress, trial.configuration_id)),
            trial.seed_and_fold.removeprefix("seed "),
            _doing(progress, trial, now),
            _curve([m.train_loss for m in measured]),
            _curve([m.dev_score for m in measured]),
        )
    if shown < len(trials):
        table.add_row(f"and {len(trials) - shown} more", style="dim")
    return table


def _doing(progress: Progress, trial: TrialRecord, now: float) -> str:
    silent, pulse = progress.silent_seconds(trial.trial_id, now), progress.pulses.get(trial.trial_id)
    if silent > _SILENT_SECONDS and progress.hears_pulses:
        return f"silent {whole_seconds(silent)}"
    if pulse is None and not trial.measurements:
        return "starting"
    if pulse is not None and not pulse.steps and not trial.measurements:
        return "loading"
    planned = progress.record.configurations[trial.configuration_id].configuration.epochs
    return f"{progress.epochs_of(trial):.1f}/{planned}"


def _curve(values: Sequence[float]) -> str:
    return f"{spark(values, _SPARK)} {score(values[-1])}" if values else "-"


def _rows_that_fit(items: Sequence[object], rows: int) -> int:
    """How many of `items` to show in `rows` lines, one of which says how many are left out when not all fit."""
    return len(items) if len(items) <= rows else max(rows - 1, 0)
