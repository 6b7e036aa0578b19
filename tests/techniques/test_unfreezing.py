"""Gradual unfreezing: which parts have moved after each step."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models.encoders import level as level_of
from tests.techniques.slots import BLOCKS, Slot, measure


def levels_moved(slot: Slot, **axes: float) -> list[set[int]]:
    """Of each step, the levels at which anything has changed in it."""
    trial, found = slot.start(epochs=5, **axes), []
    before = {name: p.detach().clone() for name, p in slot.model.named_parameters()}

    def look() -> None:
        moved = {level_of(n, BLOCKS) for n, p in slot.model.named_parameters() if not np.array_equal(p.detach(), before[n])}
        found.append(moved)
        before.update({name: p.detach().clone() for name, p in slot.model.named_parameters()})

    while len(found) < 8 and trial.advance(look).outcome is None:
        look()
    return found


@pytest.mark.parametrize("epochs", [0.5, 1.0])
def test_blocks_join_from_the_head_down(family, per_token, epochs):
    steps = round(2 * epochs)  # two steps are an epoch
    moved = levels_moved(Slot(family, per_token), unfreeze_epochs=epochs)
    for step, levels in enumerate(moved[:8]):
        joined = step // steps
        assert levels == set(range(max(0, BLOCKS + 1 - joined), BLOCKS + 2)), f"step {step + 1}"


def test_what_is_frozen_for_good_never_joins():
    moved = levels_moved(Slot("bert", False), unfreeze_epochs=0.5, freeze_depth=2)
    assert moved[0] == {BLOCKS + 1}
    assert moved[-1] == {BLOCKS, BLOCKS + 1}


def test_it_ends_with_all(per_token):
    assert measure(Slot("bert", per_token).start(unfreeze_epochs=0.1))
