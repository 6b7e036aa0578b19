"""What `run` says at the end of a sweep."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from blurb_tune.cli.formatting import counted, difference, duration, score, share, spelled
from blurb_tune.events import SweepStarted
from blurb_tune.record import GroupResult, SweepRecord
from blurb_tune.report.groups import lacks_seeds, rank, vanilla_mean
from blurb_tune.report.pruning import PruningResult, judge_pruning

MAX_ROWS = 15
PLAIN_WIDTH = 100
_ROOMY_WIDTH = 110
_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_NUMBERS = ("n", "mean", "std", "min", "max", "failed", "domi-\nnated", "objec-\ntive", "vs\nvanilla")


def summary_view(record: SweepRecord) -> RenderableType:
    """The result of a sweep for a terminal. Raises LookupError while the log is empty."""
    return _Summary(record, record.header, SIMPLE_HEAD)


def plain_summary(record: SweepRecord) -> str:
    """The same as `summary_view`, as text of at most 100 columns without colours and box-drawing characters."""
    console = Console(file=io.StringIO(), width=PLAIN_WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(_Summary(record, record.header, _ASCII_HEAD))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n") + "\n"


@dataclass(frozen=True)
class _Summary:
    """Laid out when it is printed, because the tables are set closer in a narrow terminal."""

    record: SweepRecord
    header: SweepStarted
    box: Box

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n".join(_heading(self.record, self.header)))
        if not self.record.trials:
            return
        padding = 1 if options.max_width >= _ROOMY_WIDTH else 0
        yield from (Text(), Text("Strategy families", style="bold"), _family_table(self.record, self.box, padding))
        yield from (Text(), Text("Configurations, the best first", style="bold"))
        yield from _configuration_table(self.record, self.box, padding)
        yield from (Text(), *_best(self.record))
        yield from (Text(), Text("\n".join(_balance(self.record))))


def _heading(record: SweepRecord, header: SweepStarted) -> Iterator[str]:
    length = f" after {duration(record.wall_seconds)}" if record.status != "running" else ""
    trials, slots = counted(len(record.trials), "trial"), counted(record.slots, "slot")
    yield f"Sweep {header.name} ({header.sweep_id}): {record.status}{length}, {trials} on {slots}."
    kept = "best" if header.score == "best" else "last"
    yield f"Task {header.task}, model {header.model}."
    yield f"All scores: {header.metric} on the dev split, at the {kept} evaluation of a run."


def _table(box: Box, padding: int, names: Iterable[str]) -> Table:
    table = Table(box=box, show_edge=False, padding=(0, padding, 0, 0), pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _numbers(result: GroupResult, reference: float) -> list[str]:
    spread = result.spread
    return [
        str(result.n),
        *(score(number) for number in (spread.mean, spread.std, spread.min, spread.max)),
        share(result.failed, result.n),
        str(result.dominated),
        score(result.objective),
        difference(spread.mean - reference),
    ]


def _family_table(record: SweepRecord, box: Box, padding: int) -> Table:
    table = _table(box, padding, ["family"])
    reference = vanilla_mean(record)
    for result in record.by_family():
        table.add_row(Text(result.name), *_numbers(result, reference), style="dim" if not result.n else None)
    return table


def _configuration_table(record: SweepRecord, box: Box, padding: int) -> Iterator[RenderableType]:
    """The best come first; configurations without a result for every seed are dimmed and come last."""
    table = _table(box, padding, ["", "strategy"])
    reference = vanilla_mean(record)
    results = sorted(record.by_configuration(), key=lambda result: rank(record, result))
    for index, result in enumerate(results[:MAX_ROWS]):
        label = record.configurations[result.name].configuration.strategy.label
        style = "dim" if lacks_seeds(record, result) else "bold" if index == 0 else None
        table.add_row(Text(result.name), Text(label), *_numbers(result, reference), style=style)
    yield table
    if len(results) > MAX_ROWS:
        yield Text(f"{len(results) - MAX_ROWS} more in configurations.csv")


def _best(record: SweepRecord) -> list[RenderableType]:
    best = record.best_configuration()
    if best is None:
        return [Text("No configuration has a result yet.")]
    configuration = record.configurations[best.name].configuration
    reference = vanilla_mean(record)
    spread = "one seed" if best.n == 1 else f"std {score(best.spread.std)} over {best.n} seeds"
    lines = [f"{record.header.metric} {score(best.spread.mean)} on dev, {spread}; failed {share(best.failed, best.n)}"]
    if not configuration.strategy.is_vanilla and not math.isnan(reference):
        lines[0] += f"; {difference(best.spread.mean - reference)} against vanilla"
    if lacks_seeds(record, best):
        lines.append("No configuration has a result for every seed: this one may look better than it is.")
    if best.failed == best.n:
        lines.append("Every run of it failed: nothing in this sweep has learned the task. Try more epochs or other rates.")
    lines += ["space:", *(f"  {name}: {spelled(value)}" for name, value in configuration.values().items())]
    title = f"Best configuration by {record.header.objective}: {best.name}, {configuration.strategy.label}"
    return [Text(title, style="bold"), Text("\n".join(lines))]


def _balance(record: SweepRecord) -> Iterator[str]:
    counts = {name: count for name, count in record.outcome_counts().items() if count}
    counts["unfinished"] = sum(not trial.is_final for trial in record.trials.values())
    yield "Outcomes: " + (", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none yet") + "."
    pruning = judge_pruning(record)
    if pruning.stopped:
        saved = f"{pruning.epochs_saved:.0f} of {pruning.epochs_planned} epochs ({pruning.saved_share:.0%})"
        yield f"Pruning stopped {counted(pruning.stopped, 'trial')} and saved {saved}."
    if pruning.stopped or pruning.spared:
        yield _control_sentence(pruning)
    reference = (
        "vs vanilla: difference of the means" if not math.isnan(vanilla_mean(record)) else "vs vanilla: not in this sweep"
    )
    yield f"n: seeds with a result, failed ones included; dominated ones are cut short and left out; {reference}."


def _control_sentence(pruning: PruningResult) -> str:
    if not pruning.spared:
        return "Control group: empty, so how often the pruners are wrong is not known."
    running = pruning.spared - pruning.spared_ended
    rest = f" ({running} of them not at the end yet)" if running else ""
    wanted = "trial that a pruner wanted stopped" if pruning.spared == 1 else "trials that a pruner wanted stopped"
    return f"Control group: {pruning.spared} {wanted} ran on{rest}; {pruning.spared_completed} ended well."
