"""R-Drop's divergence beside torch's, and its two passes in a trial."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import distributions
from torch.nn import functional

from blurb_tune.tasks.kinds import CLASSIFICATION, MULTI_LABEL, REGRESSION, SPANS, TOKEN_CLASSIFICATION
from tests.techniques.slots import Slot, measure, without_dropout


def both_ways(p: distributions.Distribution, q: distributions.Distribution) -> torch.Tensor:
    return (distributions.kl_divergence(p, q) + distributions.kl_divergence(q, p)) / 2


@pytest.mark.parametrize("kind", [CLASSIFICATION, TOKEN_CLASSIFICATION, MULTI_LABEL, REGRESSION])
def test_the_penalty_is_the_divergence_of_what_the_outputs_stand_for(new_subject, kind):
    treatment = new_subject("bert").treat(rdrop=3.0, kind=kind)
    generator = torch.Generator().manual_seed(0)
    p, q = (torch.randn(7, 1 if kind is REGRESSION else 4, generator=generator) for _ in range(2))
    if kind is REGRESSION:  # 2 sigma^2 = 1: the squared error is the negative log likelihood
        expected = both_ways(distributions.Normal(p, math.sqrt(0.5)), distributions.Normal(q, math.sqrt(0.5))).mean()
    elif kind is MULTI_LABEL:
        expected = both_ways(distributions.Bernoulli(logits=p), distributions.Bernoulli(logits=q)).mean()
    else:
        expected = both_ways(distributions.Categorical(logits=p), distributions.Categorical(logits=q)).mean()
    (penalty,) = treatment.penalties([p, q], None)
    assert treatment.passes == 2
    assert penalty.item() == pytest.approx(3 * expected.item(), rel=1e-5)


def test_of_spans_it_is_that_of_start_and_end_among_the_words(new_subject):
    treatment = new_subject("bert").treat(rdrop=1.0, kind=SPANS)
    p, q, sizes = torch.randn(9, 2), torch.randn(9, 2), [4, 0, 5]
    rows = [slice(0, 4), slice(4, 9)]
    pairs = [(distributions.Categorical(logits=p[at].T), distributions.Categorical(logits=q[at].T)) for at in rows]
    expected = torch.stack([both_ways(*pair).mean() for pair in pairs]).mean()
    assert treatment.penalties([p, q], sizes)[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_of_classes_it_is_that_of_the_authors_code(new_subject):
    """As in dropreg/R-Drop: kl_div of log softmax and softmax, both ways, their mean; here a mean over units."""
    treatment = new_subject("bert").treat(rdrop=1.0)
    p, q = torch.randn(5, 3), torch.randn(5, 3)
    there = functional.kl_div(p.log_softmax(-1), q.softmax(-1), reduction="batchmean")
    back = functional.kl_div(q.log_softmax(-1), p.softmax(-1), reduction="batchmean")
    assert treatment.penalties([p, q], None)[0].item() == pytest.approx((there + back).item() / 2, rel=1e-5)


def test_without_dropout_the_two_passes_are_one(per_token):
    slot = Slot("bert", per_token)
    without_dropout(slot.model)
    assert measure(slot.start(rdrop=5.0)) == pytest.approx(measure(slot.start()), rel=1e-5)


def test_a_larger_weight_brings_the_passes_closer(per_token):
    slot, divergences = Slot("bert", per_token), []
    for weight in (1e-2, 50.0):
        trial = slot.start(epochs=1, rdrop=weight)
        measure(trial)
        slot.model.train()
        rows, train = np.arange(7), slot.data.train
        with trial._random.lent_to(slot.model), torch.no_grad():
            labels, sizes = torch.from_numpy(train.labels[train.units(rows)]), train.sizes(rows)
            outputs = [trial._runner._run(train, rows, None) for _ in range(2)]
            objective, loss = trial._runner._objective(outputs, labels, sizes)
        divergences.append((objective - loss).item() / weight)
    assert divergences[1] < divergences[0]
