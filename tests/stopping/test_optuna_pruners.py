from __future__ import annotations

import math
from typing import Any

import optuna
import pytest

from blurb_tune.core.trial import Continue, Outcome, Prune
from blurb_tune.spec.pruning import MOST_COMPARED, PRUNERS, PruningSpec
from blurb_tune.stopping.optuna_pruners import ConfigurationPruning


def run(pruner: Any, objectives: list[list[float]]) -> list[int | None]:
    """Configurations one after another; after how many replicates each was stopped, None for those that ran to the end."""
    pruning = ConfigurationPruning(PruningSpec.model_validate({"pruner": pruner}).pruner, len(GOOD))
    stopped: list[int | None] = []
    for number, reached in enumerate(objectives):
        name, at = f"c{number:03d}", None
        for replicates, objective in enumerate(reached, start=1):
            pruning.report(name, replicates, objective)
            decision = pruning.judge(name)
            if isinstance(decision, Prune):
                assert decision.outcome is Outcome.PRUNED_UNDERPERFORMING
                assert f"over {replicates} replicates" in decision.reason
                at = replicates
                break
        pruning.end(name, reached[-1])
        stopped.append(at)
    return stopped


GOOD = [0.5, 0.6, 0.7, 0.8, 0.8, 0.8, 0.8, 0.8]
BAD = [0.1] * 8
LUCKY = [0.9, 0.3, 0.28, 0.28, 0.28, 0.28, 0.28, 0.28]  # its first seed is: from a single one there is no spread to subtract
EARLY = {"n_startup_trials": 2, "n_warmup_steps": 3}
TABLE: dict[str, tuple[Any, list[list[float]], list[int | None]]] = {
    "none": ("none", [GOOD, GOOD, BAD], [None, None, None]),
    "median": ({"kind": "median", **EARLY}, [GOOD, GOOD, BAD, GOOD], [None, None, 3, None]),
    "median waits for its startup trials": ({"kind": "median", **EARLY}, [GOOD, BAD, BAD, BAD], [None, None, 3, 4]),
    "one lucky seed is none of as many": ({"kind": "median", **EARLY}, [GOOD, GOOD, LUCKY], [None, None, 3]),
    "percentile": ({"kind": "percentile", "percentile": 50.0, **EARLY}, [GOOD, GOOD, BAD], [None, None, 3]),
    "percentile after as many seeds": (
        {"kind": "percentile", "percentile": 50.0, **EARLY},
        [GOOD, GOOD, LUCKY],
        [None, None, 3],
    ),
    "successive halving": (
        {"kind": "successive_halving", "min_resource": 2, "reduction_factor": 2},
        [GOOD, GOOD, BAD],
        [None, None, 2],
    ),
    "the first ones at a rung are stopped": (
        {"kind": "successive_halving", "min_resource": 2, "reduction_factor": 2, "bootstrap_count": 2},
        [GOOD, GOOD, GOOD],
        [2, 2, 4],
    ),
    "patient leaves alone what does not fall": (
        {"kind": "patient", "patience": 2, **EARLY},
        [GOOD, GOOD, [0.1, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3], [0.3, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]],
        [None, None, None, 5],
    ),
    "patient leaves alone the best on its plateau": (
        {"kind": "patient", "patience": 1, **EARLY},
        [GOOD, GOOD, [0.95, *[0.9] * 7]],
        [None, None, None],
    ),
    "patient sees no fall from the first value, which has no spread": (
        {"kind": "patient", "patience": 1, **EARLY},
        [GOOD, GOOD, [0.6, *[0.3] * 7]],
        [None, None, None],
    ),
    "patient compares after as many seeds": (
        {"kind": "patient", "patience": 1, **EARLY},
        [GOOD, GOOD, [0.9, 0.9, *[0.3] * 6]],
        [None, None, 4],
    ),
    "threshold": ({"kind": "threshold", "lower": 0.3, "n_warmup_steps": 4}, [GOOD, BAD], [None, 4]),
}


@pytest.mark.parametrize(("pruner", "objectives", "expected"), TABLE.values(), ids=list(TABLE))
def test_stock_pruners_stop_what_does_not_keep_up(
    pruner: Any, objectives: list[list[float]], expected: list[int | None]
) -> None:
    assert run(pruner, objectives) == expected


