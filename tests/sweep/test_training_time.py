"""What trials that lose their process and go on have trained, on simulated time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from blurb_tune.core.trial import Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.simulator import LOST, MemoryLog, simulate
from blurb_tune.sweep.sweep import Sweep
from tests.sweep.simulation import FACTS, make_spec, report

SETUP, EPOCH, EPOCHS = 3.0, 10.0, 4


def measured(epoch: int, **details: float) -> TrialReport:
    """Behind an epoch of a trial whose epochs take ten seconds."""
    of = report(epoch, 0.5, outcome=Outcome.COMPLETED if epoch == EPOCHS else None)
    assert of.measurement is not None
    return replace(of, measurement=replace(of.measurement, train_seconds=EPOCH * epoch, eval_seconds=0.0), **details)


@pytest.mark.parametrize(
    ("checkpoint", "trained"),
    [(0.0, 20 + 40), (10.0, 20 + 30), (18.0, 20 + 22), (20.0, 20 + 20), (23.0, 20 + 3 + 17)],
    ids=["from scratch", "behind an evaluation", "before one that was told", "behind the last", "behind what was told"],
)
def test_what_is_said_once_more_counts_once(checkpoint: float, trained: float) -> None:
    """Two epochs are told of, and the process is lost in the third. checkpoint: the seconds of training up to it."""

    def behave(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        if trial.attempt == 1:
            yield SETUP + EPOCH, measured(1)
            yield EPOCH, measured(2)
            yield 4.0, LOST
        now = -SETUP
        for epoch in range(1, EPOCHS + 1):
            seconds = max(EPOCH * epoch - checkpoint, 0.0)
            yield seconds - now, measured(epoch, resumed_seconds=checkpoint)
            now = seconds

    spec = make_spec(space={"strategy": ["vanilla"], "epochs": EPOCHS}, seeds=1)
    log = MemoryLog(
        [
            ev.SweepStarted(
                sweep_id="s-1", name="s", spec_digest="d", task="t", metric="pearson", models={"tiny": 6}, objective="mean",
                score="final", seeds=spec.seeds, configurations=1, trivial_score=0.0, slots=1, versions={}, time=1000.0,
            )
        ]
    )  # fmt: skip
    sweep = Sweep(spec, FACTS, log, log.events)
    log.now = 1000.0
    simulate(sweep, behave, tell_time=lambda now: setattr(log, "now", 1000.0 + now))
    (trial,) = sweep.record.trials.values()
    assert (trial.attempt, trial.outcome, trial.train_seconds) == (2, Outcome.COMPLETED, 40.0)
    assert trial.own_seconds == 40.0 - checkpoint
    assert sweep.record.train_seconds == SweepRecord.of(log.events).train_seconds == pytest.approx(trained)
    ends = [event for event in log.events if isinstance(event, ev.TrialEnded)]
    assert [event.setup_seconds for event in ends] == pytest.approx([SETUP, SETUP])
