from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blurb_tune.core.trial import Configuration, Measurement, Outcome
from blurb_tune.log import events as ev
from blurb_tune.tracking.run_data import DataSet, Point, RunUpdate
from blurb_tune.tracking.updates import RunBuilder

HEADER = ev.SweepStarted(
    time=1.0,
    sweep_id="s1",
    name="quick",
    spec_digest="d",
    task="biosses",
    metric="pearson",
    models={"tiny": 4},
    objective="mean",
    score="final",
    seeds=[0, 1],
    configurations=None,
    trivial_score=0.0,
    slots=1,
    versions={},
)


def measured(trial: str, step: int, score: float, time: float, **extra: float) -> ev.Measured:
    return ev.Measured(
        time=time, trial=trial, measurement=Measurement(step, 1.0, score, 0.1, 0.2, 0.3, 0.4, 0.5, 6.0, 7.0, extra=extra)
    )


def suggested(name: str, **values: float | str) -> ev.ConfigurationSuggested:
    point = Configuration(**values)  # type: ignore[arg-type]
    return ev.ConfigurationSuggested(time=1.0, configuration=name, parameters={}, values=point.values())


def trial_started(trial: str, configuration: str, seed: int, time: float, attempt: int = 1) -> ev.TrialStarted:
    return ev.TrialStarted(time=time, trial=trial, configuration=configuration, seed=seed, attempt=attempt)


def trial_ended(
    trial: str, outcome: Outcome, time: float, reason: str = "", attempt: int = 1, retry: bool = False
) -> ev.TrialEnded:
    return ev.TrialEnded(time=time, trial=trial, attempt=attempt, outcome=str(outcome), reason=reason, retry=retry)


def configuration_ended(name: str, time: float) -> ev.ConfigurationEnded:
    return ev.ConfigurationEnded(time=time, configuration=name, state="COMPLETE", value=0.0, failed_share=0.0)


def updates_of(events: Iterable[ev.Event]) -> dict[str | None, RunUpdate]:
    builder = RunBuilder()
    for event in events:
        builder.apply(event)
    return {update.trial: update for update in builder.take()}


@pytest.mark.parametrize(
    ("outcome", "status", "reason_tag"),
    [
        (Outcome.COMPLETED, "FINISHED", None),
        (Outcome.COLLAPSED, "FINISHED", "reason"),
        (Outcome.PRUNED_UNSTABLE, "KILLED", "prune_reason"),
        (Outcome.PRUNED_UNDERPERFORMING, "KILLED", "prune_reason"),
        (Outcome.DIVERGED, "FAILED", "reason"),
        (Outcome.ERRORED, "FAILED", "reason"),
    ],
)
def test_an_outcome_decides_status_and_where_the_reason_stands(outcome: Outcome, status: str, reason_tag: str | None) -> None:
    reason = "because" if reason_tag else ""
    run = updates_of([HEADER, suggested("c0"), trial_started("t", "c0", 0, 2.0), trial_ended("t", outcome, 3.5, reason)])["t"]
    assert (run.status, run.ended, run.tags["outcome"]) == (status, 3500, str(outcome))
    reasons = {name: value for name, value in run.tags.items() if name.endswith("reason")}
    assert reasons == ({reason_tag: "because"} if reason_tag else {})


def test_a_measurement_becomes_metrics_at_its_step_and_time() -> None:
    events = [HEADER, suggested("c0"), trial_started("t", "c0", 0, 2.0), measured("t", 40, 0.9, 2.0625, spearman=0.8)]
    run = updates_of(events)["t"]
    assert {(point.timestamp, point.step) for point in run.points} == {(2062, 40)}
    assert run.points[0].name == "dev/score", "the dashboard compares runs by the first of all"
    assert {point.name: point.value for point in run.points} == {
        "dev/score": 0.9,
        "dev/loss": 0.1,
        "train/loss": 0.2,
        "train/grad_norm": 0.3,
        "train/micro_batch_size": 0.0,
        "other/dev_prediction_spread": 0.4,
        "train/learning_rate": 0.5,
        "train/epoch": 1.0,
        "other/dev_spearman": 0.8,
    }


def test_names_that_mlflow_refuses_are_changed_and_fixed_names_win() -> None:
    extra = {"f1@0.5/x": 0.1, "..": 0.2, "loss": 9.0}
    events = [HEADER, suggested("c0"), trial_started("t", "c0", 0, 2.0), measured("t", 1, 0.9, 3.0, **extra)]
    values = {point.name: point.value for point in updates_of(events)["t"].points}
    assert (values["other/dev_f1_0.5_x"], values["other/dev__"], values["dev/loss"]) == (0.1, 0.2, 0.1)