@pytest.mark.parametrize("longest", [8, "auto"])
def test_hyperband_stops_some_of_the_bad_and_no_first_one(longest: int | str) -> None:
    """Its brackets are drawn."""
    stopped = run({"kind": "hyperband", "max_resource": longest}, [GOOD] * 3 + [BAD] * 6)
    assert any(at is not None and at < 8 for at in stopped[3:])
    assert stopped[0] is None


def test_every_pruner_of_the_spec_is_a_pruner() -> None:
    settings = {"threshold": {"lower": 0.0}}
    for kind in PRUNERS:
        spec = PruningSpec.model_validate({"pruner": {"kind": kind, **settings.get(kind, {})}}).pruner
        assert ConfigurationPruning(spec, 8).is_on is (kind != "none")


class _CountingPruner(optuna.pruners.BasePruner):
    """Counts the trials that a stock pruner sees."""

    def __init__(self) -> None:
        self.most = 0

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        self.most = max(self.most, len(study.get_trials(deepcopy=False)))
        assert trial.number in {other.number for other in study.get_trials(deepcopy=False)}
        return False


def test_a_stock_pruner_looks_through_the_latest_configurations_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a question takes as long in a sweep of ten thousand configurations as in one of hundreds."""
    pruner = _CountingPruner()
    monkeypatch.setattr("blurb_tune.stopping.optuna_pruners.build_pruner", lambda spec, seeds: pruner)
    run({"kind": "median"}, [GOOD] * (MOST_COMPARED + 50))
    assert pruner.most == MOST_COMPARED


def test_what_has_reported_last_is_compared_whatever_its_age() -> None:
    """The seeds go round: all configurations have begun before the first one ends."""
    pruning = ConfigurationPruning(PruningSpec.model_validate({"pruner": {"kind": "median", **EARLY}}).pruner, len(GOOD))
    names = [f"c{number:03d}" for number in range(MOST_COMPARED + 50)]
    for replicates in range(1, 5):
        for name in names:
            pruning.report(name, replicates, 0.1 if name == names[9] else 0.5)
            if replicates == 4:
                assert isinstance(pruning.judge(name), Prune) is (name == names[9])
                pruning.end(name, 0.5)


def test_a_configuration_that_goes_on_after_its_end_is_judged_no_more() -> None:
    """As one that was reopened, or has more seeds in a larger plan."""
    pruning = ConfigurationPruning(PruningSpec.model_validate({"pruner": {"kind": "median", **EARLY}}).pruner, len(GOOD))
    for name, objective in (("c000", 0.9), ("c001", 0.9), ("c002", 0.1)):
        pruning.report(name, 1, objective)
        pruning.end(name, objective)
    pruning.report("c002", 2, 0.1)
    assert pruning.judge("c002") == Continue()
    pruning.end("c002", 0.1)


def test_an_objective_that_is_undefined_is_not_compared() -> None:
    assert run({"kind": "median", **EARLY}, [GOOD, GOOD, [math.nan] * 8]) == [None, None, None]


def test_hyperband_takes_the_seeds_of_the_spec_and_not_those_of_whoever_ends_first() -> None:
    """One that ends after a single seed, by its failed runs, would leave a single bracket."""
    objectives = [BAD[:1], *([GOOD] * 3 + [BAD] * 6)]
    assert run({"kind": "hyperband"}, objectives) == run({"kind": "hyperband", "max_resource": 8}, objectives)


def test_one_that_is_not_judged_is_compared_with() -> None:
    pruning = ConfigurationPruning(PruningSpec.model_validate({"pruner": {"kind": "median", **EARLY}}).pruner, len(GOOD))
    for name, objective in (("c000", 0.9), ("c001", 0.3), ("c002", 0.1), ("c003", 0.4)):
        for replicates in (1, 2, 3):
            pruning.report(name, replicates, objective, is_judged=name != "c002")
    assert pruning.judge("c002") == Continue()
    assert pruning.judge("c003") == Continue(), "it is above the median of three, and would be below that of two"
