"""Sweeps to compare, written event by event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blurb_tune.core.trial import Outcome
from blurb_tune.log.lines import to_line
from blurb_tune.report.comparison.compared_sweeps import Sweep, label_sweeps
from tests.report.sweeps import SweepWriter

VANILLA: dict[str, Any] = {}
FREEZE: dict[str, Any] = {"freeze_depth": 2}
REINIT: dict[str, Any] = {"reinit_count": 1}
SAME = {"data_digest": "d" * 64, "settings_digest": "5" * 64}


def written(
    name: str,
    strategies: Mapping[str, tuple[dict[str, Any], Mapping[int, float]]],
    *,
    seeds: Sequence[int] | None = None,
    fails_below: float = -1.0,
    finished: bool = True,
    **header: Any,
) -> SweepWriter:
    """A sweep of these configurations: by id the values, and the scores by seed."""
    planned = seeds if seeds is not None else sorted({seed for _, scores in strategies.values() for seed in scores})
    sweep = SweepWriter(seeds=planned, configurations=len(strategies), **{"name": name, "sweep_id": f"{name}-id"} | header)
    for configuration, (values, scores) in strategies.items():
        sweep.configuration(configuration, **values)
        for seed, score in scores.items():
            outcome = Outcome.COLLAPSED if score < fails_below else Outcome.COMPLETED
            sweep.trial(configuration, seed, [score], outcome)
        if len(scores) == len(planned):
            sweep.end_configuration(configuration)
    if finished:
        sweep.finish()
    return sweep


def sweeps_of(*writers: SweepWriter) -> list[Sweep]:
    records = [writer.record for writer in writers]
    return label_sweeps({Path("runs") / record.header.sweep_id: record for record in records})


def in_folder(writer: SweepWriter, folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text("".join(f"{to_line(event)}\n" for event in writer.events))
    return folder


def numbered(*scores: float, start: int = 0) -> dict[int, float]:
    return dict(enumerate(scores, start))
