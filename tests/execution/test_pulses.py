"""What is heard between the events of a real sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from ray.experimental.internal_kv import _internal_kv_list

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.pulse import Onlooker, Pulse
from blurb_tune.execution.cluster import ray_cluster
from blurb_tune.execution.driver import run_sweep
from blurb_tune.execution.halt import Halt
from blurb_tune.execution.pulses import PulseSender, PulseWatch
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from tests.execution.test_driver import SPEC, plan_of
from tests.sweep.simulation import make_spec

pytestmark = pytest.mark.ray


class Listener(Onlooker):
    def __init__(self) -> None:
        self.phases: list[str] = []
        self.pulses: list[Pulse] = []

    def on_phase(self, text: str) -> None:
        self.phases.append(text)

    def on_pulses(self, pulses: Sequence[Pulse]) -> None:
        self.pulses += pulses


def test_a_sweep_tells_its_phases_and_what_its_trials_do_and_logs_none_of_it(tmp_path: Path) -> None:
    """The trials take some seconds, in which each is heard of once a second."""
    space = SPEC["space"] | {"strategy": ["vanilla"], "epochs": 24}
    plan, paths = plan_of(tmp_path, space=space, seeds=1, final_test=False), SweepPaths(tmp_path / "out")
    heard = Listener()
    record = run_sweep(plan, paths, onlooker=heard)
    assert heard.phases == [
        "starting Ray",
        "reading the data",
        "loading the model tiny",
        f"tokenizing {plan.train_examples + plan.dev_examples} examples for tiny",  # type: ignore[operator]
        "starting the processes of the trials",
    ]
    (trial,) = record.trials.values()
    steps = trial.steps
    assert {(pulse.trial, pulse.attempt) for pulse in heard.pulses} == {(trial.trial_id, 1)}
    trained = [pulse for pulse in heard.pulses if pulse.steps]
    assert trained, "it was heard of while it trained"
    assert {pulse.steps for pulse in trained} == {steps}
    assert [pulse.step for pulse in trained] == sorted(pulse.step for pulse in trained)
    assert all(0 < pulse.step <= steps for pulse in trained)
    kinds = {type(event) for event, _ in read_events(paths.events)}
    assert kinds <= set(ev.EVENT_TYPES.values())


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with ray_cluster(make_spec()):
        yield


@pytest.mark.usefixtures("cluster")
def test_a_slot_has_one_value_the_newest_and_none_is_left_behind() -> None:
    halt, other = Halt("sweep/a"), Halt("sweep/b")
    slots = [PulseSender(halt, f"host:{number}") for number in range(3)]
    with PulseWatch(halt, Onlooker()) as watch:
        for number, slot in enumerate(slots):
            slot.send(Pulse(f"t{number}", 1, "loading the model"))
            slot.send(Pulse(f"t{number}", 1, "training", 1, 9))
            slot.send_if_due(Pulse(f"t{number}", 1, "training", 2, 9))
        PulseSender(other, "host:0").send(Pulse("t0", 1, "training", 7, 9))
        found = sorted(watch.read(), key=lambda pulse: pulse.trial)
        assert found == [Pulse(f"t{number}", 1, "training", 1, 9) for number in range(3)], "no second one within the second"
    assert _internal_kv_list("sweep/a/pulse/", namespace=b"blurb_tune") == []
    assert len(_internal_kv_list("sweep/b/pulse/", namespace=b"blurb_tune")) == 1


def test_a_trial_does_not_depend_on_a_store_that_does_not_answer() -> None:
    PulseSender(None, "host:1").send(Pulse("t", 1, "training"))
    PulseSender(Halt("sweep/c"), "host:1").send(Pulse("t", 1, "training"))