def test_values_that_are_not_finite_are_nan_and_named_once_and_for_all() -> None:
    builder = RunBuilder()
    for event in (HEADER, suggested("c0"), trial_started("t", "c0", 0, 2.0), measured("t", 1, math.inf, 3.0, b=math.nan)):
        builder.apply(event)
    first = builder.take()[-1]
    assert first.tags["non_finite"] == "dev/score, other/dev_b"
    assert all(math.isnan(p.value) for p in first.points if p.name in ("other/dev_b", "dev/score"))
    builder.apply(measured("t", 2, 0.5, 4.0, a=-math.inf))
    assert builder.take()[-1].tags["non_finite"] == "dev/score, other/dev_a, other/dev_b"


def test_a_new_attempt_leaves_nothing_of_the_one_before() -> None:
    events = [
        HEADER,
        suggested("c0"),
        trial_started("t", "c0", 0, 2.0),
        measured("t", 1, math.nan, 3.0),
        trial_ended("t", Outcome.ERRORED, 4.0, "worker died", retry=True),
        trial_started("t", "c0", 0, 5.0, attempt=2),
    ]
    run = updates_of(events)["t"]
    assert (run.attempt, run.started, run.points, run.status) == (2, 5000, [], None)
    assert not {"non_finite", "outcome", "reason"} & set(run.tags)


def two_configurations() -> list[ev.Event]:
    """c0 scores 0.2 and 0.4; c1 scores 0.9 with one of its two seeds censored; c2 scores 0.5 and 0.5."""
    scores = {("c0", 0): 0.2, ("c0", 1): 0.4, ("c1", 0): 0.9, ("c1", 1): None, ("c2", 0): 0.5, ("c2", 1): 0.5}
    events: list[ev.Event] = [HEADER, *(suggested(name, freeze_depth=int(name[1])) for name in ("c0", "c1", "c2"))]
    for time, ((name, seed), score) in enumerate(scores.items(), start=10):
        trial = f"{name}-{seed}"
        events.append(trial_started(trial, name, seed, time))
        events.append(measured(trial, 5, 0.1 if score is None else score, time + 0.25))
        events.append(
            trial_ended(trial, Outcome.PRUNED_UNDERPERFORMING if score is None else Outcome.COMPLETED, time + 0.5, "r")
        )
        if seed == 1:
            events.append(configuration_ended(name, time + 0.75))
    return [*events, ev.SweepEnded(time=30.0, status="finished", wall_seconds=20.0)]


def test_the_parent_follows_the_best_configuration_with_a_step_per_configuration() -> None:
    parent = updates_of(two_configurations())[None]
    best = [(p.step, round(p.value, 9), p.timestamp) for p in parent.points if p.name == "sweep/objective"]
    # 0.9 comes from half the seeds, the others were stopped: it must not beat a configuration that ran all of them
    assert best == [(1, 0.3, 11750), (2, 0.3, 13750), (3, 0.5, 15750)]
    assert parent.tags["leader"] == "c2 freeze 2"
    of_best = {p.name: p.value for p in parent.points if p.step == 1}
    assert of_best == pytest.approx(
        {"sweep/best_mean": 0.3, "sweep/best_std": 0.02**0.5, "sweep/objective": 0.3, "sweep/failed_share": 0.0}
    )
    assert (parent.tags["outcome"], parent.tags["progress"]) == ("finished", "6 trials")
    assert parent.tags["trials"] == "5 completed, 1 pruned_underperforming"


def test_the_progress_is_that_of_the_plan() -> None:
    events = [replace(HEADER, configurations=4), *two_configurations()[1:-1]]
    assert updates_of(events)[None].tags["progress"] == "6 of 8 trials"


def test_a_single_seed_has_no_standard_deviation() -> None:
    events = two_configurations()[:7]
    parent = updates_of([replace(HEADER, seeds=[0]), *events[1:], configuration_ended("c0", 20.0)])[None]
    names = {point.name for point in parent.points}
    assert "sweep/best_mean" in names
    assert "sweep/best_std" not in names


def test_the_owner_is_named_by_every_run_and_the_host_by_the_sweeps() -> None:
    header = replace(HEADER, owner="alice", host="login1")
    runs = updates_of([header, suggested("c0"), trial_started("t", "c0", 0, 2.0)])
    for run in runs.values():
        assert (run.tags["mlflow.user"], run.tags["owner"]) == ("alice", "alice")
    assert (runs[None].tags["host"], runs[None].tags["mlflow.source.name"]) == ("login1", "alice@login1")
    before = updates_of([HEADER, suggested("c0"), trial_started("t", "c0", 0, 2.0)])
    assert not {"mlflow.user", "owner", "host"} & {name for run in before.values() for name in run.tags}


