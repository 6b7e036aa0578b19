"""A sweep on simulated time: what trials measure is computed, and everything else is the real thing."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.seeds import derive_share
from blurb_tune.core.trial import Measurement, Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog, read_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.simulator import simulate as on_clock
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.sweep import Sweep

FACTS = SweepFacts(blocks={"tiny": 6}, train_examples=(64,), trivial_loss=2.0, trivial_score=0.0, noise_bound=0.15)
Behavior = Callable[[TrialConfig], list[TrialReport]]


def make_spec(**settings: Any) -> SweepSpec:
    space = {"strategy": ["vanilla", {"freeze_depth": 4}, {"reinit_count": 2}, {"decay_rate": 0.8}], "epochs": 5}
    data = {"name": "s", "task": "demo", "model": "tiny", "seeds": 3, "space": space, "search": {"sampler": "grid"}}
    return SweepSpec.model_validate(data | settings)


def report(index: int, score: float, loss: float = 1.0, outcome: Outcome | None = None) -> TrialReport:
    measurement = Measurement(4 * index, float(index), score, 1.0, loss, 1.0, 0.9, 1e-5, float(index), 0.1)
    return TrialReport(measurement, outcome, "why" if outcome else "")


def usual(trial: TrialConfig) -> list[TrialReport]:
    """Five evaluations whose scores follow from configuration and seed; freezing does badly, some runs end in other ways."""
    luck = derive_share(trial.seed, trial.configuration_id, "luck")
    level = 0.2 if trial.configuration.freeze_depth else 0.6
    scores = [level + 0.2 * derive_share(trial.seed, trial.configuration_id, index) for index in range(5)]
    if luck < 0.15:
        return [report(1, scores[0]), report(2, math.nan, math.nan, Outcome.DIVERGED)]
    if luck < 0.3:
        return [report(index, -0.1, 1.99) for index in range(1, 5)] + [report(5, -0.1, 1.99, Outcome.COLLAPSED)]
    if luck < 0.4 and trial.attempt == 1:
        return [report(1, scores[0]), TrialReport(outcome=Outcome.ERRORED, reason="RuntimeError: x", error="trace")]
    ends = [report(index, score) for index, score in enumerate(scores[:-1], start=1)]
    return [*ends, report(5, scores[-1], outcome=Outcome.COMPLETED)]


def header_of(spec: SweepSpec, folds: int = 0) -> ev.SweepStarted:
    return ev.SweepStarted(
        sweep_id="s-1", name="s", spec_digest="d", task="demo", metric="pearson", models={"tiny": 6},
        objective=spec.objective, score=spec.score, seeds=spec.seeds, configurations=4,
        trivial_score=FACTS.trivial_score, slots=1, versions={}, folds=folds,
    )  # fmt: skip


def open_log(paths: SweepPaths, spec: SweepSpec, folds: int) -> EventLog:
    log = EventLog(paths.events, paths.lock)
    if paths.events.stat().st_size:
        log.append(ev.SweepResumed(slots=1))
        return log
    log.append(header_of(spec, folds))
    return log


def simulate(
    folder: Path,
    spec: SweepSpec,
    behave: Behavior = usual,
    *,
    slots: int = 1,
    dies_after: int | None = None,
    facts: SweepFacts = FACTS,
    may_stop: bool = False,
) -> Sweep:
    """Run a sweep, or go on with the one in the folder. The driver dies, without a word, after so many turns.

    may_stop: the sweep may abort, and is left as it is then.
    """
    paths = SweepPaths(folder)
    with open_log(paths, spec, facts.folds) as log:
        sweep = Sweep(spec, facts, log, [event for event, _ in read_events(paths.events)])
        on_clock(sweep, lambda trial: ((1.0, report) for report in behave(trial)), slots=slots, turns=dies_after)
        if dies_after is not None and not sweep.is_finished:
            return sweep
        if may_stop and sweep.abort_reason:
            return sweep
        assert sweep.is_finished
        sweep.close(interrupted=False, started=0.0)
    return sweep


def results(folder: Path) -> dict[str, tuple[str, str, float | None, int]]:
    """What a sweep's log says came of each trial: outcome, reason, score, steps."""
    record = SweepRecord.read(SweepPaths(folder).events)
    return {t.trial_id: (str(t.outcome), t.reason, record.score(t), t.steps) for t in record.trials.values()}
