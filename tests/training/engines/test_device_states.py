from __future__ import annotations

import torch

from blurb_tune.training.engines.device_states import DeviceStates

# A device of torch's without memory: what is copied there has a place and a size.
DEVICE = torch.device("meta")
VALUES = torch.zeros(10, 4)


def test_what_was_used_least_recently_gives_way() -> None:
    states = DeviceStates(2 * VALUES.nbytes)
    first, second = (states.copy(key, VALUES, DEVICE) for key in "ab")
    assert first.device == second.device == DEVICE
    assert states.copy("a", VALUES, DEVICE) is first
    third = states.copy("c", VALUES, DEVICE)
    assert (states.copy("a", VALUES, DEVICE), states.copy("c", VALUES, DEVICE)) == (first, third)
    assert states.copy("b", VALUES, DEVICE) is not second


def test_what_has_no_room_is_read_where_it_is() -> None:
    states = DeviceStates(VALUES.nbytes)
    assert states.copy("a", torch.zeros(11, 4), DEVICE).device == VALUES.device
    kept = states.copy("b", VALUES, DEVICE)
    assert kept.device == DEVICE
    assert states.copy("a", torch.zeros(11, 4), DEVICE).device == VALUES.device
    assert states.copy("b", VALUES, DEVICE) is kept, "nothing gives way to what has no room anyway"
    assert DeviceStates().copy("a", VALUES, DEVICE) is VALUES
    assert DeviceStates(1e9).copy("a", VALUES, VALUES.device) is VALUES


def test_memory_is_given_back() -> None:
    states = DeviceStates(VALUES.nbytes)
    kept = states.copy("a", VALUES, DEVICE)
    states.clear()
    assert states.copy("a", VALUES, DEVICE) is not kept
