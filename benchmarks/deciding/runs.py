"""The rules for runs, on real runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from blurb_tune.core.trial import Measurement, Prune
from blurb_tune.replay.curve_files import read_curves
from blurb_tune.replay.curves import CurveSet
from blurb_tune.spec.pruning import InstabilitySpec
from blurb_tune.stopping.instability import judge


def audit_runs(files: Sequence[Path]) -> Iterator[str]:
    """How many failed runs are stopped, when, and how many others are."""
    settings = InstabilitySpec()
    for file in files:
        curves = read_curves(file)
        failed = good = 0
        caught: list[float] = []
        wrong: list[str] = []
        for name, runs in curves.runs.items():
            for seed, run in runs.items():
                has_failed = curves.end_of(name, seed, "final")[0].is_failed
                stop = _stop_of(curves, run, settings)
                failed, good = failed + has_failed, good + (not has_failed)
                if stop is not None and has_failed:
                    caught.append(stop)
                elif stop is not None:
                    wrong.append(f"{name}, seed {seed}")
        when = f" at {np.mean(caught):.2f} of their steps" if caught else ""
        yield f"{curves.name}: stops {len(caught)} of {failed} failed runs{when}; {len(wrong)} of {good} others" + (
            f": {'; '.join(wrong)}" if wrong else ""
        )


def _stop_of(curves: CurveSet, run: Sequence[Measurement], settings: InstabilitySpec) -> float | None:
    history: list[tuple[float, Measurement]] = []
    for measurement in run:
        history.append((measurement.step / run[-1].step, measurement))
        if isinstance(judge(settings, curves.level, history), Prune):
            return history[-1][0]
    return None
