from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from blurb_tune.core.errors import InputError
from blurb_tune.preflight import Plan, Purpose, make_plan
from blurb_tune.spec import load_spec

MINIMAL = {"task": "demo", "model": "tiny"}


def plan_of(tmp_path: Path, *, check_machine: bool = True, purpose: Purpose = "start", **settings: Any) -> Plan:
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(MINIMAL | settings))
    return make_plan(load_spec(file), check_machine=check_machine, purpose=purpose)


def problems_of(tmp_path: Path, **settings: Any) -> list[str]:
    with pytest.raises(InputError) as error:
        plan_of(tmp_path, **settings)
    return [str(problem) for problem in error.value.problems]


def test_the_plan_counts_what_would_run(tmp_path: Path) -> None:
    space = {"strategy": ["vanilla", {"freeze_depth": 2}], "epochs": [3, 7], "batch_size": [16, 32]}
    plan = plan_of(tmp_path, seeds=5, search={"sampler": "grid"}, space=space)
    assert (plan.configurations, plan.combinations, plan.trials) == (8, 8, 40)
    assert plan.max_epochs == 40 * 7
    assert plan.max_steps == 40 * 7 * 6
    assert (plan.metric, plan.blocks, plan.train_examples) == ("pearson", {"tiny": 4}, 96)


def test_ranges_are_counted_and_never_listed_and_a_bound_that_is_not_reached_is_told(tmp_path: Path) -> None:
    space = {"epochs": {"low": 1, "high": 2 * 10**9}, "learning_rate": {"low": 1e-5, "high": 1.0, "step": 1e-9}}
    plan = plan_of(tmp_path, space=space | {"freeze_depth": {"low": 0, "high": 4, "step": 3}})
    assert plan.combinations == 2 * 10**9 * 999_990_001 * 2
    assert "space.freeze_depth: steps of 3 from 0 end at 3, and 4 is never tried" in plan.notes
    assert not any("learning_rate" in note for note in plan.notes)


def test_the_model_is_an_axis_and_only_what_fits_it_is_counted(tmp_path: Path) -> None:
    space = {"strategy": ["vanilla", {"freeze_depth": 6}], "epochs": [3, 7]}
    models = ["bert-large", "tiny", "minilm"]
    for written in (models, {"choice": models}):
        plan = plan_of(tmp_path, check_machine=False, model=written, search={"sampler": "grid"}, space=space)
        assert list(plan.models) == models
        assert plan.blocks == {"bert-large": 24, "tiny": 4, "minilm": 6}
        assert plan.configurations == plan.combinations == 3 * 2 * 2 - 2
    assert (
        plan_of(tmp_path, check_machine=False, model=models, space={"freeze_depth": {"low": 0, "high": 24}}).combinations == 37
    )


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown task": ({"task": "bioses"}, "task: unknown task 'bioses'; did you mean 'biosses'?"),
    "unknown model": ({"model": "minlm"}, "did you mean 'minilm'?"),
    "metric of another task": ({"metric": "accuracy"}, "task 'demo' has no metric 'accuracy'"),
    "misspelled metric": ({"metric": "pearsn"}, "did you mean 'pearson'?"),
    "metric to minimize": ({"metric": "mse"}, "'mse' cannot be maximized"),
    "freeze depth beyond the blocks": ({"space": {"freeze_depth": 5}}, "space.freeze_depth: 5 is beyond the model's blocks"),
    "reinit count beyond the blocks": ({"space": {"reinit_count": [0, 9]}}, "space.reinit_count: 9 is beyond"),
    "a frozen block re-initialized": (
        {"space": {"strategy": ["vanilla", {"freeze_depth": 3, "reinit_count": 2}]}},
        "space.strategy[1]: `freeze_depth + reinit_count <= 4` must hold",
    ),
    "no feasible configuration": (
        {"space": {"freeze_depth": [3, 4], "reinit_count": 2}},
        "space: no configuration is feasible: `freeze_depth + reinit_count <= 4` must hold (tiny has 4 blocks); "
        "the nearest that fits is {freeze_depth: 3, reinit_count: 1}",
    ),
    "one of several models is unknown": ({"model": ["tiny", "minlm"]}, "model[1]: there is no model 'minlm'; did you mean"),
    "one of a choice of models is unknown": ({"model": {"choice": ["minlm"]}}, "model.choice[0]: there is no model"),
    "deeper than every model": (
        {"model": ["tiny", "minilm"], "space": {"freeze_depth": [0, 7]}},
        "space.freeze_depth: 7 is beyond every model's blocks; tiny has 4 blocks, minilm has 6 blocks",
    ),
    "a strategy that fits no model": (
        {"model": ["tiny", "minilm"], "space": {"strategy": ["vanilla", {"freeze_depth": 5, "reinit_count": 2}]}},
        "space.strategy[1]: `freeze_depth + reinit_count <= 6` must hold (tiny has 4 blocks, minilm has 6 blocks)",
    ),
    "a model that no strategy fits": (
        {"model": ["minilm", "tiny"], "space": {"strategy": [{"freeze_depth": 5}, {"reinit_count": 6}]}},
        "model[1]: no configuration is feasible: `freeze_depth <= 4` must hold (tiny has 4 blocks); "
        "the nearest that fits is {freeze_depth: 4}",
    ),
    "endless grid": (
        {"search": {"sampler": "grid"}, "space": {"decay_rate": {"low": 0.5, "high": 1.0}}},
        "space.decay_rate: a grid needs finitely many values",
    ),
    "text longer than the model reads": (
        {"training": {"max_length": 100000}},
        "training.max_length: 100000 tokens are more than",
    ),
    "smoothed labels without classes": (
        {"space": {"label_smoothing_factor": [0.0, 0.1]}},
        "space.label_smoothing_factor: it is for kinds in which one of several classes is right (classification, ordinal "
        "classification, token classification), but that of task 'demo' is regression",
    ),
    "early stopping that does not end with the best": (
        {"training": {"early_stopping_patience": 3}},
        "training.early_stopping_patience: a trial that is stopped early ends with its best evaluation, not with its last: "
        "set `score: best`",
    ),
    "a threshold of no early stopping": (
        {"training": {"early_stopping_threshold": 0.1}},
        "training: `early_stopping_threshold` has no effect without `early_stopping_patience`",
    ),
    "a dropout of everything": ({"space": {"hidden_dropout_prob": 1.0}}, "space.hidden_dropout_prob: must be less than 1"),
    "unknown parameters without decay": (
        {"space": {"no_weight_decay": "layernorm"}},
        "space.no_weight_decay: unknown value 'layernorm'; did you mean 'layer_norm'?",
    ),
    "unknown database": ({"tracking": {"study_url": "redis://x"}}, "tracking.study_url: expected a URL that starts with"),
    "no GPU here": ({"resources": {"gpus": 64}}, "resources.gpus: a trial asks for 64 GPU, but this machine has"),
    "no tracking server": ({"tracking": {"uri": "mlruns"}}, "tracking.uri: tracking URI 'mlruns'"),
    "data folder not there": ({"task": "biosses", "data": "nowhere"}, "nowhere/BIOSSES: no such folder"),
}


