"""A custom task: from a mapping to a `Task` and its data, and every fault of the mapping at its line of the spec."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from blurb_tune.core.errors import InputError
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.spec import load_spec
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.kinds import KINDS
from blurb_tune.tasks.sources.custom import check_custom_task, custom_source

LABELS = ["yes", "no", "no"] * 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of 30 rows, another of 6, and a test table that blocks whoever opens it."""
    for name, labels in (("notes", LABELS), ("more", LABELS[:6])):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["key", "note", "other", "urgent"])
            writer.writerows([f"{name}{i}", f"{name} {i}", f"on {name} {i}", label] for i, label in enumerate(labels))
    os.mkfifo(tmp_path / "test.csv")
    return tmp_path


def plan_of(folder: Path, *, sweep: dict[str, Any] | None = None, check_machine: bool = True, **task: Any) -> Plan:
    base = {"train": "notes.csv", "text": "note", "label": "urgent", "kind": "classification"}
    mapping = {key: value for key, value in (base | task).items() if value is not None}
    lines = ["task:", *(f"  {key}: {json.dumps(value)}" for key, value in mapping.items())]
    (folder / "s.yaml").write_text("\n".join(lines) + "\n" + yaml.safe_dump({"model": "tiny"} | (sweep or {})))
    return make_plan(load_spec(folder / "s.yaml"), check_machine=check_machine)


def problems_of(folder: Path, **settings: Any) -> list[str]:
    with pytest.raises(InputError) as error:
        plan_of(folder, **settings)
    return [str(problem).replace(f"{folder}/", "") for problem in error.value.problems]


def test_the_plan_holds_task_source_and_notes(folder: Path) -> None:
    plan = plan_of(folder, test="test.csv")
    assert (plan.task.name, plan.task.labels, plan.metric) == ("notes", ("no", "yes"), "macro_f1")
    assert plan.task.fields == ("note",)
    assert (plan.train_examples, plan.dev_examples) == (24, 6)
    assert plan.notes == (
        "labels in train: no 16, yes 8 (the positive class)",
        "dev: 6 of 30 examples cut from train, stratified by label",
    )
    assert plan.source.has_test
    assert plan.max_steps == plan.max_epochs * 2


def test_the_resolved_spec_holds_what_the_data_decided(folder: Path) -> None:
    task = plan_of(folder).spec.task
    assert isinstance(task, TaskSpec)
    assert (task.name, task.labels, task.metric, task.train) == ("notes", ["no", "yes"], "macro_f1", "notes.csv")


def test_a_pair_of_texts_ids_and_a_dev_table(folder: Path) -> None:
    settings = {"text": ["note", "other"], "id": "key", "dev": "more.csv", "name": "mine", "metric": "f1", "left_out": ["no"]}
    plan = plan_of(folder, **settings, markers=["@GENE$"], max_length=64)
    task = plan.task
    assert (task.name, task.fields, task.id_field, task.markers) == ("mine", ("note", "other"), "key", ("@GENE$",))
    assert (task.max_length, plan.metric, task.left_out) == (64, "f1", ("no",))
    assert (plan.train_examples, plan.dev_examples) == (30, 6)


def test_folds_multiply_the_trials(folder: Path) -> None:
    plan = plan_of(folder, folds=5, sweep={"seeds": 2, "space": {"epochs": 3, "batch_size": 4}, "search": {"sampler": "grid"}})
    assert (plan.trials, plan.train_examples, plan.dev_examples) == (10, 24, 6)
    assert (plan.max_epochs, plan.max_steps) == (30, 180)
    assert plan.notes[1] == "dev: 5 folds, each 6 of the 30 examples, stratified by label"


def test_without_the_machine_no_table_is_looked_at(folder: Path) -> None:
    plan = plan_of(folder, train="nowhere.csv", check_machine=False, sweep={"metric": "f1"})
    assert (plan.train_examples, plan.max_steps, plan.task.labels, plan.metric) == (None, None, (), "f1")
    assert plan.notes == ()


def test_the_digest_follows_content_and_meaning_not_places(folder: Path) -> None:
    digest = plan_of(folder).digest
    (folder / "copy.csv").write_bytes((folder / "notes.csv").read_bytes())
    assert plan_of(folder, train="copy.csv", name="notes").digest == digest
    assert plan_of(folder, test="test.csv").digest == digest
    assert plan_of(folder, labels=["no", "yes"]).digest == digest
    others = [{"labels": ["yes", "no"]}, {"text": "other"}, {"dev_share": 0.5}, {"folds": 2}, {"max_length": 64}]
    others += [{"dev": "more.csv"}, {"metric": "f1"}]
    assert len({plan_of(folder, **other).digest for other in others} | {digest}) == len(others) + 1
    (folder / "notes.csv").write_text((folder / "notes.csv").read_text().replace("on notes", "of notes"))
    assert plan_of(folder).digest != digest


FAULTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"train": None}, ["s.yaml:1: task: expected `train`, a file, or `hub`, a data set on the hub"]),
    ({"train": "nots.csv"}, ["s.yaml:2: task.train: nots.csv: no such file"]),
    (
        {"dev": "mor.csv", "test": "tst.csv"},
        ["s.yaml:6: task.dev: mor.csv: no such file", "s.yaml:7: task.test: tst.csv: no such file"],
    ),
    (
        {"train": "notes.xlsx"},
        ["s.yaml:2: task.train: expected a file that ends with .csv, .tsv, .json, .jsonl, .parquet, but got 'notes.xlsx'"],
    ),
    (
        {"kind": "squad", "text": ["note", "other"], "train": "notes.txt"},
        ["s.yaml:2: task.train: expected a file that ends with .csv, .tsv, .json, .jsonl, .parquet, but got 'notes.txt'"],
    ),
    ({"dev": "./notes.csv"}, ["s.yaml:6: task.dev: './notes.csv' is the train file already"]),
    ({"dev": "notes.csv"}, ["s.yaml:6: task.dev: 'notes.csv' is the train file already"]),
    ({"hub": "owner/notes"}, ["s.yaml:2: task.train: the hub data set has its own splits; leave this out, or `hub`"]),
    ({"text": "nte"}, ["s.yaml:3: task.text: notes.csv: there is no column 'nte'; did you mean 'note'?"]),
    ({"label": "urgnt"}, ["s.yaml:4: task.label: notes.csv: there is no column 'urgnt'; did you mean 'urgent'?"]),
    ({"id": "ky"}, ["s.yaml:6: task.id: notes.csv: there is no column 'ky'; did you mean 'key'?"]),
    ({"text": ["note", "note"]}, ["s.yaml:3: task.text: the two columns of a pair must differ, but both are 'note'"]),
    ({"label": "note"}, ["s.yaml:4: task.label: 'note' is the text's column already"]),
    (
        {"metric": "acuracy"},
        ["s.yaml:6: task.metric: there is no metric 'acuracy' for classification; did you mean 'accuracy'?"],
    ),
    ({"metric": "pearson"}, ["s.yaml:6: task.metric: there is no metric 'pearson' for classification; expected one of: "]),
    ({"labels": ["no", "yes", "no"]}, ["s.yaml:6: task.labels: labels must differ, but 'no' stands more than once"]),
    (
        {"columns": ["a", "b", "a"]},
        ["s.yaml:6: task.columns: the names of columns must differ, but 'a' stands more"],
    ),
    ({"left_out": ["non"]}, ["s.yaml:6: task.left_out: notes.csv: unknown label 'non'; did you mean 'no'?"]),
    (
        {"folds": 5, "dev_share": 0.1},
        ["s.yaml:7: task.dev_share: folds stand for a dev split; leave one of `folds` and `dev_share` out"],
    ),
    (
        {"dev": "more.csv", "folds": 5},
        ["s.yaml:7: task.folds: this cuts dev from train, but `dev` names a file; leave one of them out"],
    ),
    ({"folds": 31}, ["s.yaml:6: task.folds: notes.csv: 31 folds need at least 31 different examples, but there are 30"]),
    ({"sweep": {"data": "there"}}, ["s.yaml:6: data: this is for named tasks; a mapping names its files in `task`"]),
    ({"sweep": {"metric": "acuracy"}}, ["s.yaml:6: metric: task 'notes' has no metric 'acuracy'; did you mean 'accuracy'?"]),
]


@pytest.mark.parametrize(("settings", "expected"), FAULTS, ids=lambda value: str(value)[:40])
def test_each_fault_is_told_at_its_line(folder: Path, settings: dict[str, Any], expected: list[str]) -> None:
    found = problems_of(folder, **settings)
    assert len(found) == len(expected)
    assert all(problem.startswith(start) for problem, start in zip(found, expected, strict=True))


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_a_column_that_predictions_add_is_no_text(kind: Kind) -> None:
    for name in sorted({name for each in KINDS.values() for name in each.added}):
        texts = ["other", name] if kind.fault_of_texts([name]) else [name]
        settings = {"train": "notes.csv", "text": texts, "label": "urgent", "kind": kind.name}
        fault = ("text", f"rename the column {name!r}: `predict` adds one of that name to the texts")
        assert list(check_custom_task(TaskSpec.model_validate(settings))) == ([fault] if name in kind.added else [])


def test_labels_that_are_not_listed_are_told_row_by_row(folder: Path) -> None:
    found = problems_of(folder, labels=["no", "yse"])
    assert [problem.split(": ")[0] for problem in found] == [f"notes.csv:{line}" for line in range(2, 32, 3)]
    assert found[0] == "notes.csv:2: unknown label \"yes\"; did you mean 'yse'?"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"labels": ["1"]}, "task.labels: regression has no labels; leave this out, or name another `kind`"),
        ({"left_out": ["1"]}, "task.left_out: labels are left out of the F1 of classification and multi-label alone"),
        ({"metric": "mse"}, "task.metric: 'mse' cannot be maximized; expected one of: pearson, spearman"),
    ],
)
def test_faults_of_a_regression(folder: Path, settings: dict[str, Any], expected: str) -> None:
    (problem,) = problems_of(folder, kind="regression", label="key", check_machine=False, **settings)
    assert problem == f"s.yaml:6: {expected}"


