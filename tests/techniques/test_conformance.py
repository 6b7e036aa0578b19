"""What every registered technique has to keep in every family, in classifiers of texts and of tokens by turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from blurb_tune.models.families import family_of
from blurb_tune.techniques.protocol import Technique
from blurb_tune.techniques.rdrop import RDrop
from blurb_tune.techniques.registry import NEUTRAL, TECHNIQUES, conflicts, is_feasible
from blurb_tune.training.checkpoint import Checkpoint
from blurb_tune.training.engines.packed import PackedEngine
from blurb_tune.training.engines.prefix import Prefixes
from blurb_tune.training.engines.states_cache import StatesCache
from blurb_tune.training.fine_tuning import Weights
from tests.models.encoders import FAMILIES
from tests.techniques.slots import BLOCKS, Slot, by_transformers, measure

# Each technique in each family, and each of both in both kinds of classifiers: heads are as the family has them, whatever the
# technique, and what a technique makes of one is in the tests of its own.
CASES = [
    pytest.param(technique, family, bool((row + column) % 2), id=f"{technique.name}-{family}")
    for row, technique in enumerate(TECHNIQUES)
    for column, family in enumerate(FAMILIES)
]
ALL = pytest.mark.parametrize(("technique", "family", "per_token"), CASES)


def axes_of(technique: type[Technique]) -> dict[str, Any]:
    """Values at which it is at work: the first of its example that is not neutral."""
    ((name, values),) = yaml.safe_load(technique.example).items()
    assert name == technique.axes[0].name
    assert NEUTRAL[name] in values
    return {name: next(value for value in values if value != NEUTRAL[name])}


@pytest.fixture(scope="module")
def slots() -> dict[tuple[str, bool], Slot]:
    """Warm slots, which every test of this module uses."""
    return {}


@pytest.fixture
def slot(slots: dict[tuple[str, bool], Slot], family: str, per_token: bool) -> Slot:
    if (family, per_token) not in slots:
        slots[family, per_token] = Slot(family, per_token)
    return slots[family, per_token]


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@ALL
def test_a_warm_slot_and_an_interruption_change_no_bit_and_weights_outlive_the_trial(
    technique: type[Technique], slot: Slot, family: str, per_token: bool, tmp_path: Path
) -> None:
    axes, fresh, saved = axes_of(technique), Slot(family, per_token), list[Path]()
    trial = fresh.start(**axes)

    def save() -> None:
        saved.append(tmp_path / str(len(saved)))
        trial.checkpoint().save(saved[-1])

    expected = measure(trial, save)
    again = slot.start(**axes)
    assert measure(again) == expected, "what the slot has run before does not show"
    weights = {name: value.clone() for name, value in again.weights().items()}
    outputs = again._runner.outputs(slot.data.dev)
    outputs = outputs[~np.isnan(outputs).any(axis=1)]
    assert np.allclose(outputs, by_transformers(slot.model, slot.data), rtol=1e-4, atol=1e-5), "the engine runs all of it"
    assert isinstance(again._runner._engine, PackedEngine) == (family_of(family).layout is not None)
    assert np.allclose(outputs, slot.outputs(weights), rtol=1e-4, atol=1e-5), "what is kept is what was trained"
    resumed = slot.start(**axes)
    resumed.resume(Checkpoint.load(saved[0]))
    assert measure(resumed) == expected, "from the checkpoint behind the first step"
    assert same(resumed.weights(), weights)
    assert measure(slot.start()) == slot.plain, "it leaves nothing behind"
    # ModernBERT has no dropout, without which two passes are one.
    assert (expected == slot.plain) == (technique is RDrop and family == "modernbert"), "it does something"


@ALL
def test_engines_that_begin_behind_frozen_blocks_give_the_same(
    technique: type[Technique], slot: Slot, family: str, tmp_path: Path
) -> None:
    """Hidden states of frozen blocks that are kept, or computed in each step: what is trained above is the same."""
    axes = axes_of(technique)
    axes |= {"freeze_depth": 1}
    values = NEUTRAL | axes
    if not is_feasible(values, BLOCKS):
        pytest.skip(", ".join(conflicts(values, BLOCKS)))
    kept = measure(slot.start(prefixes=Prefixes(StatesCache(tmp_path)), **axes))
    trial = slot.start(**axes)
    assert np.allclose(measure(trial), kept, rtol=1e-3, atol=1e-4, equal_nan=True)
    weights = trial.weights()
    frozen = [name for name in weights if name.startswith(f"{family_of(family).blocks}.0.")]
    assert frozen
    assert all(np.array_equal(weights[name].numpy(), slot.pretrained.weights[name]) for name in frozen)
