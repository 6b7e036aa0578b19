"""What several sweeps say together: each strategy beside vanilla, by task and model; what was confirmed and tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blurb_tune.report.claims import MAX_STRATEGIES, vanilla_share
from blurb_tune.report.comparison.benchmark import BenchmarkScore, benchmark_scores, incomplete
from blurb_tune.report.comparison.compared_sweeps import Sweep
from blurb_tune.report.comparison.fresh import Confirmed, Final, confirmations_of, final
from blurb_tune.report.comparison.pools import Entry, Pool, Setting, pool
from blurb_tune.stats.comparison import Comparison, compare_all


@dataclass(frozen=True)
class Row:
    """The best configuration of a strategy (or of a family, where there are many) in one pool of sweeps.

    label: of the strategy. entry: the best of its whole configurations, or of those that were stopped where none is whole.
    reference, comparison: the best vanilla configuration of the pool and what is claimed beside it, with Holm's correction
    over all rows; None for vanilla itself, without one, and for what was stopped.
    """

    pool: Pool
    label: str
    is_vanilla: bool
    entry: Entry
    reference: Entry | None = None
    comparison: Comparison | None = None


@dataclass(frozen=True)
class SweepComparison:
    """Several sweeps side by side.

    rows: by setting and model in the order of the sweeps, vanilla first. stopped: configurations that were stopped before
    their last seed in every sweep that ran them, each with its pool and strategy; they are in no row of a strategy that has a
    whole one. by_family: rows are families of strategies, since there are more than 15 strategies. confirmations: of each
    sweep that has any, winner and vanilla on seeds that no decision has seen. finals: of each sweep that has read its test
    split. benchmark: means over BLURB's data sets. notes: what a reader has to know.
    """

    sweeps: tuple[Sweep, ...]
    rows: tuple[Row, ...]
    stopped: tuple[Row, ...]
    by_family: bool
    confirmations: tuple[Confirmed, ...]
    finals: tuple[Final, ...]
    benchmark: tuple[BenchmarkScore, ...]
    notes: tuple[str, ...]

    @property
    def settings(self) -> tuple[Setting, ...]:
        return tuple(dict.fromkeys(row.pool.setting for row in self.rows))

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.pool.model for row in self.rows))

    @property
    def labels(self) -> tuple[str, ...]:
        """Strategies (or families), vanilla first."""
        names = dict.fromkeys(row.label for row in sorted(self.rows, key=lambda row: not row.is_vanilla))
        return tuple(names)

    @property
    def claims(self) -> tuple[Row, ...]:
        """The rows with a comparison."""
        return tuple(row for row in self.rows if row.comparison is not None)

    @property
    def first_decidable(self) -> int | None:
        """The seeds of each from which on every claim can be decided; None where all can be now, or never."""
        lacking = [row.comparison.first_decidable for row in self.rows if row.comparison and not row.comparison.is_decidable]
        return max((least for least in lacking if least is not None), default=None)


def compare_sweeps(sweeps: Sequence[Sweep]) -> SweepComparison:
    """Put sweeps side by side.

    Within a pool, a setting and a model, each strategy is represented by its best configuration under the winner's rule, and
    compared with the best vanilla one of the same pool; Holm's correction (`stats.multiple`) is over all of these together.
    """
    notes: list[str] = []
    pools = pool(sweeps, notes)
    strategies = {entry.configuration.strategy for of in pools for entry in of.entries}
    by_family = len(strategies) > MAX_STRATEGIES
    rows = [row for of in pools for row in _rows(of, by_family=by_family)]
    stopped = [
        Row(of, _label(entry, by_family=by_family), entry.configuration.strategy.is_vanilla, entry)
        for of in pools
        for entry in of.entries
        if entry.is_censored
    ]
    finals = final(sweeps)
    benchmark = benchmark_scores([(row.pool, row.label, row.entry) for row in rows if not row.entry.is_censored], finals)
    notes = [*_notes(sweeps, pools), *notes, *incomplete(benchmark)]
    return SweepComparison(
        sweeps=tuple(sweeps),
        rows=tuple(_compare(rows)),
        stopped=tuple(stopped),
        by_family=by_family,
        confirmations=confirmations_of(sweeps),
        finals=finals,
        benchmark=benchmark,
        notes=tuple(dict.fromkeys(notes)),
    )


def _label(entry: Entry, *, by_family: bool) -> str:
    strategy = entry.configuration.strategy
    return strategy.family if by_family else strategy.label


def _rows(of: Pool, *, by_family: bool) -> Iterator[Row]:
    """One for each strategy, vanilla first."""
    groups: dict[str, list[Entry]] = {}
    for entry in of.entries:
        if entry.result.n or entry.result.ended or entry.result.errored:
            groups.setdefault(_label(entry, by_family=by_family), []).append(entry)
    rows = [Row(of, label, entries[0].configuration.strategy.is_vanilla, _best(entries)) for label, entries in groups.items()]
    yield from sorted(rows, key=lambda row: not row.is_vanilla)


def _best(entries: Sequence[Entry]) -> Entry:
    """By the winner's rule; one that was stopped only where there is no other."""
    whole = [entry for entry in entries if not entry.is_censored and entry.result.n]
    return min(whole or entries, key=lambda entry: (not entry.result.n, *entry.rank))