@pytest.mark.parametrize(
    ("columns", "labels", "expected"),
    [
        (["key", "other"], None, []),
        (["key", "other"], ["key", "Other"], []),
        (["key", "other"], ["fever", "cough"], []),
        (
            ["key", "other"],
            ["Other", "key"],
            [
                "s.yaml:6: task.labels: expected them in the order of the columns in `label`, but 'Other' stands for 'key'",
                "s.yaml:6: task.labels: expected them in the order of the columns in `label`, but 'key' stands for 'other'",
            ],
        ),
        (["key", "other"], ["cough"], ["s.yaml:6: task.labels: expected one for each of the 2 columns in `label`, but got 1"]),
        (["key", "key"], None, ["s.yaml:4: task.label: columns must differ, but 'key' stands more than once"]),
        (["key", "key"], ["a", "b"], ["s.yaml:4: task.label: columns must differ, but 'key' stands more than once"]),
    ],
)
def test_labels_that_are_columns_are_listed_in_their_order(
    folder: Path, columns: list[str], labels: list[str] | None, expected: list[str]
) -> None:
    settings = {"kind": "multi-label", "label": columns, "labels": labels, "check_machine": False}
    if expected:
        assert problems_of(folder, **settings) == expected
    else:
        assert plan_of(folder, **settings).task.labels == tuple(labels or columns)


@pytest.mark.parametrize("check_machine", [False, True])
@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("token classification", ["note", "other"], "words to tag stand in one column, but two are named"),
        ("squad", "note", "expected two columns: of the question, and of the text with its answer"),
    ],
)
def test_a_kind_has_its_number_of_columns(folder: Path, kind: str, text: object, expected: str, check_machine: bool) -> None:
    (problem,) = problems_of(folder, kind=kind, text=text, check_machine=check_machine)
    assert problem == f"s.yaml:3: task.text: {expected}"


@pytest.mark.parametrize("name", ["latin_one", "ansi", "hex", "rot13", "idna", "undefined"])
def test_what_is_no_encoding_of_texts_is_told(folder: Path, name: str) -> None:
    (problem,) = problems_of(folder, encoding=name)
    assert problem.startswith(f"s.yaml:6: task.encoding: unknown encoding {name!r}; expected one such as utf-8")


@pytest.mark.parametrize("name", ["latin_1", "UTF-16", "utf-32-be", "cp500", "utf_7", "big5", "iso2022_jp"])
def test_encodings_of_texts_are_read(folder: Path, name: str) -> None:
    (folder / "notes.csv").write_bytes((folder / "notes.csv").read_text().encode(name))
    assert plan_of(folder, encoding=name).train_examples == 24


def test_everything_wrong_is_told_at_once_in_the_order_of_the_lines(folder: Path) -> None:
    with (folder / "notes.csv").open("a") as file:
        file.write("k,too,few\nx,,y,yes\n")
    found = problems_of(folder, id="ky", metric="acc", labls=["a"], sweep={"seeds": 0, "name": "a/b"})
    starts = ["s.yaml:6: task.id:", "s.yaml:7: task.metric:", "s.yaml:8: unknown key 'task.labls'"]
    starts += ["s.yaml:10: name:", "s.yaml:11: seeds:", "notes.csv:32: expected 4 cells"]
    assert [problem[: len(start)] for problem, start in zip(found, starts, strict=True)] == starts


def test_a_word_for_a_kind_is_taken_as_it_and_said(folder: Path) -> None:
    plan = plan_of(folder, kind="Binary")
    assert plan.notes[0] == "kind: 'Binary' is taken as classification: the label is one of several classes"
    assert isinstance(plan.spec.task, TaskSpec)
    assert plan.spec.task.kind == "classification"


def test_an_unknown_kind_is_told_with_the_nearest(folder: Path) -> None:
    (problem,) = problems_of(folder, kind="clasification")
    assert problem.endswith("task.kind: unknown kind 'clasification'; did you mean 'classification'?")


@pytest.mark.parametrize("kind", KINDS.values())
def test_each_kind_has_a_metric_of_its_own(kind: Kind) -> None:
    assert kind.default_metric in kind.usable_metrics
    spec = TaskSpec.model_validate({"train": "t.csv", "text": "t", "label": "l", "kind": kind.name})
    source = custom_source(spec, Path("base"))
    assert source.task.metric == source.task.metrics[0] == kind.default_metric
    assert source.splits.location("train") == "base/t.csv"
