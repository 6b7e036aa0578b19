"""Which runs become one model: those that share their initialization, or all of the winner's."""

from __future__ import annotations

from typing import Any

import pytest

from blurb_tune.core.combination import Method, method_of
from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.core.trial import Outcome
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.release.choice import choose
from blurb_tune.release.members import members_of
from tests.report.sweeps import SweepWriter

CROSSED: dict[str, Any] = {"seeds": range(4), "crossed": [2, 2]}
OTHER_RATE = {"learning_rate": 1e-5}


def sweep_of(*configurations: dict[str, Any], scores: dict[str, float] | None = None, **header: Any) -> SweepWriter:
    """Configurations c0 (which wins), c1, ..., a run of each for each seed, whose scores fall with the seed unless given."""
    sweep = SweepWriter(configurations=len(configurations), **({"seeds": (0, 1)} | header))
    for number, values in enumerate(configurations):
        name = sweep.configuration(f"c{number}", **values)
        for seed in sweep.record.header.seeds:
            sweep.trial(name, seed, [(scores or {}).get(f"{name}-s{seed}", 0.9 - seed / 10 - number / 100)])
        sweep.end_configuration(name)
    sweep.select("c0", None)
    return sweep


def members(sweep: SweepWriter, method: Method = Method.UNIFORM_SOUP, *, kept: str = "c") -> list[str]:
    """kept: how the names of trials begin whose weights are there."""
    record = sweep.record

    def has_weights(run: TrialRecord) -> bool:
        return run.trial_id.startswith(kept)

    return [run.trial_id for run in members_of(method, record, choose(record).trial, has_weights)]


def test_an_ensemble_is_of_all_runs_of_the_winner_the_best_first() -> None:
    sweep = sweep_of({}, {"freeze_depth": 2}, scores={"c0-s1": 0.95}, seeds=(0, 1, 2))
    assert members(sweep, Method.ENSEMBLE) == ["c0-s1", "c0-s0", "c0-s2"]
    assert members(sweep, Method.SINGLE) == ["c0-s1"]


def test_of_crossed_seeds_those_of_one_initialization_are_averaged() -> None:
    assert members(sweep_of({}, **CROSSED)) == ["c0-s0", "c0-s1"], "of initialization 0, orders 0 and 1"
    sweep = sweep_of({}, **CROSSED, scores={"c0-s3": 0.99})
    assert members(sweep) == ["c0-s3", "c0-s2"], "the group with the best run"


def test_other_seeds_have_another_head() -> None:
    with pytest.raises(BlurbTuneError, match=r"no two runs of vanilla share.*seeds: \{init: 2, order: 5\}.*--ensemble"):
        members(sweep_of({}))


def test_settings_may_differ_where_strategy_and_seed_are_the_same() -> None:
    sweep = sweep_of({"reinit_count": 1}, {"reinit_count": 1} | OTHER_RATE, {"reinit_count": 2}, {"freeze_depth": 2})
    assert members(sweep) == ["c0-s0", "c1-s0"]
    with pytest.raises(BlurbTuneError, match=r"the weights of c1-s0 are gone: .*`keep_weights: all`"):
        members(sweep, kept="c0")


def test_other_models_are_no_members() -> None:
    sweep = sweep_of({"model": "minilm"}, {"model": "tiny"} | OTHER_RATE, models={"minilm": 6, "tiny": 2})
    with pytest.raises(BlurbTuneError, match="no two runs of minilm: vanilla share"):
        members(sweep)


def test_adapters_are_not_averaged_but_vote() -> None:
    sweep = sweep_of({"lora_rank": 4}, {"lora_rank": 4} | OTHER_RATE)
    with pytest.raises(
        BlurbTuneError, match=r"low-rank adaptation \(LoRA\) cannot be averaged: each draws adapters of its own"
    ):
        members(sweep)
    assert members(sweep, Method.ENSEMBLE) == ["c0-s0", "c0-s1"]


@pytest.mark.parametrize("method", [Method.GREEDY_SOUP, Method.ENSEMBLE])
def test_one_run_that_did_not_fail_is_not_enough(method: Method) -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    sweep.configuration("c0")
    sweep.trial("c0", 0, [0.9])
    sweep.trial("c0", 1, [0.1], Outcome.COLLAPSED)
    sweep.end_configuration("c0")
    sweep.select("c0", None)
    with pytest.raises(BlurbTuneError, match=r"needs two runs of .* that did not fail, and there is one"):
        members(sweep, method)


def test_lost_weights_of_the_winner_are_named() -> None:
    with pytest.raises(BlurbTuneError, match=r"the weights of c0-s0 and c0-s1 are gone; .*`final_test: true`"):
        members(sweep_of({}), Method.ENSEMBLE, kept="c1")


def test_of_a_cross_validation_the_runs_of_one_fold() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1, folds=2)
    sweep.configuration("c0")
    for seed in (0, 1):
        for fold in (0, 1):
            sweep.trial("c0", seed, [0.5 + 0.1 * fold - 0.01 * seed], fold=fold)
    sweep.end_configuration("c0")
    sweep.select("c0", None)
    assert members(sweep, Method.ENSEMBLE) == ["c0-s0-f1", "c0-s1-f1"]


def test_confirmation_runs_are_members_too() -> None:
    sweep = sweep_of({}, confirmation_seeds=[1_000_000])
    sweep.trial("c0", 1_000_000, [0.7])
    assert members(sweep, Method.ENSEMBLE) == ["c0-s0", "c0-s1", "c0-s1000000"]


def test_options_name_a_method() -> None:
    assert method_of(None, ensemble=False) is Method.SINGLE
    assert method_of("uniform", ensemble=False) is Method.UNIFORM_SOUP
    with pytest.raises(InputError, match="unknown soup 'greedi'; did you mean 'greedy'"):
        method_of("greedi", ensemble=False)
    with pytest.raises(InputError, match="is another model than a soup"):
        method_of("greedy", ensemble=True)
