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
from blurb_tune.core.trial import Outcome
from blurb_tune.log.events import SweepStarted
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.final_scores import final_results
from blurb_tune.report.groups import Group, by_configuration, by_family, lacks_seeds, rank, vanilla_means
from blurb_tune.report.pruning import PruningResult, judge_pruning
from blurb_tune.results.groups import GroupResult

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
        yield from _final_test(self.record, self.box, padding)
        yield from (Text(), Text("\n".join(_balance(self.record))))


def _heading(record: SweepRecord, header: SweepStarted) -> Iterator[str]:
    length = f" after {duration(record.wall_seconds)}" if record.status != "running" else ""
    trials, slots = counted(len(record.trials), "trial"), counted(record.slots, "slot")
    yield f"Sweep {header.name} ({header.sweep_id}): {record.status}{length}, {trials} on {slots}."
    kept = "best" if header.score == "best" else "last"
    yield f"Task {header.task}, {'models' if record.has_models else 'model'} {', '.join(header.models)}."
    yield f"All scores: {header.metric} on the dev split, at the {kept} evaluation of a run."
    yield from (f"Note: {note}." for note in header.notes)


def _table(box: Box, padding: int, names: Iterable[str]) -> Table:
    table = Table(box=box, show_edge=False, padding=(0, padding, 0, 0), pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _numbers(group: Group) -> list[str]:
    result, spread = group.result, group.result.spread
    return [
        str(result.n),
        *(score(number) for number in (spread.mean, spread.std, spread.min, spread.max)),
        share(result.failed, result.n),
        str(result.dominated),
        score(result.objective),
        difference(group.difference),
    ]


def _family_table(record: SweepRecord, box: Box, padding: int) -> Table:
    table = _table(box, padding, ["family"])
    for group in by_family(record):
        table.add_row(Text(group.label), *_numbers(group), style="dim" if not group.result.n else None)
    return table


def _configuration_table(record: SweepRecord, box: Box, padding: int) -> Iterator[RenderableType]:
    """The best come first, by `rank`; configurations without a result for every seed are dimmed and come last."""
    table = _table(box, padding, ["", "strategy"])
    groups = sorted(by_configuration(record), key=lambda group: rank(record, group.result))
    for index, group in enumerate(groups[:MAX_ROWS]):
        style = "dim" if lacks_seeds(record, group.result) else "bold" if index == 0 else None
        table.add_row(Text(group.result.name), Text(group.label), *_numbers(group), style=style)
    yield table
    if len(groups) > MAX_ROWS:
        yield Text(f"{len(groups) - MAX_ROWS} more in configurations.csv")


def _best(record: SweepRecord) -> list[RenderableType]:
    best = record.best_configuration()
    if best is None:
        return [Text("No configuration has a result yet.")]
    group = next(group for group in by_configuration(record) if group.result.name == best.name)
    unit = _unit(record)
    spread = f"one {unit}" if best.n == 1 else f"std {score(best.spread.std)} over {counted(best.n, unit)}"
    lines = [f"{record.header.metric} {score(best.spread.mean)} on dev, {spread}; failed {share(best.failed, best.n)}"]
    if not group.is_vanilla and not math.isnan(group.difference):
        lines[0] += f"; {difference(group.difference)} against vanilla" + (" of the same model" if record.has_models else "")
    if lacks_seeds(record, best):
        lines.append(f"No configuration has a result for every {unit}: this one may look better than it is.")
    lines += _doubts(record, best)
    values = record.configurations[best.name].configuration.values()
    lines += [f"model: {values.pop('model')}", "space:", *(f"  {name}: {spelled(value)}" for name, value in values.items())]
    title = f"Best configuration by {record.header.objective}: {best.name}, {group.label}"
    return [Text(title, style="bold"), Text("\n".join(lines))]


def _doubts(record: SweepRecord, best: GroupResult) -> Iterator[str]:
    """Why the winner is no good one, or not the one with the highest objective."""
    alike = [r for r in record.by_configuration() if lacks_seeds(record, r) == lacks_seeds(record, best)]
    passed_over = sum(r.objective > best.objective and r.excess > best.excess for r in alike)
    if passed_over:
        limit = f"max_failed_share ({record.header.max_failed_share:g})"
        yield f"{counted(passed_over, 'configuration')} with a higher objective had more failed runs than {limit} allows."
    if best.failed < best.n:
        return
    outcomes = record.outcome_counts()
    if outcomes[Outcome.COMPLETED]:
        yield f"Every run of it failed, though {counted(outcomes[Outcome.COMPLETED], 'run')} of others did not."
    elif outcomes[Outcome.PRUNED_UNDERPERFORMING]:
        yield "Every run of it failed, and so did all others that were not stopped as dominated."
    else:
        yield "Every run of it failed: nothing in this sweep has learned the task. Try more epochs or other rates."


def _final_test(record: SweepRecord, box: Box, padding: int) -> Iterator[RenderableType]:
    """The winner and vanilla on the test split, beside what one run's score is worth with so few examples."""
    results = final_results(record)
    if not results:
        return
    table = Table(box=box, show_edge=False, padding=(0, padding, 0, 0), pad_edge=False)
    for name in ("", "strategy"):
        table.add_column(name, overflow="fold")
    for name in ("n", "mean", "std", "min", "max", "failed", "interval of one run"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        spread, (low, high) = result.spread, result.interval
        numbers = [score(number) for number in (spread.mean, spread.std, spread.min, spread.max)]
        interval = f"{score(low)} to {score(high)}"
        failed = share(result.failed, spread.n)
        table.add_row(Text(result.configuration), Text(result.label), str(spread.n), *numbers, failed, interval)
    examples = counted(results[0].examples, "example")
    yield from (
        Text(),
        Text(f"Final test: {record.header.metric} on the test split, {examples}, read once", style="bold"),
        table,
    )
    again = sum(result.trained_again for result in results)
    if again:
        yield Text(f"The weights of {counted(again, 'run')} were gone: trained once more, to where the run had ended.")
    missing = sum(result.missing for result in results)
    if missing:
        yield Text(f"{counted(missing, 'run')} could not be tested: see the log, and `weights` in the spec's settings.")


def _unit(record: SweepRecord) -> str:
    """What a configuration has several of: in a cross-validation a run is a seed and a fold."""
    return "run" if record.header.folds else "seed"


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
    counted_are = f"n: {_unit(record)}s with a result, failed ones included; dominated ones are cut short and left out"
    yield f"{counted_are}; {_reference(record)}."


def _reference(record: SweepRecord) -> str:
    if vanilla_means(record):
        return "vs vanilla: difference of the means" + (" to vanilla of the same model" if record.has_models else "")
    has_vanilla = any(c.configuration.strategy.is_vanilla for c in record.configurations.values())
    return "vs vanilla: which has no result yet" if has_vanilla else "vs vanilla: not in this sweep"


def _control_sentence(pruning: PruningResult) -> str:
    if not pruning.spared:
        return "Control group: empty, so how often the pruners are wrong is not known."
    running = pruning.spared - pruning.spared_ended
    rest = f" ({running} of them not at the end yet)" if running else ""
    wanted = "trial that a pruner wanted stopped" if pruning.spared == 1 else "trials that a pruner wanted stopped"
    return f"Control group: {pruning.spared} {wanted} ran on{rest}; {pruning.spared_completed} ended well."
