"""The final test on a real Ray cluster, with the tiny model on tables of invented notes."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_list

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.storage import FolderStorage
from blurb_tune.core.trial import Outcome, TrialConfig
from blurb_tune.execution.driver import run_sweep
from blurb_tune.execution.prepare import encode_for, prepare_environment
from blurb_tune.execution.weights import load_weights
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from blurb_tune.log.lines import to_line
from blurb_tune.log.record import SweepRecord
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.report.final_scores import final_results
from blurb_tune.spec import load_spec
from blurb_tune.tasks.checking.task_data import load_test
from blurb_tune.tasks.scoring.metrics import evaluate
from blurb_tune.training.batch_runner import BatchRunner
from tests.learnable import SPACE, easy_task

pytestmark = pytest.mark.ray

STOPPED = {"exploding_gradient": 1e-9}
SPEC: dict[str, Any] = {
    "model": "tiny",
    "metric": "accuracy",
    "seeds": 2,
    "space": {"strategy": [{"reinit_count": 1}, "vanilla", {"reinit_count": 2}], **SPACE},
    "search": {"sampler": "grid"},
    # One run of vanilla is stopped after its second epoch: models of stopped runs are tested too.
    "pruning": {"instability": STOPPED, "control_share": 0.7},
    "max_failed_share": 1.0,
    "training": {"precision": "fp32"},
}


def plan_of(folder: Path, **settings: Any) -> Plan:
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(SPEC | {"task": settings.pop("task", None) or easy_task(folder)} | settings))
    return make_plan(load_spec(file))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, SweepPaths]:
    """A sweep whose driver was interrupted when the search was over and nothing tested yet."""
    folder, interrupted = tmp_path_factory.mktemp("searched"), threading.Event()
    plan, paths = plan_of(folder), SweepPaths(folder / "out")

    def stop(event: ev.Event) -> None:
        if isinstance(event, ev.SelectionMade):
            interrupted.set()

    record = run_sweep(plan, paths, listeners=[stop], interrupted=interrupted)
    assert (record.status, record.tests) == ("interrupted", {})
    return plan, paths


def copy_of(searched: tuple[Plan, SweepPaths], folder: Path) -> tuple[Plan, SweepPaths]:
    plan, paths = searched
    shutil.copytree(paths.root, folder / "out")
    return plan, SweepPaths(folder / "out")


@pytest.fixture(scope="module")
def tested(
    searched: tuple[Plan, SweepPaths], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Plan, SweepPaths, SweepRecord]:
    """The same one, finished."""
    plan, paths = copy_of(searched, tmp_path_factory.mktemp("tested"))
    return plan, paths, run_sweep(plan, paths)


def events_of_tests(paths: SweepPaths) -> list[ev.Tested]:
    return [event for event, _ in read_events(paths.events) if isinstance(event, ev.Tested)]


def test_the_winner_and_vanilla_are_tested_as_they_stood_when_their_trials_ended(
    tested: tuple[Plan, SweepPaths, SweepRecord],
) -> None:
    plan, paths, record = tested
    selection = record.selection
    assert selection is not None
    names = [name for name in (selection.configuration, selection.reference) if name]
    tests = {event.trial: event for event in events_of_tests(paths)}
    assert set(tests) == {f"{name}-s{seed}" for name in names for seed in range(2)}
    outcomes = {record.trials[trial].outcome for trial in tests}
    assert outcomes == {Outcome.PRUNED_UNSTABLE, Outcome.COMPLETED}
    assert {file.stem for file in paths.weights.iterdir()} == {f"{selection.configuration}-s{seed}" for seed in range(2)}

    environment = prepare_environment(plan)
    examples = load_test(plan.source, selection)
    encoded = encode_for(plan, plan.models["tiny"], examples, load_tokenizer(plan.models["tiny"]))
    data, model = environment.models["tiny"].fold(None), environment.classifier("tiny")
    whole = environment.classifier("tiny", whole=True)
    for trial_id, event in tests.items():
        trial = record.trials[trial_id]
        configuration = record.configurations[trial.configuration_id].configuration
        config = TrialConfig(trial_id, trial.configuration_id, configuration, trial.seed)
        alone = environment.fine_tuning(model, data, config, environment.prefixes())
        for _ in trial.measurements:
            alone.advance()
        whole.load_state_dict(alone.weights(), strict=False)
        runner = BatchRunner(whole, plan.task, 0, precision="fp32", micro_batch_size=8, eval_batch_size=64)
        outputs = runner.outputs(encoded)
        assert event.metrics == evaluate(plan.task, outputs, encoded.labels).metrics
        assert event.examples == len(examples)
        assert len(event.interval) == 2
        if trial.configuration_id == selection.configuration:
            kept = load_weights(FolderStorage(paths.weights), trial_id)
            assert all(torch.equal(kept[name], parameter) for name, parameter in whole.named_parameters())


def test_the_test_split_is_opened_last_and_a_test_that_is_cut_short_goes_on(
    searched: tuple[Plan, SweepPaths], tmp_path: Path
) -> None:
    plan, paths = copy_of(searched, tmp_path)
    interrupted = threading.Event()
    wanted: list[int] = []

    def stop_in_the_test(event: ev.Event) -> None:
        if isinstance(event, ev.Tested):
            interrupted.set()
            keys = _internal_kv_list("shares/", namespace=b"blurb_tune")
            wanted.extend(json.loads(_internal_kv_get(key, namespace=b"blurb_tune"))["slots"] for key in keys)

    record = run_sweep(plan, paths, listeners=[stop_in_the_test], interrupted=interrupted)
    assert record.status == "interrupted"
    assert len(record.tests) == 1
    assert len(wanted) == 1, "other sweeps on the cluster know that this one needs slots"
    assert wanted[0] > 0
    record = run_sweep(plan, paths)
    assert record.status == "finished"
    assert len(events_of_tests(paths)) == len(record.tests) > 1
    kinds = [event.kind for event, _ in read_events(paths.events)]
    assert kinds.count("selection_made") == 1
    assert "trial_started" not in kinds[kinds.index("selection_made") :]
    results = final_results(record)
    assert "vanilla" in [result.label for result in results]
    for result in results:
        assert (result.summary.n, result.missing) == (2, 0)
        assert result.interval[0] < result.interval[1]


def test_a_trial_whose_weights_are_gone_is_trained_again_to_where_it_ended(
    searched: tuple[Plan, SweepPaths], tested: tuple[Plan, SweepPaths, SweepRecord], tmp_path: Path
) -> None:
    """Bit for bit: what is cut off, and what is not there, but nothing else."""
    expected = {name: test.metrics for name, test in tested[2].tests.items()}
    selection = tested[2].selection
    assert selection is not None
    cut, whole = (f"{selection.configuration}-s{seed}" for seed in range(2))
    plan, paths = copy_of(searched, tmp_path)
    # Copies: the file that the tensors are mapped from is cut off.
    kept = {name: tensor.clone() for name, tensor in load_weights(FolderStorage(paths.weights), cut).items()}
    for file in paths.weights.iterdir():
        if file.stem != whole:
            file.unlink()
    (paths.weights / f"{cut}.safetensors").write_bytes(b"cut off")
    record = run_sweep(plan, paths)
    assert record.status == "finished"
    assert {name for name, test in record.tests.items() if test.trained_again} == expected.keys() - {whole}
    assert {name: test.metrics for name, test in record.tests.items()} == expected
    again = load_weights(FolderStorage(paths.weights), cut)
    assert kept.keys() == again.keys()
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_a_test_that_failed_is_done_again_with_the_weights_that_are_kept_for_it(
    searched: tuple[Plan, SweepPaths], tested: tuple[Plan, SweepPaths, SweepRecord], tmp_path: Path
) -> None:
    plan, paths = copy_of(searched, tmp_path)
    # All three strategies are as good: this log says that another than vanilla has won.
    events = [event for event, _ in read_events(paths.events)]
    named = [replace(e, configuration="c002", reference="c000") if isinstance(e, ev.SelectionMade) else e for e in events]
    paths.events.write_text("".join(f"{to_line(event)}\n" for event in named))
    # A number that no valid spec has, and that a test stumbles over.
    training = plan.spec.training.model_copy(update={"eval_batch_size": 0})
    record = run_sweep(replace(plan, spec=plan.spec.model_copy(update={"training": training})), paths)
    assert record.status == "finished"
    assert [result.missing for result in final_results(record)] == [2, 2]
    assert all(test.error for test in record.tests.values())

    record = run_sweep(plan, paths)
    assert record.status == "finished"
    assert [result.missing for result in final_results(record)] == [0, 0]
    assert not any(record.tests[name].trained_again for name in tested[2].tests)
    assert {name: record.tests[name].metrics for name in tested[2].tests} == {n: t.metrics for n, t in tested[2].tests.items()}
    assert {file.stem for file in paths.weights.iterdir()} == {"c002-s0", "c002-s1"}


def test_what_nobody_had_asked_for_and_a_fault_in_the_test_file_lose_nothing(tmp_path: Path) -> None:
    settings = {"task": easy_task(tmp_path), "seeds": 1, "space": SPEC["space"] | {"strategy": ["vanilla"]}, "pruning": {}}
    paths = SweepPaths(tmp_path / "out")
    record = run_sweep(plan_of(tmp_path, **settings, final_test=False), paths)
    assert (record.status, record.tests) == ("finished", {})
    assert not paths.weights.exists(), "there was no use for them"

    (tmp_path / "test.csv").write_text("note,ill\nfever,1\nwell,perhaps\n")
    plan = plan_of(tmp_path, **settings)
    with pytest.raises(BlurbTuneError, match=r"(?s)test.csv:3.*perhaps.*the same command again"):
        run_sweep(plan, paths)
    record = SweepRecord.read(paths.events)
    assert record.status == "interrupted"
    assert all(trial.is_final for trial in record.trials.values())
    (tmp_path / "test.csv").write_text("note,ill\nfever,1\nwell,0\n")
    record = run_sweep(plan, paths)
    assert record.status == "finished"
    assert [(test.examples, test.trained_again) for test in record.tests.values()] == [(2, True)]
    assert [result.missing for result in final_results(record)] == [0]


def test_a_cross_validation_runs_and_is_tested(tmp_path: Path) -> None:
    task = easy_task(tmp_path)
    task = {name: value for name, value in task.items() if name != "dev"} | {"folds": 3}
    space = SPEC["space"] | {"strategy": ["vanilla"]}
    plan, paths = plan_of(tmp_path, task=task, seeds=1, space=space, pruning={}), SweepPaths(tmp_path / "out")
    record = run_sweep(plan, paths)
    assert {trial.fold for trial in record.trials.values()} == {0, 1, 2}
    assert all((result.n, result.ended) == (1, 3) for result in record.by_configuration())
    assert final_results(record)[0].summary.n == 3


def test_the_weights_of_every_run_are_kept_where_the_spec_says_so(tmp_path: Path) -> None:
    settings = {"final_test": False, "seeds": 1, "space": SPEC["space"] | {"epochs": 1}}
    plan, paths = plan_of(tmp_path, keep_weights="all", **settings), SweepPaths(tmp_path / "out")
    record = run_sweep(plan, paths)
    assert record.tests == {}
    assert {file.stem for file in paths.weights.iterdir()} == set(record.trials)
    assert len(record.trials) == 3
