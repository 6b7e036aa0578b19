"""Search spaces to draw from, for the tests of everything that suggests configurations."""

from __future__ import annotations

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from blurb_tune.core.trial import STRATEGY_NAMES, Strategy
from blurb_tune.search.combinations import has_strategy
from blurb_tune.spec.space import SpaceSpec


def depths(most: int) -> st.SearchStrategy[Any]:
    """A dimension of whole numbers from 0 to `most`: fixed, a choice, or a range."""
    values = st.integers(0, most)
    ranges = st.tuples(values, values, st.integers(1, 3)).filter(lambda r: r[0] < r[1])
    return st.one_of(
        values,
        st.lists(values, min_size=1, unique=True),
        ranges.map(lambda r: {"low": r[0], "high": r[1], "step": r[2]}),
    )


@st.composite
def strategy_lists(draw: st.DrawFn, most: int) -> list[dict[str, Any]]:
    depth = st.integers(0, most)
    made = st.builds(lambda f, d, r: Strategy(f, d, r), depth, st.sampled_from([1.0, 0.9]), depth)
    found = draw(st.lists(made, min_size=1, max_size=8, unique=True))
    return [{name: getattr(strategy, name) for name in STRATEGY_NAMES} for strategy in found]


@st.composite
def spaces(draw: st.DrawFn) -> tuple[SpaceSpec, dict[str, int]]:
    """A space, and one to three models with at least one feasible configuration each."""
    blocks = {f"m{index}": draw(st.integers(1, 12)) for index in range(draw(st.integers(1, 3)))}
    most = max(blocks.values())
    values: dict[str, Any] = {
        "bias_correction": draw(st.sampled_from([True, [True, False]])),
        "max_grad_norm": draw(st.sampled_from([1.0, [None, 1.0]])),
        "no_weight_decay": draw(st.sampled_from(["layer_norm", ["bias_and_layer_norm", "none"]])),
        "classifier_dropout": draw(st.sampled_from([None, [None, 0.0, 0.3]])),
    }
    if draw(st.booleans()):
        values["strategy"] = draw(strategy_lists(most))
    else:
        values["freeze_depth"] = draw(depths(most))
        values["reinit_count"] = draw(depths(most))
        values["decay_rate"] = draw(st.sampled_from([1.0, [0.8, 0.9], {"low": 0.5, "high": 1.0, "step": 0.25}]))
    spec = SpaceSpec.model_validate(values)
    assume(all(has_strategy(spec, limit) for limit in blocks.values()))
    return spec, blocks
