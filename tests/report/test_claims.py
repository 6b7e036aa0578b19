"""What is claimed of strategies beside vanilla, from logs."""

from __future__ import annotations

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.report.advice import what_to_try
from blurb_tune.report.claims import claims_of, confirmation_of, shares_of_variance, vanilla_share
from blurb_tune.stats.comparison import compare
from tests.report.sweeps import SweepWriter

SCORES = {"c0": [0.1, 0.3, 0.2, 0.25], "c1": [0.6, 0.8, 0.9, 0.7], "c2": [0.2, 0.3, 0.1, 0.4]}


def sweep_of(values: dict[str, dict[str, object]], scores: dict[str, list[float]]) -> SweepWriter:
    sweep = SweepWriter(seeds=range(max(map(len, scores.values()))), configurations=len(scores))
    for name, of in scores.items():
        sweep.configuration(name, **values[name])
        for seed, score in enumerate(of):
            sweep.trial(name, seed, [score])
        sweep.end_configuration(name)
    return sweep


def test_each_strategy_is_compared_by_its_best_configuration_and_corrected_for_all() -> None:
    values = {"c0": {}, "c1": {"freeze_depth": 2}, "c2": {"reinit_count": 1}, "c3": {"freeze_depth": 2, "learning_rate": 1e-5}}
    record = sweep_of(values, SCORES | {"c3": [0.1, 0.1, 0.1, 0.1]}).record
    claims = {claim.label: claim for claim in claims_of(record)}
    assert {label: (claim.result.name, claim.reference) for label, claim in claims.items()} == {
        "freeze 2": ("c1", "c0"),
        "reinit 1": ("c2", "c0"),
    }
    alone = compare(dict(enumerate(SCORES["c1"])), dict(enumerate(SCORES["c0"])))
    assert claims["freeze 2"].comparison.difference == pytest.approx(alone.difference)
    assert claims["freeze 2"].comparison.p_holm == pytest.approx(2 * alone.p)


def test_nothing_is_claimed_of_what_was_stopped_or_without_vanilla() -> None:
    sweep = SweepWriter(seeds=(0, 1, 2))
    for name, depth in (("c0", 0), ("c1", 2)):
        sweep.configuration(name, freeze_depth=depth)
        for seed in (0, 1, 2)[: 3 - depth // 2]:
            sweep.trial(name, seed, [0.5])
    sweep.stop_configuration("c1", replicates=2)
    assert claims_of(sweep.record) == []
    lonely = sweep_of({"c1": {"freeze_depth": 2}}, {"c1": [0.5, 0.6]}).record
    assert claims_of(lonely) == []
    assert vanilla_share(lonely) is None


def test_more_than_fifteen_strategies_are_claimed_by_family() -> None:
    values = {"c0": {}} | {f"c{k}": {"freeze_depth": k % 6 + 1, "decay_rate": 1 - k / 100} for k in range(1, 18)}
    record = sweep_of(values, {name: [0.1, 0.2] for name in values}).record
    assert [claim.label for claim in claims_of(record)] == ["freeze+decay"]


def test_a_winner_without_reference_is_confirmed_alone_and_folds_are_averaged() -> None:
    sweep = SweepWriter(seeds=(0,), folds=2, confirmation_seeds=[7])
    sweep.configuration("c0")
    for seed, scores in ((0, (0.2, 0.4)), (7, (0.5, 0.6))):
        for fold, score in enumerate(scores):
            sweep.trial("c0", seed, [score], fold=fold)
        if seed == 0:
            assert confirmation_of(sweep.record) is None
            sweep.select("c0", None)
    found = confirmation_of(sweep.record)
    assert found is not None
    assert found.winner.summary.mean == pytest.approx(0.55)
    assert (found.winner.n, found.reference, found.comparison) == (1, None, None)


TWO_STRATEGIES: list[dict[str, object]] = [{"freeze_depth": 2}] * 3 + [{"reinit_count": 1}] * 3
A_RANGE: list[dict[str, object]] = [{"freeze_depth": 1 + k} for k in range(6)]


@pytest.mark.parametrize(
    ("others", "vanilla", "is_fair"),
    [(TWO_STRATEGIES, 3, True), (TWO_STRATEGIES, 2, False), (A_RANGE, 1, False), (A_RANGE, 6, True)],
    ids=["as many as each strategy", "fewer", "one beside a range", "as many as the family"],
)
def test_vanilla_is_fair_with_as_many_configurations_as_the_average(
    others: list[dict[str, object]], vanilla: int, is_fair: bool
) -> None:
    all_values = [*[{}] * vanilla, *others]
    values = {f"c{k}": of | {"learning_rate": 1e-5 * (k + 1)} for k, of in enumerate(all_values)}
    found = vanilla_share(sweep_of(values, {name: [0.5] for name in values}).record)
    assert found is not None
    assert (found.vanilla, found.is_fair) == (vanilla, is_fair)


def test_what_to_try_follows_from_what_the_runs_did() -> None:
    def failing(outcome: Outcome, **header: float) -> list[str]:
        sweep = SweepWriter(**header)
        sweep.configuration("c0", learning_rate=2e-4, epochs=4)
        for seed in (0, 1):
            sweep.trial("c0", seed, [0.0], outcome)
        return what_to_try(sweep.record)

    assert failing(Outcome.DIVERGED)[0].endswith("try learning rates below 0.0002.")
    assert "hardly begun" in failing(Outcome.COLLAPSED, trivial_loss=1.0)[0]
    assert "try more epochs than 4, or rates above 0.0002." in failing(Outcome.COLLAPSED, trivial_loss=1.0)[0]
    assert failing(Outcome.COLLAPSED, trivial_loss=2.0)[0].startswith("The runs fit the training set and not dev")
    assert "Not tried: freezing" in failing(Outcome.COLLAPSED, trivial_loss=2.0)[1]
    assert what_to_try(SweepWriter().record) == []


def test_strategies_alone_are_fair_to_vanilla() -> None:
    values = {"c0": {}, "c1": {"freeze_depth": 2}, "c2": {"freeze_depth": 4}, "c3": {"freeze_depth": 2, "reinit_count": 1}}
    assert vanilla_share(sweep_of(values, {name: [0.5] for name in values}).record) is None


def test_crossed_seeds_are_compared_by_initialization_and_their_variance_is_shared_out() -> None:
    sweep = SweepWriter(seeds=range(6), configurations=2, crossed=[3, 2])
    for name, depth, level in (("c0", 0, 0.2), ("c1", 2, 0.6)):
        sweep.configuration(name, freeze_depth=depth)
        for seed in range(6):
            sweep.trial(name, seed, [level + 0.1 * (seed // 2) + 0.01 * (seed % 2)])
    record = sweep.record
    (claim,) = claims_of(record)
    assert (claim.comparison.n, claim.comparison.n_reference) == (3, 3)
    assert claim.comparison.difference == pytest.approx(0.4)
    shares = shares_of_variance(record, "c1")
    assert shares is not None
    assert shares.initialization > 0.98
    assert shares.rest == pytest.approx(0, abs=1e-9)
    assert shares_of_variance(sweep_of({"c0": {}}, {"c0": [0.1, 0.2]}).record, "c0") is None