def rows(description: str) -> list[list[str]]:
    """The cells of the table, its head first."""
    lines = [line for line in description.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_description_has_the_state_and_the_best_configurations_in_order() -> None:
    events = two_configurations()
    running = updates_of(events[:-1])[None].tags["mlflow.note.content"]
    assert "Running: 3 configurations, 6 trials ended, 0 failed (0%)." in running
    head, *best = rows(running)
    assert [dict(zip(head, row, strict=True))["configuration"] for row in best] == ["c2", "c0", "c1"]
    assert best[1] == ["c0", "vanilla", "2", "0.300", "0.141", "0.200", "0.400", "0 of 2", "0.300"]
    selected = ev.SelectionMade(time=31.0, configuration="c2", reference="c0")
    whole = updates_of([*events[:-1], selected, events[-1]])[None].tags["mlflow.note.content"]
    assert "Finished: 3 configurations" in whole
    assert whole.startswith("Freeze 2 did best"), "the answer comes first, in the lines that are not folded"
    assert "[The report]({run_page}/artifacts/report.html)" in whole
    assert "The report" not in running
    assert "**Winner: c2**, freeze 2" in whole


def test_the_sweeps_own_run_is_as_small_with_many_configurations_as_with_few() -> None:
    def names_and_size(configurations: int) -> tuple[set[str], int, int]:
        builder = RunBuilder()
        builder.apply(replace(HEADER, seeds=[0], configurations=configurations))
        for number in range(configurations):
            name = f"c{number:04}"
            builder.apply(suggested(name, freeze_depth=number % 12))
            builder.apply(trial_started(f"{name}-0", name, 0, 2.0))
            builder.apply(measured(f"{name}-0", 5, number / configurations, 3.0))
            builder.apply(trial_ended(f"{name}-0", Outcome.COMPLETED, 4.0))
            builder.apply(configuration_ended(name, 5.0))
        parent = builder.take()[0]
        return {point.name for point in parent.points}, len(parent.tags), len(parent.tags["mlflow.note.content"])

    few, many = names_and_size(20), names_and_size(2000)
    assert (few[0], few[1]) == (many[0], many[1])
    assert len(many[0]) <= 4
    assert many[2] < few[2] + 100


def test_runs_of_several_models_are_told_apart_by_name_and_tags() -> None:
    header = replace(HEADER, models={"base": 12, "large": 24})
    events = [header, suggested("c0", model="large", freeze_depth=2), trial_started("t", "c0", 0, 2.0)]
    runs = updates_of(
        [*events, measured("t", 1, 0.5, 3.0), trial_ended("t", Outcome.COMPLETED, 4.0), configuration_ended("c0", 5.0)]
    )
    assert (runs[None].params["model"], runs[None].params["blocks"]) == ("base, large", "12, 24")
    assert runs[None].tags["leader"] == "c0 large: freeze 2"
    assert runs["t"].params["model"] == "large"
    assert runs["t"].name == "large: freeze 2, seed 0"
    assert (runs["t"].tags["strategy"], runs["t"].tags["family"]) == ("large: freeze 2", "large: freeze")


def test_the_run_of_a_single_model_does_not_repeat_it() -> None:
    runs = updates_of([HEADER, suggested("c0", model="tiny", freeze_depth=2), trial_started("t", "c0", 0, 2.0)])
    assert (runs["t"].name, runs["t"].params["model"], runs[None].params["blocks"]) == ("freeze 2, seed 0", "tiny", "4")


def test_a_run_is_named_by_what_was_searched_and_its_tags_can_be_searched() -> None:
    searched = replace(
        suggested("c0", freeze_depth=2, learning_rate=4.9812e-5, batch_size=8),
        parameters={"strategy": "freeze 2", "learning_rate": 4.9812e-5},
    )
    fold = replace(trial_started("t", "c0", 1, 2.0), fold=1)
    run = updates_of([replace(HEADER, folds=2), searched, fold, trial_ended("t", Outcome.COMPLETED, 3.0)])["t"]
    assert run.name == "freeze 2, lr 4.98e-5, seed 1 fold 1", "the batch size is the same for all"
    plain = {name: value for name, value in run.tags.items() if not name.startswith("blurb_tune.")}
    assert plain == {
        "metric": "pearson",
        "configuration": "c0",
        "seed": "1",
        "fold": "1",
        "strategy": "freeze 2",
        "family": "freeze",
        "outcome": "completed",
    }


def test_the_data_set_is_named_where_the_log_knows_it() -> None:
    assert updates_of([HEADER])[None].data is None
    header = replace(HEADER, data_source="/data/biosses", data_digest="ab" * 32, examples={"train": 64, "dev": 16})
    assert updates_of([header])[None].data == DataSet("biosses", "ab" * 32, "/data/biosses", {"train": 64, "dev": 16})


def test_a_test_score_has_one_name_and_stands_with_its_trial_alone() -> None:
    test = ev.Tested(time=9.0, trial="t", examples=20, metrics={"pearson": 0.7, "spearman": 0.6}, interval=[0.5, 0.8])
    events = [HEADER, suggested("c0"), trial_started("t", "c0", 0, 2.0), measured("t", 5, 0.5, 3.0)]
    events += [trial_ended("t", Outcome.COMPLETED, 4.0), ev.SelectionMade(time=5.0, configuration="c0", reference=None), test]
    runs = updates_of(events)
    found = {(p.name, p.step): p.value for p in runs["t"].points if "test" in p.name}
    assert found == {("test/score", 5): 0.7, ("other/test_spearman", 5): 0.6}
    assert not any("test" in point.name for point in runs[None].points)


def test_a_test_that_is_done_again_takes_back_what_the_first_one_said() -> None:
    failed = ev.Tested(time=9.0, trial="t", examples=20, error="CUDA error")
    events = [HEADER, suggested("c0"), trial_started("t", "c0", 0, 2.0), measured("t", 5, 0.5, 3.0)]
    events += [trial_ended("t", Outcome.COMPLETED, 4.0), failed]
    assert updates_of(events)["t"].tags["test_error"] == "CUDA error"
    assert updates_of([*events, replace(failed, error="", metrics={"pearson": 0.7})])["t"].tags["test_error"] == ""


@pytest.mark.parametrize("name", ["a [click](javascript:alert(1)) b", "<img src=x onerror=alert(1)>", "x | y", "\\] \\["])
def test_what_a_log_says_is_no_link_and_no_tag_in_the_description(name: str) -> None:
    header = replace(HEADER, models={name: 4, "tiny": 4}, owner=name, task=name)
    events = [header, suggested("c0", model=name), trial_started("t", "c0", 0, 2.0), measured("t", 5, 0.5, 3.0)]
    events += [trial_ended("t", Outcome.COMPLETED, 4.0), ev.SweepEnded(time=5.0, status="interrupted", wall_seconds=1.0)]
    text = updates_of(events)[None].tags["mlflow.note.content"].replace("[The report]({run_page}/artifacts/report.html)", "")
    assert not re.search(r"(?<!\\)(\\\\)*[\[\]<>]", text)


def test_an_interruption_kills_what_runs_and_a_resumption_revives_the_parent_alone() -> None:
    events = [
        HEADER,
        suggested("c0"),
        trial_started("t", "c0", 0, 2.0),
        ev.SweepEnded(time=3.0, status="interrupted", wall_seconds=2),
    ]
    stopped = updates_of(events)
    assert [(stopped[key].status, stopped[key].ended) for key in (None, "t")] == [("KILLED", 3000)] * 2
    revived = updates_of([*events, ev.SweepResumed(time=4.0, slots=1)])
    assert (revived[None].status, revived[None].ended, revived["t"].status) == ("RUNNING", None, "KILLED")


def merged(parts: Iterable[list[RunUpdate]]) -> dict[str | None, RunUpdate]:
    """What a store holds after writing the parts one after the other."""
    runs: dict[str | None, RunUpdate] = {}
    for update in (update for part in parts for update in part):
        run = runs.get(update.trial)
        if run is None or update.attempt > run.attempt:
            assert update.is_new, "an update of a run that nothing created"
            runs[update.trial] = update
            continue
        run.tags |= update.tags
        run.params |= update.params
        run.points += update.points
        if update.status:
            run.status, run.ended = update.status, update.ended
    return runs


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_however_the_log_is_cut_into_pieces_the_runs_are_the_same(data: st.DataObject) -> None:
    events = two_configurations()
    retried = trial_started("c2-1", "c2", 1, 40.0, attempt=2)
    events += [
        ev.SweepResumed(time=39.0, slots=1),
        retried,
        measured("c2-1", 5, math.nan, 41.0),
        measured("c2-1", 9, 1.0, 42.0),
    ]
    cuts = data.draw(st.dictionaries(st.integers(1, len(events) - 1), st.booleans()))
    builder, parts = RunBuilder(), []
    for index, event in enumerate(events):
        if index in cuts:
            parts.append(builder.take(lambda _, is_early=cuts[index]: is_early))
        builder.apply(event)
    parts.append(builder.take())
    in_pieces, at_once = merged(parts), updates_of(events)
    assert _comparable(in_pieces) == _comparable(at_once)


def _comparable(runs: dict[str | None, RunUpdate]) -> dict[str | None, object]:
    def plain(point: Point) -> tuple[str, str, int, int]:
        return point.name, repr(point.value), point.timestamp, point.step

    return {
        key: (run.attempt, run.name, run.started, run.tags, run.params, list(map(plain, run.points)), run.status, run.ended)
        for key, run in runs.items()
    }