def _compare(rows: Sequence[Row]) -> Iterator[Row]:
    references = {(row.pool.setting, row.pool.model, row.pool.label): row.entry for row in rows if row.is_vanilla}
    pairs = {}
    for number, row in enumerate(rows):
        reference = references.get((row.pool.setting, row.pool.model, row.pool.label))
        if reference is None or row.is_vanilla or row.entry.is_censored or not (row.entry.result.n and reference.result.n):
            continue
        pairs[number] = row.entry, reference
    found = compare_all(
        {str(number): (entry.comparable, reference.comparable) for number, (entry, reference) in pairs.items()}
    )
    for number, row in enumerate(rows):
        if number in pairs:
            yield Row(row.pool, row.label, row.is_vanilla, row.entry, pairs[number][1], found[str(number)])
        else:
            yield row


def _notes(sweeps: Sequence[Sweep], pools: Sequence[Pool]) -> Iterator[str]:
    for sweep in sweeps:
        record = sweep.record
        if not sweep.is_finished:
            state = "has not ended" if record.status == "running" else f"was {record.status}"
            left = sum(c.state is None for c in record.configurations.values())
            yield (
                f"{sweep.label} {state}: its numbers are those so far, with {left} of {len(record.configurations)} "
                "configurations not through their seeds."
            )
        if record.no_result is not None:
            yield f"{sweep.label} has no winner: {record.no_result.reason}."
        share = vanilla_share(record)
        if share is not None and not share.is_fair:
            yield (
                f"{sweep.label}: vanilla was {share.vanilla} configuration{'s' * (share.vanilla != 1)}, the other strategies "
                f"{share.others:.1f} on average: their best was picked from more."
            )
    objectives = list(dict.fromkeys(sweep.record.header.objective for sweep in sweeps))
    if len(objectives) > 1:
        yield f"The sweeps choose by different objectives ({', '.join(objectives)}); each task's best is by its first sweep's."
    for of in pools:
        for entry in of.entries:
            if entry.stopped and not entry.is_censored:
                where = ", ".join(f"{name} after {count} seeds" for name, count in entry.stopped.items())
                label = entry.configuration.strategy.label
                yield f"{of.model} on {of.setting.label}: {label} was stopped in {where}; these seeds are not in its mean."
        if not any(entry.configuration.strategy.is_vanilla for entry in of.entries):
            yield f"{of.model} on {of.setting.label}: {of.label} has no vanilla configuration, and nothing to compare with."
