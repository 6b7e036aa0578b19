"""All of a sweep's report as sections, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterator

from blurb_tune.core.numbers import plural
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.answer import answer_of
from blurb_tune.report.blocks import Block, Bullets, Paragraph, Report, Section
from blurb_tune.report.figures import Figure, figures
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.sections.combinations import combinations_table
from blurb_tune.report.sections.final_numbers import confirmation_table, test_table
from blurb_tune.report.sections.machine_room import machine_room
from blurb_tune.report.sections.methods import methods
from blurb_tune.report.sections.origin import origin
from blurb_tune.report.strategies import stopped_table, strategies_table
from blurb_tune.report.summary import notes_of
from blurb_tune.report.wording import duration, join_with_and

__all__ = ["report_of"]

# Where the figures stand, by their names; what is in none of these comes with the hyperparameters.
_PLACES = {
    "seeds": ("every-seed", "Every seed"),
    "profile": ("performance", "Performance profile and expected best"),
    "expected-best": ("performance", "Performance profile and expected best"),
    "curves": ("learning-curves", "Learning curves"),
    "timeline": ("machine-room", "Machine room"),
}
_HYPERPARAMETERS = ("hyperparameters", "Hyperparameters")


def report_of(record: SweepRecord, provenance: Provenance | None = None) -> Report:
    """The whole report. Raises LookupError while the log is empty."""
    known = provenance or Provenance()
    return Report(
        title=record.header.name, lead=_lead(record), answer=answer_of(record), sections=list(_sections(record, known))
    )


def _lead(record: SweepRecord) -> str:
    header, counts = record.header, record.outcome_counts()
    ended = sum(counts.values())
    failed = sum(count for name, count in counts.items() if Outcome(name).is_failed)
    told = {"running": "running", "finished": "finished", "interrupted": "interrupted"}.get(record.status, record.status)
    length = f" after {duration(record.wall_seconds)}" if record.status != "running" else ""
    parts = [
        f"{header.task}, {join_with_and(list(header.models))}",
        f"{told}{length}",
        f"{plural(len(record.configurations), 'configuration')}, {plural(ended, 'run')} ended, {failed} failed",
        *([f"{counts[Outcome.ERRORED]} errored"] if counts[Outcome.ERRORED] else []),
    ]
    kept = "best" if header.score == "best" else "last"
    return "; ".join(parts) + f". Scores are {header.metric} on the dev split at the {kept} evaluation of a run."


def _sections(record: SweepRecord, provenance: Provenance) -> Iterator[Section]:
    placed: dict[tuple[str, str], list[Block]] = {place: [] for place in (*_PLACES.values(), _HYPERPARAMETERS)}
    drawn = figures(record)
    for figure in drawn:
        placed[_PLACES.get(figure.name, _HYPERPARAMETERS)].append(figure)
    if record.configurations:
        tables = [strategies_table(record), *filter(None, [stopped_table(record)])]
        yield Section("strategies", "Strategies against vanilla", tables)
    for place in dict.fromkeys((*_PLACES.values(), _HYPERPARAMETERS)):
        if place[0] != "machine-room" and placed[place]:
            yield Section(*place, placed[place])
    room = [*machine_room(record), *placed[_PLACES["timeline"]]]
    yield Section(*_PLACES["timeline"], room)
    found = (confirmation_table(record), test_table(record), combinations_table(record))
    final = [table for table in found if table is not None]
    if final:
        yield Section("final", "Confirmation and final test", final)
    notes = notes_of(record)
    yield Section("notes", "Notes", [Bullets(notes) if notes else Paragraph("Nothing stood out in data and runs.")])
    yield Section("origin", "Where this comes from", list(origin(record, provenance)))
    yield Section("methods", "For a paper", list(methods(record, provenance, _names(drawn))))


def _names(drawn: list[Figure]) -> set[str]:
    return {figure.name for figure in drawn}
