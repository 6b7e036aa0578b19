"""What a sweep's own run says above everything else on its page: the state of the sweep, and its best configurations."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterable, Iterator

from blurb_tune.core.numbers import score
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.answer import answer_of
from blurb_tune.report.final_scores import final_results
from blurb_tune.report.hyperparameters import settings_in_words, varying_settings
from blurb_tune.results.groups import GroupResult, rank

RUN_PAGE = "{run_page}"  # stands for the address of the run's page, which only the store knows
BEST = 10  # rows: a page shows them without scrolling, and MLflow takes tags of at most 8000 characters
_LONGEST_LABEL, _LONGEST_REASON = 120, 500
_STATES = {"running": "Running", "finished": "Finished", "interrupted": "Interrupted", "stopped": "Stopped"}
_COLUMNS = ("configuration", "strategy", "seeds", "mean", "std", "min", "max", "failed", "objective")


def describe(record: SweepRecord) -> str:
    """Markdown, of a bounded length however large the sweep is. Raises LookupError while the log is empty."""
    return "\n\n".join(_paragraphs(record))


def _paragraphs(record: SweepRecord) -> Iterator[str]:
    header = record.header
    is_running = record.status == "running"
    yield _state(record) if is_running else " ".join(map(_plain, answer_of(record).sentences))
    whose = f", by {_plain(header.owner)}" if header.owner else ""
    aim = f"{_plain(header.metric)} over {len(header.seeds)} seeds, objective `{header.objective}`"
    yield f"**{_plain(header.task)}**: {aim}{whose}." + ("" if is_running else f" {_state(record)}")
    if not is_running:
        yield f"[The report]({RUN_PAGE}/artifacts/report.html), with every seed and curve, is an artifact of this run."
    if record.selection is not None:
        winner = record.selection.configuration
        yield f"**Winner: {winner}**, {_plain(record.label(winner))}"
    elif record.no_result is not None:
        yield f"**No result**: {_plain(record.no_result.reason[:_LONGEST_REASON])}"
    for tested in final_results(record):
        if tested.summary.n:
            mean, std = _number(tested.summary.mean), _number(tested.summary.std)
            yield f"On the test split, {tested.configuration}: {mean}{f' (standard deviation {std})' if std else ''}"
    results = [result for result in record.by_configuration() if result.n]
    best = heapq.nsmallest(BEST, results, key=lambda result: rank(result, header.replicates))
    if best:
        rule = "|".join("---" for _ in _COLUMNS)
        yield "\n".join([_line(_COLUMNS), f"|{rule}|", *(_row(record, result) for result in best)])
    if len(results) > len(best):
        yield f"{len(results) - len(best)} more have a result: see its trials, and `configurations.csv` in the end."


def _state(record: SweepRecord) -> str:
    counts = {Outcome(name): count for name, count in record.outcome_counts().items()}
    ended = sum(counts.values())
    failed = sum(count for outcome, count in counts.items() if outcome.is_failed)
    ended_configurations = len(record.configurations) - len(record.open_configurations)
    planned = f" of {record.header.configurations}" if record.header.configurations else ""
    parts = [f"{ended_configurations}{planned} configurations", f"{ended} trials ended"]
    if ended:
        parts.append(f"{failed} failed ({failed / ended:.0%})")
    if counts[Outcome.ERRORED]:
        parts.append(f"{counts[Outcome.ERRORED]} errored")
    return f"{_STATES.get(record.status, record.status.capitalize())}: {', '.join(parts)}."


def _row(record: SweepRecord, result: GroupResult) -> str:
    summary = result.summary
    numbers = [_number(value) for value in (summary.mean, summary.std, summary.min, summary.max)]
    settings = settings_in_words(record.configurations[result.name].configuration, varying_settings(record))
    label = _plain(", ".join(filter(None, (record.label(result.name), settings)))[:_LONGEST_LABEL])
    failed = f"{result.failed} of {result.ended}"
    cells = (result.name, label, str(result.n), *numbers, failed, _number(result.objective))
    return _line(cells)


def _line(cells: Iterable[str]) -> str:
    """One row of a table. MLflow sets its columns without room between them."""
    return "| " + " | ".join(f"{cell}\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}" for cell in cells) + " |"


def _number(value: float) -> str:
    return "" if math.isnan(value) else score(value)


def _plain(text: str) -> str:
    """`text` in one line, without what would make a link, a tag, or the end of a table's cell."""
    return re.sub(r"[\\|<>\[\]]", r"\\\g<0>", " ".join(text.split()))
