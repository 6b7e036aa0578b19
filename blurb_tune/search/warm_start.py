"""What earlier sweeps tell a sampler before its first suggestion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log.record import SweepRecord
from blurb_tune.search.combinations import holds
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.stats.objectives import aggregate
from blurb_tune.stats.stability import summarize_scores


@dataclass(frozen=True)
class Earlier:
    """An earlier sweep. configurations: those with a result that lie in this space, as `log.events.WarmStarted` has them. of:
    all that have a result."""

    name: str
    configurations: tuple[dict[str, Any], ...]
    of: int


def objectives_of(objective: str, scores: list[float]) -> list[float]:
    """What a study is told of a configuration's scores: the objective, or both of two."""
    if objective != "pareto":
        return [aggregate(objective, scores)]
    found = summarize_scores(scores)
    return [found.mean, found.std]


def read_earlier(folder: Path, spec: SweepSpec, blocks: Mapping[str, int], metric: str) -> Earlier:
    """The results of a sweep's folder. Raises BlurbTuneError when it holds none, or they are of another kind."""
    paths = SweepPaths(folder)
    if not paths.events.is_file():
        raise BlurbTuneError(f"{folder} is no sweep's folder; expected one with events.jsonl")
    record = SweepRecord.read(paths.events)
    if record.started is None:
        raise BlurbTuneError(f"{folder} holds a sweep that has not begun")
    if record.header.metric != metric:
        raise BlurbTuneError(f"{folder} holds a sweep whose metric is {record.header.metric!r}, not {metric!r}")
    found, of = [], 0
    for name, configuration in record.configurations.items():
        scores = list(record.seed_scores(record.trials_of(name)).get(name, {}).values())
        values = objectives_of(spec.objective, scores)
        if not scores or not all(map(math.isfinite, values)):
            continue
        of += 1
        if holds(spec.space, blocks, configuration.configuration):
            share = record.result_of(name).failed_share
            found.append({"values": asdict(configuration.configuration), "objectives": values, "failed_share": share})
    return Earlier(record.header.name, tuple(found), of)
