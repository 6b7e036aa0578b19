"""What a trial's settings make of its model, in every family, in classifiers of texts and of tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from blurb_tune.training.checkpoint import Checkpoint
from blurb_tune.training.engines.dropout import Masks
from tests.models.encoders import FAMILIES
from tests.techniques.slots import Slot, measure

RATES = {"hidden_dropout_prob": 0.25, "attention_probs_dropout_prob": 0.125, "classifier_dropout": 0.375}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Models this small take ten times as long where two threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=[(f, per_token) for f in FAMILIES for per_token in (False, True)], ids=str)
def slot(request: pytest.FixtureRequest) -> Slot:
    return Slot(*request.param)


def test_the_trial_s_own_masks_drop_at_the_rates_that_are_set(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[float, list[int]] = defaultdict(lambda: [0, 0])
    draw = Masks.draw

    def count(masks: Masks, shape: tuple[int, ...], p: float) -> tuple[torch.Tensor, float]:
        kept, scale = draw(masks, shape, p)
        drawn[p][0] += kept.numel() - int(kept.sum())
        drawn[p][1] += kept.numel()
        return kept, scale

    trial = slot.start(**RATES)
    monkeypatch.setattr(Masks, "draw", count)
    measure(trial)
    assert set(drawn) == set(RATES.values())
    for p, (dropped, of) in drawn.items():
        assert abs(dropped - p * of) < 5 * np.sqrt(of * p * (1 - p)), f"{dropped} of {of} at {p}"


def test_a_warm_slot_an_interruption_and_a_neutral_trial_behind_it_change_no_bit(slot: Slot, tmp_path: Path) -> None:
    plain = measure(slot.start())
    trial, file = slot.start(**RATES), tmp_path / "checkpoint"
    expected = measure(trial, lambda: trial.checkpoint().save(file))
    assert expected != plain
    assert measure(slot.start()) == plain, "it leaves nothing behind"
    fresh = Slot(slot.pretrained.family, slot.per_token)
    resumed = fresh.start(**RATES)
    resumed.resume(Checkpoint.load(file))
    assert measure(resumed) == expected
    assert measure(fresh.start(lora_rank=2, **RATES)) != expected
    assert measure(fresh.start(**RATES)) == expected, "nor do adapters"
