from __future__ import annotations

import pytest

from blurb_tune.spec.pruning import RaceSpec
from blurb_tune.sweep.race import FAILURES, RACE, Race, rerun, tolerated_failures


def entered(replicates: int, names: str = "abc", tolerated: int = 0, **settings: object) -> Race:
    race = Race(RaceSpec.model_validate(settings), replicates, tolerated)
    for name in names:
        race.enter(name)
    return race


def give(race: Race, **scores: list[float]) -> None:
    for name, values in scores.items():
        for value in values:
            race.score(name, value)


GOOD = [0.80, 0.81, 0.82, 0.80, 0.81]
BAD = [0.10, 0.11, 0.12, 0.10, 0.11]


def test_a_look_is_taken_when_all_have_as_many_replicates_and_once() -> None:
    race = entered(8)
    give(race, a=GOOD[:3], b=GOOD[:3], c=BAD[:2])
    assert race.verdicts() == []
    give(race, c=BAD[2:3])
    (verdict,) = race.verdicts()
    assert (verdict.configuration, verdict.rule, verdict.replicates) == ("c", RACE, 3)
    assert "mean 0.1100 after 3 of 8 replicates, beside 0.8100" in verdict.reason
    assert race.verdicts() == [verdict], "until it is closed"
    race.close_look()
    assert race.verdicts() == []


def test_who_has_lost_is_compared_no_more() -> None:
    race = entered(8)
    give(race, a=GOOD[:3], b=GOOD[:3], c=BAD[:3])
    race.lose("c")
    race.close_look()
    give(race, a=GOOD[3:4], b=GOOD[3:4])
    assert race.verdicts() == []


def test_who_is_whole_stays_to_be_compared_with() -> None:
    race = entered(5, "ab")
    give(race, a=GOOD)
    race.finish("a")
    assert race.verdicts() == []
    give(race, b=BAD[:3])
    assert [v.configuration for v in race.verdicts()] == ["b"]


def test_failed_runs_beyond_the_tolerance_lose_beside_one_that_is_within_it() -> None:
    race = entered(10, tolerated=1, method="permutation")
    give(race, a=GOOD[:3], b=GOOD[:3], c=GOOD[:3])
    for name in "bbcccc":
        race.fail(name)
    race.fail("a")
    found = race.verdicts()
    assert {(v.configuration, v.rule) for v in found} == {("b", FAILURES), ("c", FAILURES)}
    assert found[0].reason == "2 of its runs failed, and of a 1 at most"


def test_where_none_is_within_the_tolerance_nobody_loses_by_its_failures_but_beside_a_whole_one() -> None:
    race = entered(5, "ab")
    for name in "aab":
        race.fail(name)
    give(race, a=GOOD[:3], b=GOOD[:3])
    assert race.verdicts() == []
    race.close_look()
    give(race, b=GOOD[3:])
    race.finish("b")
    give(race, a=GOOD[3:4])
    assert [(v.configuration, v.reason) for v in race.verdicts()] == [("a", "2 of its runs failed, and of b 1 at most")]


def test_who_goes_on_after_its_failures_loses_only_beside_a_whole_one() -> None:
    race = entered(6, "ab")
    race.fail("a")
    give(race, a=GOOD[:3], b=GOOD[:3])
    assert [v.configuration for v in race.verdicts()] == ["a"]
    race.lose("a")
    race.close_look()
    race.reopen("a", is_exempt=False)
    give(race, a=GOOD[3:4], b=GOOD[3:4])
    assert race.verdicts() == []
    race.close_look()
    give(race, b=[*GOOD[4:], 0.8])
    race.finish("b")
    give(race, a=GOOD[4:5])
    assert [v.rule for v in race.verdicts()] == [FAILURES]


def test_who_goes_on_after_the_race_is_not_asked_by_it_again() -> None:
    race = entered(6, "ab")
    give(race, a=GOOD[:3], b=BAD[:3])
    assert [v.configuration for v in race.verdicts()] == ["b"]
    race.lose("b")
    race.close_look()
    race.reopen("b", is_exempt=True)
    give(race, a=GOOD[3:4], b=BAD[3:4])
    assert race.verdicts() == []


@pytest.mark.parametrize(
    ("settings", "looks"), [({}, [3, 4, 5]), ({"min_seeds": 5}, [5]), ({"max_seeds": 4}, [3, 4]), ({"method": "none"}, [])]
)
def test_the_spec_says_when_looks_are_taken(settings: dict[str, object], looks: list[int]) -> None:
    race = entered(6, "ab", alpha=0.9, **settings)
    taken = []
    for n, (good, bad) in enumerate(zip([*GOOD, 0.8], [*BAD, 0.1], strict=True), start=1):
        give(race, a=[good], b=[bad])
        if race.verdicts():
            taken.append(n)
        race.close_look()
    assert taken == looks


@pytest.mark.parametrize(("share", "runs", "expected"), [(0.0, 10, 0), (0.1, 10, 1), (0.3, 10, 3), (0.2, 4, 0), (1.0, 5, 5)])
def test_tolerated_runs_are_whole_runs(share: float, runs: int, expected: int) -> None:
    assert tolerated_failures(share, runs) == expected


def test_what_is_known_from_behind_a_loss_counts_once_it_is_reopened() -> None:
    race = Race(RaceSpec(), 5, 0)
    good = [(score, 0) for score in GOOD]
    bad = [(score, failed) for score, failed in zip(BAD, (0, 0, 0, 1, 1), strict=True)]
    lost = rerun(race, {"a": good, "b": good, "c": bad}, out=())
    assert {name: verdict.replicates for name, verdict in lost.items()} == {"c": 3}
    race.reopen("c", is_exempt=True)
    (verdict,) = race.verdicts()
    assert (verdict.rule, verdict.replicates) == (FAILURES, 5)
    assert verdict.reason.startswith("2 of its runs failed")
