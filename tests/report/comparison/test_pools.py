"""Which seeds are taken together, and why others are not."""

from __future__ import annotations

from typing import Any

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.report.comparison.pools import Pool, pool
from tests.report.comparison.examples import FREEZE, SAME, VANILLA, numbered, sweeps_of, written
from tests.report.sweeps import SweepWriter

EARLY, LATE = numbered(0.1, 0.3, 0.2), numbered(0.4, 0.5, 0.6, start=3)


def pooled(*writers: SweepWriter) -> tuple[list[Pool], list[str]]:
    notes: list[str] = []
    return pool(sweeps_of(*writers), notes), notes


def vanilla(name: str, scores: dict[int, float], **header: Any) -> SweepWriter:
    return written(name, {"c0": (VANILLA, scores)}, **SAME | header)


def test_two_halves_of_a_sweep_are_the_whole_one() -> None:
    (both,), notes = pooled(vanilla("a", EARLY), vanilla("b", LATE))
    (whole,), _ = pooled(vanilla("c", EARLY | LATE))
    assert both.entries[0].result == whole.entries[0].result
    assert both.entries[0].scores == EARLY | LATE
    assert both.label == "a + b"
    assert notes == []
    assert not both.entries[0].lacks_seeds


def test_a_seed_that_ran_in_both_counts_once() -> None:
    (both,), notes = pooled(vanilla("a", EARLY), vanilla("b", EARLY | {3: 0.9}))
    assert both.entries[0].scores == EARLY | {3: 0.9}
    assert both.entries[0].result.completed == 4
    assert notes == []


def test_scores_that_contradict_each_other_are_said_and_the_first_counts() -> None:
    (both,), (note,) = pooled(vanilla("a", EARLY), vanilla("b", EARLY | {1: 0.7}))
    assert both.entries[0].scores == EARLY
    assert note.startswith("b, c0: the score of seed 1 differs from that in a")


def test_a_seed_that_errored_in_one_and_has_a_result_in_the_other_has_it() -> None:
    erring = vanilla("a", {0: 0.5}, seeds=(0, 1), finished=False)
    erring.trial("c0", 1, [], Outcome.ERRORED, error="OSError: gone")
    (both,), _ = pooled(erring, vanilla("b", numbered(0.5, 0.6)))
    assert both.entries[0].scores == numbered(0.5, 0.6)
    assert (both.entries[0].result.completed, both.entries[0].result.errored) == (2, 0)
    (alone,), _ = pooled(erring)
    assert (alone.entries[0].result.completed, alone.entries[0].result.errored) == (1, 1)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"settings_digest": "6" * 64}, "the settings of their training"),
        ({"precision": "bf16"}, "the precision"),
        ({"trivial_score": 0.1}, "the score of the trivial predictor"),
        ({"settings_digest": "", "data_digest": ""}, "whether the data are the same, which logs of an earlier version"),
    ],
)
def test_other_conditions_keep_seeds_apart_and_are_named(header: dict[str, Any], reason: str) -> None:
    pools, (note,) = pooled(vanilla("a", EARLY), vanilla("b", LATE, **header))
    assert [of.label for of in pools] == ["a", "b"]
    assert len({of.setting for of in pools}) == 1
    assert not pools[0].is_alone
    assert note.startswith("minilm on biosses (pearson): the seeds of a and b are not pooled. They differ in ")
    assert reason in note


def test_logs_without_digests_are_pooled_with_none_not_even_each_other() -> None:
    before = {"data_digest": "", "settings_digest": ""}
    pools, _ = pooled(vanilla("a", EARLY, **before), vanilla("b", LATE, **before))
    assert [of.label for of in pools] == ["a", "b"]


@pytest.mark.parametrize(
    ("header", "labels"),
    [
        ({"metric": "spearman"}, ["biosses (pearson)", "biosses (spearman)"]),
        ({"score": "best"}, ["biosses (pearson)", "biosses (pearson, best evaluation)"]),
        ({"data_digest": "e" * 64}, ["biosses (pearson, data dddddddd)", "biosses (pearson, data eeeeeeee)"]),
        ({"task": "ddi"}, ["biosses (pearson)", "ddi (pearson)"]),
    ],
)
def test_what_is_measured_otherwise_stands_in_another_column(header: dict[str, Any], labels: list[str]) -> None:
    pools, _ = pooled(vanilla("a", EARLY), vanilla("b", LATE, **header))
    assert [of.setting.label for of in pools] == labels
    assert all(of.is_alone for of in pools)


def test_other_values_are_other_configurations() -> None:
    slow = written("b", {"c0": ({"learning_rate": 1e-5}, LATE), "c1": (FREEZE, LATE)}, **SAME)
    (both,), _ = pooled(vanilla("a", EARLY), slow)
    assert [entry.ids for entry in both.entries] == [{"a": "c0"}, {"b": "c0"}, {"b": "c1"}]


def test_what_was_stopped_in_one_sweep_is_not_in_the_mean_of_the_other() -> None:
    stopped = vanilla("a", {0: 0.0, 1: 0.0}, seeds=(0, 1, 2), finished=False)
    stopped.stop_configuration("c0", replicates=2)
    (both,), _ = pooled(stopped, vanilla("b", LATE))
    (entry,) = both.entries
    assert entry.scores == LATE
    assert entry.stopped == {"a": 2}
    assert not entry.is_censored
    (alone,), _ = pooled(stopped)
    assert alone.entries[0].is_censored


def test_crossed_seeds_are_compared_by_their_initialization() -> None:
    crossed = vanilla("a", numbered(0.1, 0.3, 0.5, 0.7), crossed=[2, 2])
    (of,), _ = pooled(crossed)
    assert of.entries[0].comparable == pytest.approx({0: 0.2, 1: 0.6})
    assert of.entries[0].result.n == 4
