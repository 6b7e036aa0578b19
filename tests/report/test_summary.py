"""The summary's numbers, each checked against a sum done by hand on the small sweep."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.summary import notes_of, summarize
from tests.report.sweeps import SweepWriter, model_sweep, small_sweep, sweeps


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return summarize(small_sweep().finish(wall_seconds=60.0))


def test_what_was_run(summary: dict[str, Any]) -> None:
    expected = {
        **{"sweep_id": "ab12cd", "name": "toy", "status": "finished", "task": "biosses", "model": "minilm"},
        **{"metric": "pearson", "split": "dev", "objective": "mean_minus_std", "score": "final"},
        **{"seeds": [0, 1, 2, 3], "versions": {"torch": "2.13.0"}, "slots": 2, "unfinished": 1},
    }
    assert {name: summary[name] for name in expected} == expected


def test_every_outcome_is_counted_and_a_lost_attempt_is_none(summary: dict[str, Any]) -> None:
    assert summary["outcomes"] == {
        **{"completed": 5, "collapsed": 2, "diverged": 1, "pruned_unstable": 1, "pruned_underperforming": 1, "errored": 1}
    }


def test_families(summary: dict[str, Any]) -> None:
    vanilla, mixed, decay = summary["families"]
    assert [f["family"] for f in summary["families"]] == ["vanilla", "freeze+reinit", "decay"]
    assert (vanilla["n"], vanilla["completed"], vanilla["failed"], vanilla["failed_share"]) == (4, 2, 2, 0.5)
    # Wilson 1927 with z = 1.96: center (2 + z^2 / 2) / (4 + z^2), and 1/2 is its own center.
    half = 1.959964 * math.sqrt(0.25 / 4 + 1.959964**2 / 64) / (1 + 1.959964**2 / 4)
    assert vanilla["failed_share_interval"] == pytest.approx([0.5 - half, 0.5 + half], abs=1e-6)
    assert (mixed["n"], mixed["failed"], mixed["underperforming"]) == (3, 1, 1)
    assert (decay["n"], decay["errored"], decay["min"], decay["max"]) == (2, 1, 0.0, 0.4)
    assert vanilla["difference_to_vanilla"] is None, "there is one vanilla configuration, which is the reference"
    assert [f["difference_to_vanilla"] for f in (mixed, decay)] == pytest.approx([1.4 / 3 - 0.05, 0.15])
    assert summary["references"] == {"minilm": {"configuration": "c0", "n": 4, "cut_short": False}}


def test_configurations_in_the_order_of_suggestion(summary: dict[str, Any]) -> None:
    assert [c["configuration"] for c in summary["configurations"]] == ["c0", "c1", "c2"]
    last = summary["configurations"][2]
    assert (last["strategy"], last["family"], last["state"]) == ("decay 0.8", "decay", None)
    assert last["values"]["learning_rate"] == 3e-5
    assert last["values"]["max_grad_norm"] is None
    assert last["mean"] == pytest.approx(0.2)
    assert last["std"] == pytest.approx(math.sqrt(0.08))


def test_the_best_configuration_has_all_its_seeds(summary: dict[str, Any]) -> None:
    """c1 has the higher objective, but one of its seeds was cut short."""
    assert summary["configurations"][1]["objective"] > summary["configurations"][0]["objective"]
    best = summary["best_configuration"]
    assert (best["configuration"], best["strategy"], best["n"], best["failed"]) == ("c0", "vanilla", 4, 2)
    assert best["mean"] == pytest.approx(0.05)


def test_the_best_evaluation_counts_where_the_spec_says_so() -> None:
    families = summarize(small_sweep(score="best").record)["families"]
    # c0: 0.2, 0.3, collapsed with best 0.0, unstable with 0.0 at its stop; c2: 0.6, collapsed with best 0.1.
    assert {f["family"]: f["mean"] for f in families} == pytest.approx(
        {"vanilla": 0.5 / 4, "freeze+reinit": 1.4 / 3, "decay": 0.7 / 2}
    )


def test_cost(summary: dict[str, Any]) -> None:
    # 31 epochs of ended trials, one of a lost attempt and one of a running trial, at 2.5 s.
    assert summary["train_seconds"] == pytest.approx(33 * 2.5)
    assert summary["wall_seconds"] == 60.0
    assert summary["overhead"] == pytest.approx(60 * 2 / 82.5)


def test_the_warm_start_leaves_out_the_first_trial_of_each_slot(summary: dict[str, Any]) -> None:
    """The writer takes 0.25 s per event: that is what its trials cost beyond training."""
    assert summary["warm_start"] == {
        **{"trials": 8, "setup_seconds_median": pytest.approx(0.3), "setup_seconds_max": 0.6},
        **{"beyond_training_seconds_median": pytest.approx(1.125), "beyond_training_seconds_max": pytest.approx(1.5)},
    }


def test_cost_is_unknown_while_the_sweep_runs() -> None:
    running = summarize(small_sweep().record)
    assert (running["status"], running["wall_seconds"], running["overhead"]) == ("running", None, None)


def test_an_interrupted_sweep_that_went_on_has_the_time_of_both_drivers() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=2, slots=1)
    sweep.configuration("c0", epochs=2)
    sweep.trial("c0", 0, [0.1, 0.2])
    sweep.configuration("c1", epochs=2)
    sweep.measure(sweep.start("c1", 0), 1, 0.3)
    interrupted = summarize(sweep.finish("interrupted", wall_seconds=20.0))
    assert (interrupted["status"], interrupted["unfinished"], interrupted["wall_seconds"]) == ("interrupted", 1, 20.0)
    sweep.resume(slots=1)
    again = sweep.start("c1", 0, attempt=2)
    sweep.measure(again, 1, 0.3)
    sweep.measure(again, 2, 0.5)
    sweep.end(again, Outcome.COMPLETED, attempt=2)
    finished = summarize(sweep.finish(wall_seconds=12.0))
    assert (finished["status"], finished["unfinished"], finished["wall_seconds"]) == ("finished", 0, 32.0)
    # Two trials of two epochs, and the epoch of the attempt that was lost.
    assert finished["train_seconds"] == pytest.approx(5 * 2.5)
    assert finished["best_configuration"]["configuration"] == "c1"


def test_without_vanilla_there_is_nothing_to_compare_with() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    sweep.configuration("c0", freeze_depth=1)
    sweep.trial("c0", 0, [0.1])
    summary = summarize(sweep.record)
    assert summary["families"][0]["difference_to_vanilla"] is None
    assert summary["families"][0]["std"] is None


def test_several_models() -> None:
    summary = summarize(model_sweep().record)
    assert summary["model"] == "base, large"
    best = summary["best_configuration"]
    assert (best["strategy"], best["family"], best["values"]["model"]) == ("large: vanilla", "large: vanilla", "large")
    differences = {f["family"]: f["difference_to_vanilla"] for f in summary["families"]}
    assert differences["base: freeze"] == pytest.approx(0.3)
    assert differences["large: freeze"] == pytest.approx(-0.3)


def test_a_stopped_configuration_says_by_what_and_why() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=2)
    for name, depth in (("c0", 0), ("c1", 1)):
        sweep.configuration(name, freeze_depth=depth)
        sweep.trial(name, 0, [0.5])
    sweep.stop_configuration("c1")
    configurations = {c["configuration"]: c["stopped"] for c in summarize(sweep.record)["configurations"]}
    assert configurations["c0"] is None
    assert configurations["c1"] == {
        **{"rule": "race", "reason": "race says so", "replicates": 1, "spared": False, "reopened": False}
    }


def test_how_alike_a_seed_s_scores_are_is_told() -> None:
    sweep = SweepWriter(seeds=range(4), configurations=2)
    for name, depth, sign in (("c0", 0, 1), ("c1", 1, 1), ("c2", 2, -1)):
        sweep.configuration(name, freeze_depth=depth)
        for seed, luck in enumerate((0.1, -0.1, 0.2, 0.0)):
            sweep.trial(name, seed, [0.5 + sign * luck])
    assert summarize(sweep.record)["seed_correlation"] == {"mean": pytest.approx(-1 / 3), "pairs": 3}


def test_batches_that_memory_did_not_hold_are_told() -> None:
    sweep = small_sweep()
    for index, event in enumerate(sweep.events):
        if isinstance(event, ev.Measured):
            size = 8 if event.trial == "c0-s1" else 16
            sweep.events[index] = replace(event, measurement=replace(event.measurement, micro_batch_size=size))
    (note,) = summarize(sweep.record)["notes"]
    assert note.startswith("memory did not hold whole batches in 1 trial")


@settings(max_examples=40, deadline=None)
@given(sweeps())
def test_counts_add_up_and_no_number_is_undefined(sweep: SweepWriter) -> None:
    record = sweep.record
    summary = summarize(record)
    assert sum(summary["outcomes"].values()) + summary["unfinished"] == len(record.trials)
    for groups in (summary["families"], summary["configurations"]):
        results = sum(g["n"] + g["underperforming"] + g["errored"] for g in groups)
        assert results == sum(summary["outcomes"].values())
    assert all(not isinstance(v, float) or math.isfinite(v) for v in leaves(summary))


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    assert not isinstance(value, tuple | set)
    return [value]


def test_an_empty_log_has_no_summary() -> None:
    with pytest.raises(LookupError):
        summarize(SweepRecord())


def test_the_best_configuration_says_how_sure_its_numbers_are() -> None:
    sweep = SweepWriter(seeds=range(4))
    sweep.configuration("c0")
    for seed, score in enumerate((0.4, 0.5, 0.7, 0.6)):
        sweep.trial("c0", seed, [score])
    best = summarize(sweep.finish())["best_configuration"]
    assert best["mean_interval"] == pytest.approx([0.3446, 0.7554], abs=1e-3)
    assert best["std_interval"][0] < best["std"] < best["std_interval"][1]
    assert best["expected_best_of"][1] == pytest.approx(best["mean"])
    assert max(best["expected_best_of"].values()) <= 0.7


def test_broken_nodes_and_other_versions_are_among_the_notes() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1, versions={"torch": "2.13.0+cpu", "numpy": "2.4.6"})
    trial = sweep.start(sweep.configuration("c0"), 0)
    details = {"retry": True, "by_machine": True}
    sweep.end(trial, Outcome.ERRORED, worker="gpu-3/1a2b3c4d:77", **details)
    sweep.start("c0", 0, attempt=2)
    sweep.end(trial, Outcome.ERRORED, attempt=2, worker="", **details)  # a lost process: nobody knows where
    record = sweep.record
    record.apply(ev.SweepResumed(slots=2, versions={"torch": "2.13.0", "numpy": "2.4.7"}))
    assert notes_of(record)[-2:] == [
        "1 trial erred on gpu-3/1a2b3c4d, which was then left out, and ran elsewhere",
        "it was resumed with numpy 2.4.7 after 2.4.6",
    ]
