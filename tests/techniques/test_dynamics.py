"""Freezing by training dynamics: what rests, for how long, and that it stays bitwise as it is."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from tests.models.encoders import level as level_of
from tests.techniques.slots import BLOCKS, Slot

SHARE = 0.7


def follow(slot: Slot, *, epochs: int = 6, **axes: float) -> list[dict[str, torch.Tensor]]:
    """All weights before the first step and after each one."""
    trial = slot.start(epochs=epochs, **axes)
    found = [{name: p.detach().clone() for name, p in slot.model.named_parameters()}]

    def look() -> None:
        found.append({name: p.detach().clone() for name, p in slot.model.named_parameters()})

    while trial.advance(look).outcome is None:
        look()
    look()
    return found


def tensors_of(weights: dict[str, torch.Tensor]) -> list[str]:
    return [name for name, value in weights.items() if value.ndim > 1 or name.endswith(".weight")]


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("warmup", [0.0, 0.4])
def test_as_many_rest_as_the_share_says_and_those_that_moved_least(per_token, warmup):
    """The rule spelled out: of tensors that have learned, the distances decide; those that have not come first."""
    weights = follow(Slot("bert", per_token), dynamic_freeze=SHARE, warmup_share=warmup)
    names = tensors_of(weights[0])
    count = int(SHARE * len(names))
    distances: dict[str, float] = {}
    pairs = list(pairwise(weights))
    if warmup:
        assert not moved(*pairs.pop(0)), "the first rate is 0"
    for step, (before, after) in enumerate(pairs):
        active = [name for name in names if name in moved(before, after)]
        assert len(active) == len(names) - count, f"step {step + 1}"
        rested = [name for name in names if name not in active]
        known = [distances[name] for name in rested if name in distances]
        if all(name in distances for name in active):
            assert max(known) <= min(distances[name] for name in active), "the others moved less"
        assert all(name in distances for name in rested) or not any(name in distances for name in active), "new ones first"
        for name in active:
            ratio = torch.where(before[name] == 0, 0.0, (before[name] - after[name]) / before[name])
            distances[name] = ratio.abs().double().mean().item()
    assert distances.keys() == set(names), "each has learned at some time"


def test_biases_learn_in_every_step(per_token):
    weights = follow(Slot("bert", per_token), dynamic_freeze=0.9)
    biases = {name for name in weights[0] if name.endswith("bias")}
    # A key's bias shifts all scores of a query alike, which the softmax does not see.
    for before, after in pairwise(weights):
        assert {name for name in biases if "key" not in name} <= moved(before, after)


def test_weights_that_are_zero_do_no_harm(per_token):
    slot = Slot("bert", per_token)
    trial = slot.start(dynamic_freeze=SHARE)
    with torch.no_grad():
        slot.model.get_parameter("bert.encoder.layer.0.output.dense.weight").zero_()
    measured = trial.advance().measurement
    assert measured is not None
    (technique,) = trial._treatment._techniques
    assert torch.isfinite(technique.state()["distances"]).all()


def test_what_rested_is_measured(per_token):
    slot = Slot("bert", per_token)
    weights = follow(slot, dynamic_freeze=SHARE)
    trial = slot.start(epochs=6, dynamic_freeze=SHARE)
    reports = [trial.advance()]
    while reports[-1].outcome is None:
        reports.append(trial.advance())
    names = tensors_of(weights[0])
    pairs = list(pairwise(weights))
    rested = sum(before[name].numel() for before, after in pairs for name in set(names) - moved(before, after)) / len(pairs)
    extra = reports[-1].measurement.extra
    assert extra["frozen_share"] == rested / sum(value.numel() for value in weights[0].values())
    assert extra["gradient_mb_saved"] == rested * 4 / 1e6


def test_frozen_blocks_are_not_among_them(per_token):
    weights = follow(Slot("bert", per_token), dynamic_freeze=0.5, freeze_depth=1)
    names = [name for name in tensors_of(weights[0]) if "embeddings" not in name and "layer.0." not in name]
    assert len(moved(weights[0], weights[1]) & set(names)) == len(names) - int(0.5 * len(names))


def test_all_of_lora_learns(per_token):
    """B is 0 at first, and until it is not, A has no gradient."""
    weights = follow(Slot("bert", per_token), dynamic_freeze=0.5, lora_rank=2, weight_decay=0.0)
    adapters = {name for name in weights[0] if ".lora_" in name}
    moves = [moved(before, after) & adapters for before, after in pairwise(weights)]
    assert set[str]().union(*moves) == adapters
    assert {name for name in adapters if ".lora_B." in name} <= set[str]().union(*moves[2:]), "each once more"


def test_of_blocks_that_have_not_joined_yet_none_is_counted(per_token):
    weights = follow(Slot("bert", per_token), dynamic_freeze=0.5, unfreeze_epochs=1.0)
    names = tensors_of(weights[0])
    for step, (before, after) in enumerate(pairwise(weights)):
        joined = {name for name in names if level_of(name, BLOCKS) > BLOCKS - step // 2}
        active = moved(before, after) & set(names)
        assert active <= joined
        assert len(active) == len(joined) - len(joined) // 2, f"step {step + 1}"


def test_what_has_no_gradient_does_not_stay_in_front():
    """BigBird's classifiers make no use of its pooler."""
    slot = Slot("big_bird", False)
    follow(slot, epochs=8, dynamic_freeze=0.1)
    assert not slot.model.get_parameter("bert.pooler.weight").requires_grad
