"""Learning curves of whole, unstopped runs. `curve_files` reads and writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from blurb_tune.core.trial import Configuration, Measurement, Outcome
from blurb_tune.results.early_stopping import count_stale
from blurb_tune.results.trivial import TrivialLevel

Run = tuple[Measurement, ...]


@dataclass(frozen=True)
class CurveSet:
    """Whole runs of several configurations.

    runs: by configuration and seed the measurements of a run, oldest first; `train_seconds` is what the column `seconds` says,
    or 1 per evaluation. reference: the configuration that is plain fine-tuning, if any. task: on which they were recorded.
    """

    name: str
    metric: str
    level: TrivialLevel
    reference: str | None
    configurations: Mapping[str, Configuration]
    runs: Mapping[str, Mapping[int, Run]]
    has_seconds: bool = False
    task: str = ""

    def stop_early(self, patience: int, threshold: float) -> CurveSet:
        """The runs up to where early stopping ends them (`results.early_stopping`)."""
        cut = {
            name: {seed: _truncate(run, patience, threshold) for seed, run in runs.items()} for name, runs in self.runs.items()
        }
        return replace(self, runs=cut)

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Those that every configuration has, in ascending order."""
        return tuple(sorted(set.intersection(*(set(runs) for runs in self.runs.values()))))

    def end_of(self, configuration: str, seed: int, score: str) -> tuple[Outcome, float]:
        """How a run ends where nothing stops it, and the score that it counts with; `score` is `final` or `best`."""
        run = self.runs[configuration][seed]
        if any(is_diverged(measurement) for measurement in run):
            return Outcome.DIVERGED, self.level.score
        defined = [m for m in run if not math.isnan(m.dev_score)]
        judged = max(defined, key=lambda m: m.dev_score) if score == "best" and defined else run[-1]
        has_failed = self.level.contains(judged.dev_score, judged.train_loss)
        counts_with = self.level.score if math.isnan(judged.dev_score) else judged.dev_score
        return (Outcome.COLLAPSED if has_failed else Outcome.COMPLETED), counts_with


def is_diverged(measurement: Measurement) -> bool:
    """Whether a loss is not finite."""
    return not (math.isfinite(measurement.train_loss) and math.isfinite(measurement.dev_loss))


def _truncate(run: Run, patience: int, threshold: float) -> Run:
    scores = [measurement.dev_score for measurement in run]
    ends = (end for end in range(1, len(run)) if count_stale(scores[:end], threshold) >= patience)
    return run[: next(ends, len(run))]
