"""What a sweep was run with, and how to run it again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from blurb_tune.log.record import SweepRecord
from blurb_tune.report.blocks import Block, Code, Facts
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.wording import join_with_and

_MOST_SEEDS = 30


def origin(record: SweepRecord, provenance: Provenance) -> Iterator[Block]:
    """Identity, seeds and versions; the command and the spec."""
    header = record.header
    started = datetime.fromtimestamp(header.time, UTC)
    rows = [
        ("sweep", header.sweep_id),
        ("started", f"{started:%Y-%m-%d %H:%M} UTC"),
        *([("by", header.owner)] if header.owner else []),
        ("seeds", _seeds(header.seeds)),
        *([("confirmation seeds", _seeds(header.confirmation_seeds))] if header.confirmation_seeds else []),
        *(
            [("crossed seeds", f"{header.crossed[0]} initializations x {header.crossed[1]} data orders")]
            if header.crossed
            else []
        ),
        *([("folds", str(header.folds))] if header.folds else []),
        ("objective", header.objective),
        ("largest tolerated share of failed runs", f"{header.max_failed_share:g}"),
        *([("precision", header.precision)] if header.precision else []),
        *([("versions", ", ".join(map(" ".join, header.versions.items())))] if header.versions else []),
        ("digest of spec and data", record.spec_digest),
    ]
    yield Facts(rows)
    if provenance.spec:
        yield Code("Repeat it, with the spec below as spec.yaml", "blurb-tune run spec.yaml", "sh")
        yield Code("spec.yaml", provenance.spec, "yaml", is_folded=True)


def _seeds(seeds: list[int]) -> str:
    is_range = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if is_range else join_with_and([str(seed) for seed in seeds], _MOST_SEEDS)
