from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from blurb_tune.training.engines.dropout import Masks


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.013])
def test_the_share_that_is_dropped_is_p(p: float) -> None:
    """The generator's own threshold is within 1e-5 of p, and what is drawn is binomial with it."""
    kept, scale = Masks(1).draw((4_000_000,), p)
    assert 1 - 1 / scale == pytest.approx(p, abs=1e-5)
    dropped = int((~kept).sum())
    assert stats.binomtest(dropped, kept.numel(), p).pvalue > 1e-4


def test_elements_are_dropped_independently() -> None:
    kept = Masks(2).draw((2000, 500), 0.1)[0].numpy()
    for neighbors in ((kept[:, 1:], kept[:, :-1]), (kept[1:], kept[:-1]), (kept[:, 4:], kept[:, :-4])):
        table = np.array([[np.sum((neighbors[0] == a) & (neighbors[1] == b)) for a in (0, 1)] for b in (0, 1)])
        assert stats.chi2_contingency(table).pvalue > 1e-4
    dropped = (~kept).sum(axis=1)
    dispersion = ((dropped - 500 * 0.1) ** 2).sum() / (500 * 0.1 * 0.9)
    assert 1e-4 < stats.chi2.sf(dispersion, len(dropped)) < 1 - 1e-4, "rows differ as binomial numbers do"


def test_what_stays_keeps_the_mean_and_has_its_own_gradient() -> None:
    values = torch.full((1000, 1000), 3.0, requires_grad=True)
    dropped = Masks(3).drop(values, 0.1)
    assert dropped.mean().item() == pytest.approx(3.0, rel=2e-3)
    dropped.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad * 3.0, dropped.detach())
    assert Masks(3).drop(values, 0.0) is values


def test_same_seed_same_masks_and_a_state_goes_on() -> None:
    first, second = Masks(7), Masks(7)
    assert torch.equal(first.draw((33,), 0.5)[0], second.draw((33,), 0.5)[0])
    assert not torch.equal(Masks(8).draw((99,), 0.5)[0], Masks(7).draw((99,), 0.5)[0])
    state = first.state()
    expected = first.draw((7, 5), 0.3)[0]
    other = Masks(9)
    other.load(state)
    assert torch.equal(other.draw((7, 5), 0.3)[0], expected)
    with pytest.raises(ValueError, match="4 words"):
        other.load(torch.zeros(3, dtype=torch.int64))


def test_a_model_s_dropouts_draw_from_the_masks_while_it_is_trained() -> None:
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Dropout(0.0))
    values = torch.ones(64, 64)
    before = torch.get_rng_state()
    with Masks(5).within(model):
        assert torch.equal(model(values), Masks(5).drop(values, 0.5))
        assert torch.equal(model.eval()(values), values)
    assert torch.equal(torch.get_rng_state(), before), "torch's generator has not moved"
    model.train()(values)
    assert not torch.equal(torch.get_rng_state(), before), "and the model is as it was"
