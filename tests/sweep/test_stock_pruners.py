"""Stock pruners in a sweep on simulated time: whom they stop while seeds go round, and that a resumed driver decides alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from blurb_tune.core.seeds import derive_share
from blurb_tune.core.trial import Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.replay.simulator import MemoryLog, simulate
from blurb_tune.spec.pruning import PRUNERS
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.sweep.sweep import Sweep
from tests.sweep.simulation import FACTS, Behavior, header_of, make_spec, report

SETTINGS: dict[str, dict[str, Any]] = {
    "median": {"n_startup_trials": 2, "n_warmup_steps": 1},
    "percentile": {"n_startup_trials": 2, "n_warmup_steps": 1, "percentile": 40.0},
    "successive_halving": {},
    "hyperband": {},
    "patient": {"n_startup_trials": 2, "patience": 0},
    "threshold": {"lower": 0.55, "n_warmup_steps": 1},
}
HALVING = {"successive_halving", "hyperband"}
RATES = [1e-5 * number for number in range(1, 10)]


def spec_of(
    kind: str, seeds: int, *, sampler: str = "grid", rates: Sequence[float] = RATES, control: float = 0.0
) -> SweepSpec:
    """A configuration per rate, none of them vanilla."""
    space = {"learning_rate": rates, "freeze_depth": 2, "epochs": 5}
    pruning = {"pruner": {"kind": kind, **SETTINGS[kind]}, "race": "none", "control_share": control}
    return make_spec(seeds=seeds, space=space, search={"sampler": sampler, "configurations": len(rates)}, pruning=pruning)


def drive(spec: SweepSpec, past: Sequence[ev.Event], behave: Behavior, slots: int = 1) -> list[ev.Event]:
    """All events of a sweep whose driver takes up what an earlier one has left."""
    log = MemoryLog(past)
    simulate(Sweep(spec, FACTS, log, list(past)), lambda trial: ((1.0, each) for each in behave(trial)), slots=slots)
    return log.events


def stops(events: Sequence[ev.Event]) -> dict[str, tuple[str, int, bool]]:
    stopped = (event for event in events if isinstance(event, ev.ConfigurationStopped))
    return {event.configuration: (event.rule, event.replicates, event.spared) for event in stopped}


def ends(events: Sequence[ev.Event]) -> dict[str, tuple[Outcome, str]]:
    ended = (event for event in events if isinstance(event, ev.TrialEnded) and not event.retry)
    return {event.trial: (event.outcome, event.reason) for event in ended}


def by_luck(trial: TrialConfig) -> list[TrialReport]:
    level = 0.3 + 0.4 * derive_share(0, trial.configuration_id)
    return [report(5, level + 0.2 * derive_share(trial.seed, trial.configuration_id), outcome=Outcome.COMPLETED)]


def is_good(rate: float) -> bool:
    return rate < 5.5e-5


def by_rate(trial: TrialConfig) -> list[TrialReport]:
    """Low rates do well, and with high ones each seed does worse than the one before."""
    score = 0.8 if is_good(trial.configuration.learning_rate) else 0.5 - 0.05 * trial.seed
    return [report(5, score, outcome=Outcome.COMPLETED)]


@pytest.mark.parametrize("sampler", ["grid", "random", "quasi_random"])
@pytest.mark.parametrize("kind", SETTINGS)
def test_stock_pruners_stop_what_is_bad_while_the_seeds_go_round(kind: str, sampler: str) -> None:
    """No configuration has ended before the last round."""
    spec = spec_of(kind, 4, sampler=sampler)
    events = drive(spec, [header_of(spec)], by_rate)
    rates = {e.configuration: e.values["learning_rate"] for e in events if isinstance(e, ev.ConfigurationSuggested)}
    assert len(rates) == len(RATES)
    found, bad = stops(events).keys(), {cid for cid, rate in rates.items() if not is_good(rate)}
    assert found & bad
    if kind not in HALVING:  # of equals, a halving lets the first ones pass
        assert found <= bad
        assert sampler != "grid" or found == bad, "those that come first in a round have nobody to be compared with"


@pytest.mark.parametrize("kind", sorted(PRUNERS.keys() - {"none"}))
def test_a_resumed_driver_decides_as_one_that_never_died(kind: str) -> None:
    """What a pruner remembers, such as who has passed which rung, is in no event."""
    spec = spec_of(kind, 9, control=0.3)
    whole = drive(spec, [header_of(spec)], by_luck)
    assert any(spared for *_, spared in stops(whole).values())
    assert any(not spared and replicates < 9 for _, replicates, spared in stops(whole).values())
    for cut in range(len(whole) // 8, len(whole), len(whole) // 8):
        resumed = drive(spec, [*whole[:cut], ev.SweepResumed(slots=1)], by_luck)
        assert stops(resumed) == stops(whole)
        assert ends(resumed) == ends(whole)


def test_a_resumed_driver_does_not_ask_after_a_run_that_is_tried_again() -> None:
    """The other one goes on too: when its configuration was judged, nothing of it waited that a stop would have saved."""
    spec = spec_of("threshold", 2, rates=[9e-5])

    def behave(trial: TrialConfig) -> list[TrialReport]:
        if trial.seed == 1 and trial.attempt == 1:
            return [report(1, 0.5), TrialReport(outcome=Outcome.ERRORED, reason="RuntimeError: x", error="trace")]
        return [report(5, 0.2, outcome=Outcome.COMPLETED)]

    whole = drive(spec, [header_of(spec)], behave, slots=2)
    (errored,) = (number for number, event in enumerate(whole) if isinstance(event, ev.TrialEnded) and event.retry)
    resumed = drive(spec, [*whole[: errored + 1], ev.SweepResumed(slots=2)], behave, slots=2)
    assert stops(resumed) == stops(whole) == {}
