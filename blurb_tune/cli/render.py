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
from blurb_tune.report.groups import Group, by_configuration, by_family, lacks_seeds, rank
from blurb_tune.report.pruning import PruningResult, judge_pruning
from blurb_tune.report.summary import correlation_of_seeds, notes_of
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.stability import wilson_interval

MAX_ROWS = 15
PLAIN_WIDTH = 100
_ROOMY_WIDTH = 110
_CLEAR_CORRELATION = 0.3
_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_NUMBERS = ("n", "mean", "std", "min", "max", "failed", "objec-\ntive", "vs\nvanilla")


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
    yield from (f"Note: {note}." for note in notes_of(record))


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
        share(result.failed, result.ended),
        score(result.objective),
        difference(group.difference),
    ]


def _family_table(record: SweepRecord, box: Box, padding: int) -> Table:
    table = _table(box, padding, ["family"])
    for group in by_family(record):
        table.add_row(Text(group.label), *_numbers(group), style="dim" if not group.result.n else None)
    return table


def _configuration_table(record: SweepRecord, box: Box, padding: int) -> Iterator[RenderableType]:
    """The best come first, by `rank`; those that were stopped before they were whole stand apart, with what they had."""
    table = _table(box, padding, ["", "strategy"])
    groups = sorted(by_configuration(record), key=lambda group: rank(record, group.result))
    whole = [group for group in groups if not record.is_censored(group.result.name)]
    stopped = [group for group in groups if record.is_censored(group.result.name)]
    for index, group in enumerate(whole[:MAX_ROWS]):
        style = "dim" if lacks_seeds(record, group.result) else "bold" if index == 0 else None
        table.add_row(Text(group.result.name), Text(group.label), *_numbers(group), style=style)
    yield table
    if len(whole) > MAX_ROWS:
        yield Text(f"{len(whole) - MAX_ROWS} more in configurations.csv")
    if stopped:
        yield from (Text(), Text("Stopped before their last seed, and so not ranked", style="bold"))
        yield _stopped_table(record, stopped[:MAX_ROWS], box, padding)
    if len(stopped) > MAX_ROWS:
        yield Text(f"{len(stopped) - MAX_ROWS} more in configurations.csv")


def _stopped_table(record: SweepRecord, groups: Iterable[Group], box: Box, padding: int) -> Table:
    table = Table(box=box, show_edge=False, padding=(0, padding, 0, 0), pad_edge=False)
    for name in ("", "strategy"):
        table.add_column(name, overflow="fold")
    for name in ("n", "mean", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("stopped by", overflow="fold")
    for group in groups:
        result, configuration = group.result, record.configurations[group.result.name]
        stopped = configuration.stopped
        why = "" if stopped is None else f"{stopped.rule}, after {counted(stopped.replicates, 'seed')}"
        table.add_row(
            Text(result.name),
            Text(group.label),
            f"{result.n}/{record.header.replicates}",
            score(result.spread.mean),
            share(result.failed, result.ended),
            Text(why + (", again" if configuration.reopened else "")),
        )
    return table


def _best(record: SweepRecord) -> list[RenderableType]:
    best = record.best_configuration()
    if best is None:
        return [Text("No configuration has a result yet.")]
    group = next(group for group in by_configuration(record) if group.result.name == best.name)
    spread = "one seed" if best.n == 1 else f"std {score(best.spread.std)} over {counted(best.n, 'seed')}"
    lines = [f"{record.header.metric} {score(best.spread.mean)} on dev, {spread}; failed {share(best.failed, best.ended)}"]
    if not math.isnan(group.difference):
        reference = record.references()[group.model]
        cut = f", stopped after {counted(reference.n, 'seed')}" if record.is_censored(reference.name) else ""
        lines[0] += f"; {difference(group.difference)} against the best vanilla ({reference.name}{cut})"
    if lacks_seeds(record, best):
        lines.append("No configuration has a result for every seed: this one may look better than it is.")
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
    if best.failed < best.ended:
        return
    outcomes = record.outcome_counts()
    if outcomes[Outcome.COMPLETED]:
        yield f"Every run of it failed, though {counted(outcomes[Outcome.COMPLETED], 'run')} of others did not."
    elif outcomes[Outcome.PRUNED_UNDERPERFORMING]:
        yield "Every run of it failed, and so did all others that ran to their end."
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


def _balance(record: SweepRecord) -> Iterator[str]:
    counts = {name: count for name, count in record.outcome_counts().items() if count}
    counts["unfinished"] = sum(not trial.is_final for trial in record.trials.values())
    yield "Outcomes: " + (", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none yet") + "."
    yield from _stops(judge_pruning(record))
    correlation = correlation_of_seeds(record)
    if correlation.mean > _CLEAR_CORRELATION:
        yield (
            f"Scores of one seed are alike in different configurations (correlation {correlation.mean:.2f} over "
            f"{counted(correlation.pairs, 'pair')}): a comparison seed by seed tells more."
        )
    folds = ", each the mean of its folds" if record.header.folds else ""
    yield f"n: seeds with a result{folds}, failed ones included."
    yield f"{_reference(record)}."


def _stops(pruning: PruningResult) -> Iterator[str]:
    """What stopping saved, and what the control group says of it."""
    if not pruning.rules:
        return
    stopped = " and ".join(
        counted(number, noun)
        for number, noun in ((pruning.stopped_runs, "run"), (pruning.stopped_configurations, "configuration"))
        if number
    )
    saved = f"{pruning.epochs_saved:.0f} of {pruning.epochs_planned} epochs ({pruning.saved_share or 0.0:.0%})"
    reopened = f"; {counted(pruning.reopened, 'configuration')} went on after all" if pruning.reopened else ""
    yield f"Stopped: {stopped or 'nothing'}, which saved {saved}{reopened}."
    for what, meaning in (("run", "ended well"), ("configuration", "won")):
        rules = [rule for rule in pruning.rules if rule.what == what]
        judged, wrong = sum(rule.judged for rule in rules), sum(rule.wrong for rule in rules)
        running = sum(rule.spared for rule in rules) - judged
        if judged or running:
            low, high = wilson_interval(wrong, judged)
            rest = f" ({running} not at the end yet)" if running else ""
            yield (
                f"Control group: {counted(judged, what)} went on{rest} that {'was' if judged == 1 else 'were'} to be stopped; "
                f"{wrong} {meaning} ({low:.0%} to {high:.0%} with 95 % confidence)."
            )
    if not any(rule.spared for rule in pruning.rules):
        yield "Control group: empty, so how often the stops are wrong is not known."


def _reference(record: SweepRecord) -> str:
    references = record.references().values()
    if references:
        model = " of the same model" if record.has_models else ""
        cut = " (cut short itself)" if any(record.is_censored(reference.name) for reference in references) else ""
        return f"vs vanilla: a row's best mean minus that of the best vanilla configuration{model}{cut}"
    has_vanilla = any(c.configuration.strategy.is_vanilla for c in record.configurations.values())
    return "vs vanilla: which has no result yet" if has_vanilla else "vs vanilla: not in this sweep"
