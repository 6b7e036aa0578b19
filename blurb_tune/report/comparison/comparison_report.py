"""A comparison as a report, which every format writes as it writes that of a single sweep."""

from __future__ import annotations

from blurb_tune.report.blocks import Block, Bullets, Report, Section
from blurb_tune.report.comparison.answer import answer_of
from blurb_tune.report.comparison.figures import forest_figure, heat_figure
from blurb_tune.report.comparison.sweep_comparison import SweepComparison
from blurb_tune.report.comparison.tables import (
    benchmark_table,
    claims_table,
    confirmed_table,
    matrix_table,
    stopped_table,
    sweeps_table,
    test_table,
)
from blurb_tune.report.comparison.text import heading

_TITLES = {
    "scores": "Models, strategies and tasks",
    "claims": "Against vanilla",
    "confirmed": "Confirmed on fresh seeds",
    "test": "Final test",
    "blurb": "BLURB score",
    "stopped": "Stopped early",
    "sweeps": "Sweeps",
}


def report_of(comparison: SweepComparison) -> Report:
    """The whole report; sections without content are left out."""
    blocks: dict[str, list[Block | None]] = {
        "scores": [heat_figure(comparison), matrix_table(comparison)],
        "claims": [forest_figure(comparison), claims_table(comparison)],
        "confirmed": [confirmed_table(comparison)],
        "test": [test_table(comparison)],
        "blurb": [benchmark_table(comparison)],
        "stopped": [stopped_table(comparison)],
        "sweeps": [sweeps_table(comparison), Bullets(comparison.notes) if comparison.notes else None],
    }
    found = {name: [block for block in of if block is not None] for name, of in blocks.items()}
    names = ", ".join(sweep.label for sweep in comparison.sweeps)
    return Report(
        title="Sweeps compared",
        lead=f"{heading(comparison)}: {names}. Scores are on the dev split unless a table says that they are of test.",
        answer=answer_of(comparison),
        sections=[Section(name, _TITLES[name], of) for name, of in found.items() if of],
    )