@pytest.mark.parametrize(("settings", "expected"), FAULTS.values(), ids=list(FAULTS))
def test_what_the_spec_names_is_checked(tmp_path: Path, settings: dict[str, Any], expected: str) -> None:
    found = problems_of(tmp_path, **settings)
    assert len(found) == 1
    assert found[0].startswith(f"{tmp_path}/sweep.yaml:")
    assert expected in found[0]


def test_a_tracking_server_that_is_away_is_a_warning(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, tracking={"uri": "http://me:secret@127.0.0.1:9"})
    (warning,) = plan.warnings
    assert warning.startswith("the MLflow server at http://***@127.0.0.1:9 does not answer")
    assert plan_of(tmp_path).warnings == ()


def test_a_task_of_one_s_own_may_not_ask_for_more_than_the_model_reads(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("note,ill\n" + "".join(f"fever {i},yes\nfine {i},no\n" for i in range(20)))
    task = {"train": "notes.csv", "text": "note", "label": "ill", "kind": "classification"}
    (problem,) = problems_of(tmp_path, task=task | {"max_length": 99999})
    assert "task.max_length: 99999 tokens are more than tiny can read" in problem
    assert plan_of(tmp_path, task=task).task.max_length == 128


def test_each_of_several_models_is_told_at_its_own_line(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("task: demo\nmodel:\n  - tiny\n  - minlm\n  - /nowhere\n  - minilm\nseeds: 0\n")
    with pytest.raises(InputError) as error:
        make_plan(load_spec(file))
    assert [problem.where.rpartition(":")[2] for problem in error.value.problems] == ["4", "5", "7"]


def test_a_model_under_two_names_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\[1\]: 'google-bert/bert-base-uncased' is the same model as 'bert-base'"):
        plan_of(tmp_path, check_machine=False, model=["bert-base", "google-bert/bert-base-uncased"])


def test_the_weights_of_every_model_are_checked(tmp_path: Path) -> None:
    shape = {"model_type": "bert", "num_hidden_layers": 3, "hidden_size": 8, "max_position_embeddings": 64}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(shape))
    found = problems_of(tmp_path, model=["tiny", str(tmp_path / "a"), str(tmp_path / "b")])
    assert [f"model[{index}]: " in what and "has no weights" in what for index, what in enumerate(found, start=1)] == [
        True
    ] * 2


def test_a_storage_that_cannot_be_one_is_told_at_the_start(tmp_path: Path) -> None:
    """Not when the search is over, and all weights are gone."""
    (tmp_path / "file").touch()
    for storage in (tmp_path / "file", tmp_path / "file" / "deeper"):
        assert "expected a folder, but" in problems_of(tmp_path, storage=str(storage))[0]
    plan_of(tmp_path, storage=str(tmp_path / "to" / "be" / "made"))


@pytest.mark.parametrize("settings", [{"model": "~nobody-here/model"}, {"task": "biosses", "data": "~nobody-here/data"}])
def test_the_home_of_nobody_is_no_folder(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert "~nobody-here" in problems_of(tmp_path, **settings)[0]


def test_everything_wrong_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    lines = ["task: demo", "model: tiny", "metric: acc", "seeds: [1, 1]", "space: {freeze_depth: 9}", "resources: {gpus: 99}"]
    file.write_text("\n".join([*lines, "tracking: {uri: 'mlruns'}"]))
    with pytest.raises(InputError) as error:
        make_plan(load_spec(file))
    assert [problem.where.rpartition(":")[2] for problem in error.value.problems] == ["3", "4", "5", "6", "7"]


def write_data(folder: Path, bad: str = "") -> Path:
    row = {"id": "1", "sentence1": "a", "sentence2": "b", "label": 1.0}
    (folder / "BIOSSES").mkdir(parents=True)
    for split in ("train", "dev", "test"):
        rows = [json.dumps(row | {"id": str(i), "label": i % 5}) for i in range(10)]
        (folder / "BIOSSES" / f"{split}.jsonl").write_text("\n".join(rows) + "\n" + (bad if split == "dev" else ""))
    return folder


def test_data_is_checked_to_the_line(tmp_path: Path) -> None:
    write_data(tmp_path / "data", bad='{"id": "x", "sentence1": "a", "sentence2": "b", "label": 7}\nnot json\n')
    found = problems_of(tmp_path, task="biosses", data="data")
    assert [problem.split(": ")[0].rpartition("/")[2] for problem in found] == ["dev.jsonl:11", "dev.jsonl:12"]


@pytest.mark.parametrize("name", ["learning_rate", "epochs"])
def test_a_grid_of_very_many_points_is_a_plan(tmp_path: Path, name: str) -> None:
    ranges = {"learning_rate": {"low": 1e-9, "high": 1.0, "step": 1e-9}, "epochs": {"low": 1, "high": 10**9}}
    plan = plan_of(tmp_path, check_machine=False, search={"sampler": "grid"}, space={name: ranges[name]})
    assert plan.configurations == plan.combinations == 10**9
    search = {"sampler": "grid", "configurations": 20}
    assert plan_of(tmp_path, check_machine=False, search=search, space=ranges).configurations == 20


def test_of_very_many_problems_the_first_are_told(tmp_path: Path) -> None:
    strategies = [{"freeze_depth": index} for index in range(300)]
    found = problems_of(tmp_path, space={"strategy": strategies}, final_test=5)
    assert "space.strategy[5]: `freeze_depth" in found[1]
    assert len(found) == 101
    assert found[-1].endswith(": 196 more problems are not listed")


@pytest.mark.parametrize("name", ["m" * 300, "/" + "m" * 300, "m/" * 3000])
def test_a_model_whose_name_no_folder_can_have_is_told(tmp_path: Path, name: str) -> None:
    (problem,) = problems_of(tmp_path, model=name)
    assert "File name too long" in problem


def test_the_digest_follows_what_decides_the_numbers(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    base: dict[str, Any] = {"task": "biosses", "data": "data"}
    digest = plan_of(tmp_path, **base).digest
    assert plan_of(tmp_path, **base).digest == digest
    free = ({"resources": {"concurrency": 1}}, {"retries": 3}, {"tracking": {"experiment": "x"}})
    free = (*free, {"keep_weights": "all"})
    for setting in (*free, {"final_test": False}, {"storage": "elsewhere"}, {"training": {"prefix_cache_gb": 1}}):
        assert plan_of(tmp_path, **base, **setting).digest == digest
    on_cpu = plan_of(tmp_path, check_machine=False, **base)
    assert plan_of(tmp_path, check_machine=False, **base, resources={"gpus": 1}).digest != on_cpu.digest
    for setting in ({"seeds": 2}, {"model": ["tiny", "minilm"]}, {"space": {"epochs": 3}}, {"search": {"seed": 1}}):
        assert plan_of(tmp_path, **base, **setting).digest != digest
    assert plan_of(tmp_path, **base, space={"hidden_dropout_prob": None}).digest == digest
    assert plan_of(tmp_path, **base, space={"hidden_dropout_prob": 0.2}).digest != digest
    best = plan_of(tmp_path, **base, score="best").digest
    assert plan_of(tmp_path, **base, score="best", training={"early_stopping_patience": 2}).digest != best
    train = tmp_path / "data" / "BIOSSES" / "train.jsonl"
    train.write_text(train.read_text().replace('"a"', '"c"', 1))
    assert plan_of(tmp_path, **base).digest != digest


def test_seeds_of_other_searches_can_be_pooled_and_those_of_other_trainings_cannot(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    alike = ({"seeds": 9}, {"space": {"epochs": 3}}, {"pruning": {"race": "none"}}, {"training": {"precision": "fp32"}})
    alike = (*alike, {"training": {"prefix_cache_gb": 1}})
    for settings in alike:
        other = plan_of(tmp_path, **settings)
        assert (other.data_digest, other.settings_digest) == (plan.data_digest, plan.settings_digest), settings
    unlike = (
        {"training": {"max_length": 32}},
        {"training": {"frozen_dropout": True}},
        {"score": "best"},
        {"score": "best", "training": {"early_stopping_patience": 2}},
        {"pruning": {"instability": False}},
        {"resources": {"gpus": 1}},
    )
    digests = {plan_of(tmp_path, check_machine="resources" not in s, **s).settings_digest for s in unlike}
    assert len(digests | {plan.settings_digest}) == 7
    assert plan_of(tmp_path, training={"max_length": 32}).data_digest == plan.data_digest


def test_the_metric_that_is_maximized_is_the_one_that_failed_runs_are_judged_by(tmp_path: Path) -> None:
    assert plan_of(tmp_path).task.metrics[0] == "pearson"
    plan = plan_of(tmp_path, metric="spearman")
    assert (plan.metric, plan.task.metric, plan.task.metrics[0]) == ("spearman", "spearman", "spearman")


def test_the_same_data_elsewhere_is_the_same_sweep(tmp_path: Path) -> None:
    write_data(tmp_path / "here")
    write_data(tmp_path / "there")
    first, second = (plan_of(tmp_path, task="biosses", data=name).digest for name in ("here", "there"))
    assert first == second


def test_without_the_machine_only_the_spec_is_checked(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, check_machine=False, task="biosses", model="pubmedbert-large", resources={"gpus": 8})
    assert (plan.blocks, plan.train_examples) == ({"pubmedbert-large": 24}, 64)


def test_gradient_checkpointing_is_refused_where_a_family_has_none(tmp_path: Path) -> None:
    settings = {"model": ["bert-base", "mpnet-base"], "training": {"gradient_checkpointing": True}}
    with pytest.raises(InputError) as error:
        plan_of(tmp_path, check_machine=False, **settings)
    (problem,) = error.value.problems
    assert "training.gradient_checkpointing: the family of mpnet-base, mpnet, does not support it" in str(problem)


def test_smoothed_labels_are_searched_where_there_are_classes(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("note,ill\n" + "".join(f"fever {i},yes\nfine {i},no\n" for i in range(20)))
    for kind, fits in (("classification", True), ("ordinal classification", True), ("multi-label", False)):
        task = {"train": "notes.csv", "text": "note", "label": "ill", "kind": kind}
        settings = {"task": task, "space": {"label_smoothing_factor": [0.0, 0.1]}, "search": {"sampler": "grid"}}
        if fits:
            assert plan_of(tmp_path, **settings).configurations == 2
        else:
            (problem,) = problems_of(tmp_path, **settings)
            assert "but that of task 'notes' is multi-label" in problem


def test_a_folder_to_start_from_that_holds_no_sweep_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        plan_of(tmp_path, task="demo", search={"warm_start": ["nowhere", "neither"]})
    problems = [str(problem) for problem in error.value.problems]
    assert len(problems) == 2
    assert all("is no sweep's folder; expected one with events.jsonl" in problem for problem in problems)
    assert "nowhere" in problems[0]


def test_what_only_trials_need_is_not_asked_for_in_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_TOKEN", raising=False)
    (tmp_path / "in-the-way").touch()
    settings: dict[str, Any] = {
        "resources": {"gpus": 64},
        "storage": "in-the-way/kept",
        "tracking": {
            "uri": "https://${NO_TOKEN}@mlflow.invalid",
            "study_url": "postgresql://me:${NO_TOKEN}@db.invalid/studies",
        },
        "search": {"warm_start": ["gone"]},
    }
    asked_for = problems_of(tmp_path, **settings)
    assert len(asked_for) == 5
    assert plan_of(tmp_path, purpose="export", **settings).earlier == ()
    with pytest.raises(InputError, match="there is no model 'gone'"):
        plan_of(tmp_path, purpose="export", **settings | {"model": "gone"})
