"""What `run` says at the end of a sweep."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from blurb_tune.cli.formatting import counted, difference, duration, percents, score, share, spanned, spelled
from blurb_tune.core.trial import Outcome
from blurb_tune.log.events import SweepStarted
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.advice import what_to_try
from blurb_tune.report.claims import Claim, claims_of, confirmation_of, shares_of_variance, vanilla_share
from blurb_tune.report.final_scores import final_results
from blurb_tune.report.groups import Group, by_configuration, by_family, lacks_seeds, rank
from blurb_tune.report.pruning import PruningResult, judge_pruning
from blurb_tune.report.summary import correlation_of_seeds, notes_of
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.comparison import ALPHA, Comparison
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
        yield from _claims_table(self.record, self.box, padding)
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


def _claims_table(record: SweepRecord, box: Box, padding: int) -> Iterator[RenderableType]:
    """Each strategy beside vanilla, and how sure it is."""
    claims = claims_of(record)
    if not claims:
        return
    table = Table(box=box, show_edge=False, padding=(0, padding, 0, 0), pad_edge=False)
    for name in ("strategy", "best"):
        table.add_column(name, overflow="fold")
    for name in ("n", "vs\nvanilla", "95 %\ninterval", "p", "P(seed\nbetter)", "failed,\ninterval", "seeds\nneeded"):
        table.add_column(name, justify="right", no_wrap=True)
    for claim in claims:
        comparison, result = claim.comparison, claim.result
        table.add_row(
            Text(claim.label),
            Text(result.name),
            f"{comparison.n}:{comparison.n_reference}",
            difference(comparison.difference),
            spanned(comparison.interval),
            f"{comparison.p_holm:.2g}" if comparison.is_decidable else "-",
            f"{comparison.superiority.probability:.2f}",
            f"{share(result.failed, result.ended)} {percents(wilson_interval(result.failed, result.ended))}",
            "-" if comparison.seeds_needed is None else f"{comparison.seeds_needed:,}",
            style="bold" if comparison.is_significant else None,
        )
    yield from (Text(), Text("Against the best vanilla, by the seeds of the search", style="bold"), table)
    yield Text("\n".join(_on_claims(record, claims)))


def _on_claims(record: SweepRecord, claims: Sequence[Claim]) -> Iterator[str]:
    yield "p: permutation test of the means, Holm's correction; seeds needed: of each, to tell them apart in 8 of 10 cases."
    undecided = [claim.comparison.first_decidable for claim in claims if not claim.comparison.is_decidable]
    if undecided and None not in undecided:
        yield f"Cannot decide before n = {max(filter(None, undecided))} seeds of each."
    if any(record.is_censored(claim.reference) for claim in claims):
        yield "Vanilla itself was stopped, and has few seeds to compare with: `confirm` runs it on fresh ones."


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
    if record.no_result is not None:
        title = f"No result: {record.no_result.reason}"
        return [Text(title, style="bold"), Text("\n".join([*what_to_try(record), "No test split was read."]))]
    if best is None:
        return [Text("No configuration has a result yet.")]
    group = next(group for group in by_configuration(record) if group.result.name == best.name)
    spread = "one seed" if best.n == 1 else f"std {score(best.spread.std)} over {counted(best.n, 'seed')}"
    lines = [f"{record.header.metric} {score(best.spread.mean)} on dev, {spread}; failed {share(best.failed, best.ended)}"]
    if lacks_seeds(record, best):
        lines.append("No configuration has a result for every seed: this one may look better than it is.")
    lines = [*_confirmed(record), *lines, *_sureness(record, best), *_doubts(record, best)]
    if record.header.objective == "pareto":
        front = (f"{r.name} {score(r.spread.mean)} (std {score(r.spread.std)})" for r in record.front())
        lines.append(f"No other configuration beats these in both: {', '.join(front)}.")
    values = record.configurations[best.name].configuration.values()
    lines += [f"model: {values.pop('model')}", "space:", *(f"  {name}: {spelled(value)}" for name, value in values.items())]
    title = f"Best configuration by {record.header.objective}: {best.name}, {group.label}"
    return [Text(title, style="bold"), Text("\n".join(lines))]


def _confirmed(record: SweepRecord) -> Iterator[str]:
    """What is quoted first: the winner on seeds that no decision has seen."""
    confirmation = confirmation_of(record)
    if confirmation is None:
        return
    winner, reference, comparison = confirmation.winner, confirmation.reference, confirmation.comparison
    metric = record.header.metric
    yield (
        f"Confirmed on {counted(winner.n, 'fresh seed')}: {metric} {score(winner.spread.mean)} on dev, std "
        f"{score(winner.spread.std)}, failed {share(winner.failed, winner.ended)}"
    )
    if reference is not None and comparison is not None:
        yield (
            f"Vanilla ({reference.name}) on the same: {score(reference.spread.mean)}, std {score(reference.spread.std)}, "
            f"failed {share(reference.failed, reference.ended)}; difference {_spelled_claim(comparison)}"
        )
    yield "By the seeds of the search, of which the best was picked:"


def _sureness(record: SweepRecord, best: GroupResult) -> Iterator[str]:
    """How sure the difference to vanilla is, and whether vanilla had a fair chance."""
    claim = next((claim for claim in claims_of(record) if claim.result.name == best.name), None)
    if claim is not None:
        reference = record.result_of(claim.reference)
        cut = f", stopped after {counted(reference.n, 'seed')}" if record.is_censored(reference.name) else ""
        yield f"Against the best vanilla ({reference.name}{cut}): {_spelled_claim(claim.comparison)}"
        if confirmation_of(record) is None:
            yield "It was picked as the best, so its mean is rather too high: `confirm` in the spec runs fresh seeds."
    shares = shares_of_variance(record, best.name)
    if shares is not None and not math.isnan(shares.rest):
        yield (
            f"Of the variance over its seeds {shares.initialization:.0%} is due to the initialization, {shares.order:.0%} to "
            f"the data order, {shares.rest:.0%} to both together. Comparisons are of the means over the orders."
        )
    if best.n == 1:
        yield "A single seed says nothing of how the next one will do."
    outcomes = record.outcome_counts()
    failed = sum(count for name, count in outcomes.items() if Outcome(name).is_failed)
    ended = sum(count for name, count in outcomes.items() if Outcome(name) is not Outcome.ERRORED)
    if 2 * failed > ended:
        yield f"Most runs of this sweep failed: {share(failed, ended)}."
    share_of_vanilla = vanilla_share(record)
    if share_of_vanilla is not None and not share_of_vanilla.is_fair:
        yield (
            f"Vanilla was {counted(share_of_vanilla.vanilla, 'configuration')}, the other strategies "
            f"{share_of_vanilla.others:.1f} on average: their best was picked from more."
        )


def _spelled_claim(comparison: Comparison) -> str:
    """Such as `+0.127 (-0.020 to +0.274 with 95 % confidence), p = 0.11; about 14 seeds of each would decide`."""
    said = difference(comparison.difference)
    if not math.isnan(comparison.interval[0]):
        low, high = map(difference, comparison.interval)
        said += f" ({low} to {high} with 95 % confidence)"
    if not comparison.is_decidable:
        return f"{said}; not to be decided before n = {comparison.first_decidable} seeds of each"
    said += f", p = {comparison.p:.2g}"
    if comparison.p > ALPHA and comparison.seeds_needed is not None:
        said += f"; about {counted(comparison.seeds_needed, 'seed')} of each would decide"
    return said


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
    of = ", by the confirmation runs" if record.header.confirmation_seeds else ""
    yield from (
        Text(),
        Text(f"Final test: {record.header.metric} on the test split, {examples}, read once{of}", style="bold"),
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
    if record.budget_spent is not None:
        yield f"Ended by its budget: {record.budget_spent.reason} (`{record.budget_spent.budget}`)."
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
