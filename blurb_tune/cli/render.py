"""What `run` says at the end of a sweep."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from blurb_tune.cli.findings import answer, balance, best, heading
from blurb_tune.cli.result_tables import (
    claims_table,
    configuration_table,
    family_table,
    notes_on_claims,
    stopped_table,
    test_table,
)
from blurb_tune.cli.terminal_table import Columns
from blurb_tune.core.numbers import plural
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.claims import claims_of
from blurb_tune.report.final_scores import final_results
from blurb_tune.report.trial_groups import Group, by_configuration, rank

MAX_ROWS = 15
PLAIN_WIDTH = 100
_ASCII = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})


def summary_view(record: SweepRecord) -> RenderableType:
    """The result of a sweep for a terminal. Raises LookupError while the log is empty."""
    _ = record.header
    return _Summary(record)


def plain_summary(record: SweepRecord) -> str:
    """The same as `summary_view`, as text of at most 100 columns without colors and box-drawing characters."""
    console = Console(file=io.StringIO(), width=PLAIN_WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    _ = record.header
    with console.capture() as capture:
        console.print(_Summary(record, is_ascii=True))
    return "\n".join(line.rstrip() for line in capture.get().translate(_ASCII).splitlines()).strip("\n") + "\n"


@dataclass(frozen=True)
class _Summary:
    """Laid out when it is printed, because columns are left out in a narrow terminal."""

    record: SweepRecord
    is_ascii: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _lines(heading(self.record))
        if not self.record.trials:
            return
        for title, columns, below in _tables(self.record, options.max_width):
            yield from (Text(), Text(title, style="bold"), columns.table(options.max_width, is_ascii=self.is_ascii))
            if below:
                yield _lines(below)
        title, *lines = best(self.record)
        yield from (Text(), Text(title, style="bold"), _lines(lines))
        yield from (Text(), _lines(balance(self.record)))
        yield from (Text(), Text("The answer", style="bold"), _lines(answer(self.record)))


def _lines(lines: Iterable[str]) -> Text:
    return Text("\n".join(lines))


def _tables(record: SweepRecord, width: int) -> Iterator[tuple[str, Columns, list[str]]]:
    """Title, table and notes below it. The best configurations come first, by `rank`; those that were stopped before they were
    whole stand apart."""
    families = family_table(record)
    if families is not None:
        yield "Strategy families, all their configurations together", families, []
    groups = sorted(by_configuration(record), key=lambda group: rank(record, group.result))
    whole = [group for group in groups if not record.is_censored(group.result.name)]
    stopped = [group for group in groups if record.is_censored(group.result.name)]
    if whole:
        shown = configuration_table(record, whole[:MAX_ROWS], width)
        yield "Configurations, the best first", shown, _more(whole)
    if stopped:
        shown = stopped_table(record, stopped[:MAX_ROWS], width)
        yield "Stopped before their last seed, and so not ranked", shown, _more(stopped)
    claims = claims_of(record)
    if claims:
        title = "Against the best vanilla, by the seeds of the search"
        yield title, claims_table(record, claims), list(notes_on_claims(record, claims))
    tested = final_results(record)
    if tested:
        examples = plural(tested[0].examples, "example")
        of = ", by the confirmation runs" if record.header.confirmation_seeds else ""
        title = f"Final test: {record.header.metric} on the test split, {examples}, read once{of}"
        yield title, test_table(tested), list(_on_test(sum(t.trained_again for t in tested), sum(t.missing for t in tested)))


def _more(groups: Sequence[Group]) -> list[str]:
    return [f"{len(groups) - MAX_ROWS} more in configurations.csv"] if len(groups) > MAX_ROWS else []


def _on_test(again: int, missing: int) -> Iterator[str]:
    if again:
        yield f"The weights of {plural(again, 'run')} were gone: trained once more, to where the run had ended."
    if missing:
        yield f"{plural(missing, 'run')} could not be tested: see the log, and `weights` in the spec's settings."
