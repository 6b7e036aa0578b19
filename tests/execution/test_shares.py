from __future__ import annotations

import threading
import time

import pytest
import ray
from hypothesis import given
from hypothesis import strategies as st
from ray.util.placement_group import placement_group, remove_placement_group

from blurb_tune.execution.cluster import ray_cluster
from blurb_tune.execution.local import count_cpus
from blurb_tune.execution.remote import Prepared, precision_of
from blurb_tune.execution.shares import SlotShare, Want, shares
from tests.sweep.simulation import FACTS, make_spec

WANTS = st.dictionaries(
    st.sampled_from("abcdefgh"), st.builds(Want, st.floats(0.1, 100), st.integers(0, 50)), min_size=1, max_size=8
)


@given(st.integers(0, 60), WANTS)
def test_every_slot_that_is_wanted_is_given_and_none_twice(total: int, wants: dict[str, Want]) -> None:
    given_ = shares(total, wants)
    assert sum(given_.values()) == min(total, sum(want.slots for want in wants.values()))
    assert all(0 <= given_[name] <= want.slots for name, want in wants.items())


@given(st.integers(1, 60), WANTS)
def test_nobody_who_wants_more_has_less_for_its_priority_than_another_by_more_than_a_slot(
    total: int, wants: dict[str, Want]
) -> None:
    given_ = shares(total, wants)
    for name, want in wants.items():
        if given_[name] < want.slots:
            for other, has in given_.items():
                assert given_[name] / want.priority >= (has - 1) / wants[other].priority - 1e-9


def test_priorities_are_shares() -> None:
    assert shares(6, {"a": Want(2, 50), "b": Want(1, 50)}) == {"a": 4, "b": 2}
    assert shares(4, {"a": Want(1, 50), "b": Want(1, 1)}) == {"a": 3, "b": 1}
    assert shares(1, {"b": Want(1, 5), "a": Want(1, 5), "c": Want(2, 5)}) == {"a": 0, "b": 0, "c": 1}
    assert shares(8, {"alone": Want(0.5, 20)}) == {"alone": 8}


@pytest.mark.ray
def test_a_sweep_that_asks_a_slot_for_its_precision_wants_one_and_can_be_interrupted() -> None:
    """Though another has them all, and keeps them from trial to trial until it is asked for some."""
    spec, interrupted = make_spec(), threading.Event()
    phases: list[str] = []
    with ray_cluster(spec), SlotShare(1.0, 2, 2) as other, SlotShare(1.0, 2, 2) as share:
        trials = placement_group([{"CPU": 1}] * count_cpus())
        assert trials.wait(timeout_seconds=60)
        prepared = Prepared(ray.put(None), FACTS, [], precision=None)
        other.announce(2)
        assert other.slots == 2, "one that prepares takes nothing"

        def interrupt_once_it_is_heard() -> None:
            deadline = time.monotonic() + 30
            while other.slots == 2 and time.monotonic() < deadline:
                other.announce(2)
            interrupted.set()

        threading.Thread(target=interrupt_once_it_is_heard).start()
        with pytest.raises(KeyboardInterrupt):
            precision_of(spec, prepared, share, interrupted, phases.append)
        assert phases == ["waiting for a slot, which says what precision it has"]
        assert other.slots == 1
        remove_placement_group(trials)
        assert precision_of(spec, prepared, share, threading.Event(), phases.append) in ("fp32", "bf16")
