"""The comparison as tables of text, which every format writes in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blurb_tune.report.comparison.comparison import SweepComparison
from blurb_tune.report.comparison.text import cell, column_of, failures, named, p_value, score, signed, span
from blurb_tune.stats.comparison import ALPHA


@dataclass(frozen=True)
class TextTable:
    """name: anchor and file stem. groups: by how many of the first columns the rows are grouped. texts: how many of the first
    columns are words; the others are numbers. strong: rows that stand out. notes: below the table."""

    name: str
    title: str
    columns: tuple[str, ...]
    texts: int
    rows: Sequence[tuple[str, ...]]
    groups: int = 0
    strong: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()


def tables(comparison: SweepComparison) -> list[TextTable]:
    """Those that have rows, in the order of the page."""
    makers = (_sweeps, _matrix, _claims, _confirmed, _finals, _benchmark, _stopped)
    return [table for table in (make(comparison) for make in makers) if table.rows]


def _sweeps(comparison: SweepComparison) -> TextTable:
    rows = []
    for sweep in comparison.sweeps:
        record = sweep.record
        header, selection = record.header, record.selection
        seeds = f"{len(header.seeds)}" + (f" + {len(header.confirmation_seeds)}" if header.confirmation_seeds else "")
        models = ", ".join(dict.fromkeys(c.configuration.model for c in record.configurations.values()))
        winner = "no result" if record.no_result else "-"
        if selection is not None:
            winner = f"{selection.configuration} {record.label(selection.configuration)}"
        counts = str(len(record.configurations)), seeds
        rows.append((sweep.label, header.task, models, record.status, winner, *counts))
    columns = ("sweep", "task", "model", "status", "winner", "configurations", "seeds")
    return TextTable("sweeps", "Sweeps", columns, 5, rows)


def _matrix(comparison: SweepComparison) -> TextTable:
    """Models and strategies down, tasks across."""
    columns = tuple(dict.fromkeys(column_of(row) for row in comparison.rows))
    cells = {(row.pool.model, row.label, column_of(row)): cell(row) for row in comparison.rows}
    rows = []
    for model in comparison.models:
        for label in comparison.labels:
            found = [cells.get((model, label, column), "") for column in columns]
            rows += [(model, label, *found)] if any(found) else []
    notes = (
        "Dev split, seeds of the search: mean (standard deviation) of the best configuration of each row, which was picked as "
        "the best, so its mean is rather too high.",
        f"+ and -: better or worse than vanilla of the same model and task at {ALPHA:g}, Holm's correction over all of the "
        "comparison.",
    )
    kind = "family" if comparison.by_family else "strategy"
    return TextTable("matrix", "Models, strategies and tasks", ("model", kind, *columns), 2, rows, 1, notes=notes)


def _claims(comparison: SweepComparison) -> TextTable:
    rows: list[tuple[str, ...]] = []
    strong, undecided = set[int](), set[int]()
    has_stopped = False
    for row in comparison.claims:
        found, reference = row.comparison, row.reference
        if found is None or reference is None:
            continue
        if found.is_significant:
            strong.add(len(rows))
        if not found.is_decidable and found.first_decidable is not None:
            undecided.add(found.first_decidable)
        has_stopped |= reference.is_censored
        rows.append(
            (
                *(row.pool.setting.label, row.pool.model, row.pool.label, named(row)),
                f"{found.n}:{found.n_reference}" + ("*" if reference.is_censored else ""),
                *(signed(found.difference), span(found.interval), p_value(found), f"{found.superiority.probability:.2f}"),
                failures(row.entry.result),
                "-" if found.seeds_needed is None else f"{found.seeds_needed:,}",
            )
        )
    columns = (
        *("task", "model", "sweep", "strategy", "n", "difference"),
        *("95 % interval", "p", "P(seed better)", "failed", "seeds needed"),
    )
    notes = [
        "Dev split, seeds of the search; against the best vanilla configuration of the same task, model and sweep. n: seeds "
        "of each. Interval of the difference: Welch's.",
        f"p: permutation test of the means, Holm's correction over all {len(rows)} claims. P(seed better): that a seed of it "
        "beats one of vanilla. Seeds needed: of each, to tell them apart in 8 of 10 cases.",
    ]
    if undecided:
        notes.append(f"With {len(rows)} claims at once, some cannot be decided before n = {max(undecided)} seeds of each.")
    if has_stopped:
        notes.append("*: vanilla itself was stopped, so it has few seeds to compare with, and its mean may be too low.")
    return TextTable("claims", "Against vanilla", columns, 4, rows, 3, frozenset(strong), tuple(notes))


def _confirmed(comparison: SweepComparison) -> TextTable:
    rows: list[tuple[str, ...]] = []
    strong = set[int]()
    for of in comparison.confirmations:
        header, winner, reference, found = of.sweep.record.header, of.winner, of.reference, of.comparison
        if found is not None and found.is_significant:
            strong.add(len(rows))
        rows.append(
            (
                *(of.sweep.label, header.task, f"{winner.name} {of.label}", str(winner.n)),
                *(f"{score(winner.spread.mean)} ({score(winner.spread.std)})", failures(winner)),
                f"{score(reference.spread.mean)} ({score(reference.spread.std)})" if reference else "-",
                *((signed(found.difference), span(found.interval), p_value(found)) if found else ("-", "-", "-")),
            )
        )
    columns = ("sweep", "task", "winner", "n", "mean (std)", "failed", "vanilla", "difference", "95 % interval", "p")
    notes = ("Dev split, fresh seeds that no decision has seen: their means are fair. p: Holm's correction over the sweeps.",)
    return TextTable("confirmed", "Confirmed on fresh seeds", columns, 3, rows, strong=frozenset(strong), notes=notes)


def _finals(comparison: SweepComparison) -> TextTable:
    rows = []
    for of in comparison.finals:
        header = of.sweep.record.header
        for result in of.results:
            spread, (low, high) = result.spread, result.interval
            rows.append(
                (
                    *(of.sweep.label, f"{header.task} ({header.metric})", f"{result.configuration} {result.label}"),
                    *(str(spread.n), f"{score(spread.mean)} ({score(spread.std)})", score(spread.min), score(spread.max)),
                    *(f"{result.failed}/{spread.n}", str(result.examples), f"{score(low)} to {score(high)}"),
                )
            )
    columns = (
        *("sweep", "task", "configuration", "n", "mean (std)", "min", "max", "failed", "examples"),
        "interval of one run",
    )
    notes = ("Test split, read once, after the winner had been chosen on dev. Interval: from the size of the test set.",)
    return TextTable("test", "Final test", columns, 3, rows, notes=notes)


def _benchmark(comparison: SweepComparison) -> TextTable:
    rows = []
    for of in comparison.benchmark:
        if of.is_complete:
            means = (f"{mean:.2f}" for mean in of.score.means.values())
            rows.append((of.model, of.recipe, of.split, *means, f"{of.score.total:.2f}"))
    kinds = next((tuple(of.score.means) for of in comparison.benchmark), ())
    columns = ("model", "recipe", "split", *kinds, "BLURB")
    notes = ("In percent. The benchmark's own score is of the test split. `winner`: of each data set, as chosen on dev.",)
    return TextTable("blurb", "BLURB score", columns, 3, rows, notes=notes)


def _stopped(comparison: SweepComparison) -> TextTable:
    rows = []
    for row in comparison.stopped:
        entry, why = row.entry, []
        for sweep in row.pool.sweeps:
            stopped = sweep.record.configurations[entry.ids[sweep.label]].stopped if sweep.label in entry.ids else None
            why += [f"{stopped.rule} after {stopped.replicates}"] if stopped else []
        numbers = (f"{entry.result.n}/{entry.planned}", score(entry.result.spread.mean), failures(entry.result))
        rows.append((row.pool.setting.label, row.pool.model, row.pool.label, named(row), ", ".join(why), *numbers))
    columns = ("task", "model", "sweep", "strategy", "stopped by", "n", "mean so far", "failed")
    notes = ("What they had when they were stopped; it is compared with nothing.",)
    return TextTable("stopped", "Stopped before their last seed", columns, 5, rows, 3, notes=notes)
