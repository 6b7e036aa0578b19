"""Configurations beside each other: the front of two objectives, and when there is no winner."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.results.groups import GroupResult, pareto_front, why_no_result
from blurb_tune.stats.stability import ScoreSummary


def group(name: str, mean: float, std: float, *, failed: int = 0, ended: int = 4) -> GroupResult:
    return GroupResult(
        name, ScoreSummary(ended, mean, std, mean, mean), mean - std, ended, ended - failed, failed, 0, 0, 0, 0.0
    )


points = st.lists(st.tuples(st.integers(0, 4), st.one_of(st.integers(0, 4), st.just(math.nan))), max_size=12)


@given(points)
def test_the_front_is_what_no_other_beats(pairs: list[tuple[float, float]]) -> None:
    results = [group(str(index), mean, std) for index, (mean, std) in enumerate(pairs)]
    known = [r for r in results if not math.isnan(r.summary.std)]

    def beats(a: GroupResult, b: GroupResult) -> bool:
        is_as_good = a.summary.mean >= b.summary.mean and a.summary.std <= b.summary.std
        return is_as_good and (a.summary.mean, a.summary.std) != (b.summary.mean, b.summary.std)

    expected = {r.name for r in known if not any(beats(other, r) for other in known)}
    front = pareto_front(results)
    assert {r.name for r in front} == expected
    assert [r.summary.mean for r in front] == sorted((r.summary.mean for r in front), reverse=True)
    if known:
        best = max(known, key=lambda r: r.summary.mean - r.summary.std)
        assert max(r.objective for r in front) == best.objective, "the winner by mean minus std is one of them"


@pytest.mark.parametrize(("failed", "has_result"), [(0, True), (2, True), (3, False), (4, False)])
def test_a_configuration_most_of_whose_runs_failed_is_no_result(failed: int, has_result: bool) -> None:
    assert (why_no_result(group("c1", 0.5, 0.1, failed=failed)) is None) is has_result


def test_nothing_is_no_result() -> None:
    assert why_no_result(None) == "no configuration has a result"
