from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from blurb_tune.spec.dimensions import FloatGrid, Range, duplicates, values_of
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.spec.training import TrainingSpec

decimals = st.decimals(0, 10, places=4)


@settings(max_examples=200)
@given(decimals, st.decimals("0.0001", 1, places=4), st.integers(1, 200), st.decimals("0", "0.9999", places=4))
def test_a_grid_of_floats_is_what_its_decimals_say(low: Decimal, step: Decimal, steps: int, rest: Decimal) -> None:
    """From low in steps to the last that is not above high, which need not lie on the grid."""
    high = low + step * (steps + rest)
    grid = FloatGrid(float(low), float(high), float(step))
    assert list(grid) == [float(low + index * step) for index in range(steps + 1)]
    assert [grid.index(value) for value in grid] == list(range(len(grid)))
    assert all(value in grid for value in grid)
    assert float(low + step / 2) not in grid
    assert (grid[-1], list(grid[1:3])) == (grid[len(grid) - 1], [grid[1], *([grid[2]] if steps > 1 else [])])
    assert [grid[1:].index(value) for value in grid[1:]] == list(range(len(grid) - 1))
    assert grid[0] not in grid[1:]


@settings(max_examples=300)
@given(st.floats(0, 1e3), st.floats(1e-300, 1e3), st.floats(0, 1), st.floats(1e-300, 1e3))
def test_the_values_of_any_range_with_steps_ascend_within_it(low: float, width: float, at: float, step: float) -> None:
    high = low + width
    assume(low < high)
    try:
        grid = Range[float](low=low, high=high, step=step).grid()
    except ValidationError:
        assert step < 8 * math.ulp(high)
        return
    assert isinstance(grid, FloatGrid)
    index = int(at * (len(grid) - 1))
    value = grid[index]
    assert low - 1e-12 <= value <= high + 1e-9 * step + 1e-12
    assert (grid.index(value), grid.nearest(value + 0.3 * step)) == (index, value)
    assert index == 0 or grid[index - 1] < value


def test_a_range_is_never_a_list() -> None:
    space = SpaceSpec.model_validate(
        {
            "epochs": {"low": 1, "high": 2 * 10**9, "step": 3},
            "learning_rate": {
                "low": 1e-5,
                "high": 1.0,
                "step": 1e-9,
            },
        }
    )
    epochs, rates = values_of(space.epochs), values_of(space.learning_rate)
    assert epochs is not None
    assert rates is not None
    assert (len(epochs), len(rates)) == (666_666_667, 999_990_001)
    assert (epochs[-1], rates[0], rates[-1]) == (1_999_999_999, 1e-5, 1.0)
    assert 0.123456789 in rates
    assert rates[rates.index(0.123456789)] == 0.123456789
    with pytest.raises(ValueError, match="not on the grid"):
        rates.index(0.1234567891)
    with pytest.raises(IndexError, match="999990001 values"):
        rates[999_990_001]


@pytest.mark.parametrize(
    ("low", "high", "step", "last"),
    [
        (0, 4, 3, 3),
        (0, 6, 3, None),
        (1, 9, None, None),
        (0.5, 1.0, 0.3, 0.8),
        (0.1, 0.7, 0.2, None),
        (0.0, 1 / 3, 1 / 9, None),
    ],
)
def test_a_bound_that_no_step_reaches_is_told(low: float, high: float, step: float | None, last: float | None) -> None:
    found = (Range[int] if isinstance(low, int) else Range[float])(low=low, high=high, step=step).unreached_bound
    assert found == ("" if last is None else f"steps of {step} from {low} end at {last}, and {high} is never tried")


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ({"low": 0.1, "high": 1.0, "step": 1e-300}, "too small to tell the numbers next to 1.0 from each other"),
        ({"low": None, "high": 1.0}, "must be numbers"),
        (list(range(1, 10_002)), "at most 10000 items"),
    ],
)
def test_what_no_sampler_can_tell_apart_or_hold_is_refused(dimension: Any, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        SpaceSpec.model_validate({"max_grad_norm": dimension})


@given(st.lists(st.one_of(st.integers(0, 5), st.none(), st.sampled_from([1.0, True, "a"]))))
def test_what_is_repeated_has_stood_before(values: list[Any]) -> None:
    assert list(duplicates(values)) == [value for index, value in enumerate(values) if value in values[:index]]


def test_what_a_sweep_is_known_by_has_not_changed_since_there_were_three_techniques() -> None:
    """Or sweeps of earlier versions could not be taken up. An axis that came later counts where it is not neutral."""
    since = {
        "strategy": None,
        "freeze_depth": 0,
        "decay_rate": 1.0,
        "reinit_count": 0,
        "learning_rate": 5e-05,
        "batch_size": 16,
        "epochs": 20,
        "warmup_share": 0.1,
        "weight_decay": 0.01,
        "bias_correction": True,
        "max_grad_norm": 1.0,
    }
    assert SpaceSpec().digest_content() == since
    one = {"freeze_depth": 2, "decay_rate": 1.0, "reinit_count": 0}
    assert SpaceSpec.model_validate({"strategy": [{"freeze_depth": 2}]}).digest_content() == since | {"strategy": [one]}
    assert SpaceSpec.model_validate({"lr_scheduler_type": "cosine"}).digest_content() == since | {
        "lr_scheduler_type": "cosine"
    }
    since = {"precision": "auto", "eval_every": "epoch", "max_length": None, "micro_batch_size": None, "eval_batch_size": 64}
    since |= {"frozen_dropout": False, "gradient_checkpointing": False}
    assert TrainingSpec().digest_content() == since
    early = {"early_stopping_patience": 3, "early_stopping_threshold": 0.0}
    assert TrainingSpec.model_validate({"early_stopping_patience": 3}).digest_content() == since | early
    assert TrainingSpec.model_validate({"cuda_graphs": True}).digest_content() == since | {"cuda_graphs": True}
    assert TrainingSpec.model_validate({"prefix_gpu_gb": 4}).digest_content() == since
