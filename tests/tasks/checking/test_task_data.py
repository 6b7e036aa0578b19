"""Reading and checking the data of a source; the test split stays closed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.log.events import SelectionMade, SweepEnded
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.blurb.definitions import BLURB, TASKS
from blurb_tune.tasks.checking.task_data import inspect, load_data, load_test
from blurb_tune.tasks.sources.custom import custom_source
from blurb_tune.tasks.sources.data_source import DATA_VARIABLE, DataSource, find_source
from blurb_tune.tasks.task import Task
from tests.conftest import require_data

BIOSSES, PUBMEDQA, DEMO = TASKS["biosses"], TASKS["pubmedqa"], TASKS["demo"]
SELECTION = SelectionMade(configuration="c001", reference=None)


def _line(name: str, label: object = 1.0) -> str:
    return json.dumps({"id": name, "sentence1": f"One {name}.", "sentence2": "Two.", "label": label}) + "\n"


@pytest.fixture(autouse=True)
def _no_data_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound data set, but for its test split: whoever opens that waits for ever, or until the test runs out of time."""
    path = tmp_path / "BIOSSES"
    path.mkdir()
    (path / "train.jsonl").write_text(_line("a") + _line("b", 4))
    (path / "dev.jsonl").write_text(_line("c", 2.2) + _line("d", 3.1))
    os.mkfifo(path / "test.jsonl")
    return path


def _source(folder: Path, task: Task = BIOSSES) -> DataSource:
    return find_source(task, str(folder))


def _problems(source: DataSource) -> list[str]:
    return [str(problem) for problem in inspect(source).problems]


def own(folder: Path, **settings: Any) -> DataSource:
    """A custom task on `train.csv` and whatever else the folder holds."""
    base = {"train": "train.csv", "text": "note", "label": "label", "kind": "classification"}
    return custom_source(TaskSpec.model_validate(base | settings), folder)


def write_csv(file: Path, labels: list[Any], start: int = 0) -> None:
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["note", "label"])
        writer.writerows([f"note {index}", label] for index, label in enumerate(labels, start=start))


def test_train_and_dev_are_read_in_the_order_of_their_rows(folder: Path) -> None:
    found = inspect(_source(folder))
    assert found.data is not None
    assert ([e.id for e in found.data.train], [e.id for e in found.data.dev]) == (["a", "b"], ["c", "d"])
    assert (found.problems, found.data.folds) == ((), ())
    assert load_data(_source(folder)) == found.data


def test_nothing_opens_a_test_split_before_the_search_is_over(folder: Path) -> None:
    """The fixture's test split is a pipe that nobody writes to: opening it would block."""
    source = _source(folder)
    assert source.has_test
    assert inspect(source).problems == ()
    load_data(source)
    for event in (None, "selection_made", SweepEnded(status="finished", wall_seconds=1.0), SelectionMade):
        with pytest.raises(BlurbTuneError, match="the test split is read when the search is over"):
            load_test(source, event)  # type: ignore[arg-type]


def test_the_test_split_s_content_changes_nothing(folder: Path) -> None:
    before = inspect(_source(folder))
    (folder / "test.jsonl").unlink()
    (folder / "test.jsonl").write_bytes(b"\xff\xfe garbage {")
    assert inspect(_source(folder)) == before


def test_with_the_event_the_test_split_is_read_and_its_faults_are_named(folder: Path) -> None:
    (folder / "test.jsonl").unlink()
    (folder / "test.jsonl").write_text(_line("t1", 0) + _line("t2", 4))
    assert [e.label for e in load_test(_source(folder), SELECTION)] == [0.0, 4.0]
    (folder / "test.jsonl").write_text(_line("t1", 9) + "{\n")
    with pytest.raises(InputError) as caught:
        load_test(_source(folder), SELECTION)
    assert [p.where for p in caught.value.problems] == [f"{folder}/test.jsonl:1", f"{folder}/test.jsonl:2"]


def test_all_missing_files_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "BIOSSES").mkdir()
    assert _problems(_source(tmp_path)) == [
        f"{tmp_path}/BIOSSES/{split}.jsonl: no such file" for split in ("train", "dev", "test")
    ]


def test_problems_of_both_splits_come_together(folder: Path) -> None:
    (folder / "train.jsonl").write_text(_line("a", 9) + "\n" + _line("c"))
    (folder / "dev.jsonl").write_text("")
    (folder / "test.jsonl").unlink()
    expected = ["test.jsonl", "train.jsonl:1", "train.jsonl:2", "dev.jsonl"]
    assert [problem.split(": ")[0] for problem in _problems(_source(folder))] == [f"{folder}/{name}" for name in expected]
    with pytest.raises(InputError) as caught:
        load_data(_source(folder))
    assert [str(problem) for problem in caught.value.problems] == _problems(_source(folder))


def test_a_folder_in_the_place_of_a_file_is_a_problem(folder: Path) -> None:
    (folder / "dev.jsonl").unlink()
    (folder / "dev.jsonl").mkdir()
    assert _problems(_source(folder)) == [f"{folder}/dev.jsonl: cannot be read: Is a directory"]


@pytest.mark.parametrize("split", ["train", "dev"])
def test_the_digest_follows_both_splits(folder: Path, split: str) -> None:
    before = inspect(_source(folder)).digest
    assert before == inspect(_source(folder)).digest
    assert len(bytes.fromhex(before)) == hashlib.sha256().digest_size
    file = folder / f"{split}.jsonl"
    file.write_text(file.read_text().replace("One", "1"))
    assert inspect(_source(folder)).digest != before


def test_the_digest_tells_where_a_line_belongs(folder: Path) -> None:
    train, dev = _line("a") + _line("b", 2) + _line("e", 3), _line("c") + _line("d", 4)
    digests = set()
    for first, second in ((train, dev), (dev, train), (_line("a") + _line("b", 2), _line("e", 3) + dev)):
        (folder / "train.jsonl").write_text(first)
        (folder / "dev.jsonl").write_text(second)
        digests.add(inspect(_source(folder)).digest)
    assert len(digests) == 3


def test_texts_in_both_splits_are_a_note(folder: Path) -> None:
    (folder / "dev.jsonl").write_text(_line("a", 2.2) + _line("c"))
    found = inspect(_source(folder))
    assert "1 of 2 dev examples has texts that stand in train, too" in found.notes
    assert found.problems == ()


def test_a_split_that_is_not_as_published_is_a_note(folder: Path) -> None:
    assert inspect(_source(folder)).notes == ("train: 2 examples, published 64", "dev: 2 examples, published 16")
    (folder / "dev.jsonl").write_text("".join(_line(str(index), index / 4) for index in range(16)))
    assert inspect(_source(folder)).notes[0] == "train: 2 examples, published 64"
    assert not [note for note in inspect(_source(folder)).notes if note.startswith("dev")]


def test_a_class_without_a_train_example_is_a_problem(folder: Path) -> None:
    (folder / "train.jsonl").write_text(_line("a", "yes") + _line("b", "no"))
    (folder / "dev.jsonl").write_text(_line("c", "maybe") + _line("d", "no"))
    assert _problems(_source(folder, PUBMEDQA)) == [
        f"{folder}/train.jsonl: no example has the label 'maybe', but 1 of dev do; expected one of: no, yes"
    ]


def test_the_demo_needs_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    source = find_source(DEMO, str(tmp_path))
    data = load_data(source)
    counts = {"train": len(data.train), "dev": len(data.dev), "test": len(load_test(source, SELECTION))}
    assert counts == dict(DEMO.data_set.published)


def test_labels_of_one_s_own_come_from_train(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["yes", "no", "maybe"] * 4)
    write_csv(tmp_path / "dev.csv", ["no", "yes"], start=100)
    os.mkfifo(tmp_path / "test.csv")
    found = inspect(own(tmp_path, dev="dev.csv", test="test.csv"))
    assert (found.problems, found.notes) == ((), ("labels in train: maybe 4, no 4, yes 4",))
    assert found.source.task.labels == ("maybe", "no", "yes")
    assert found.data == load_data(found.source)
    assert [example.label for example in found.data.dev] == [1, 2]
    given = inspect(own(tmp_path, dev="dev.csv", test="test.csv", labels=["yes", "no", "maybe"]))
    assert [example.label for example in given.data.dev] == [1, 0]  # type: ignore[union-attr]


def test_without_a_dev_split_a_fifth_of_train_is_cut_off(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["yes"] * 10 + ["no"] * 40)
    found = inspect(own(tmp_path))
    assert found.notes == (
        "labels in train: no 32, yes 8 (the positive class)",
        "dev: 10 of 50 examples cut from train, stratified by label",
        "test: there is no test split; scores on dev are all there will be",
    )
    assert found.data is not None
    assert sorted(e.label for e in found.data.dev) == [0] * 8 + [1] * 2
    ids = [example.id for example in (*found.data.train, *found.data.dev)]
    assert sorted(map(int, ids)) == list(range(1, 51))
    assert load_data(found.source) == found.data
    smaller = inspect(own(tmp_path, dev_share=0.1)).data
    assert smaller is not None
    assert len(smaller.dev) == 5


def test_folds_hold_every_example_once(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["yes"] * 10 + ["no"] * 15)
    found = inspect(own(tmp_path, folds=5))
    assert found.notes[1] == "dev: 5 folds, each 5 of the 25 examples, stratified by label"
    assert found.data is not None
    assert (len(found.data.train), found.data.dev) == (25, ())
    assert sorted(index for fold in found.data.folds for index in fold) == list(range(25))
    assert all(sorted(found.data.train[i].label for i in fold) == [0] * 3 + [1] * 2 for fold in found.data.folds)


FAULTS: list[tuple[dict[str, Any], list[Any], list[str]]] = [
    ({"folds": 7}, ["a", "b"] * 3, ["train.csv: 7 folds need at least 7 different examples, but there are 6"]),
    (
        {"folds": 2},
        ["a"] * 5 + ["b"],
        ["train.csv: fold 1's dev part holds 'a' alone (3 examples), by which no score tells a good model from a trivial one"],
    ),
    (
        {"folds": 4},
        ["a", "b"] * 2,
        ["train.csv: fold 1's dev part holds 'a' alone (1 example), by which no score tells a good model from a trivial one"],
    ),
    (
        {"dev_share": 0.01},
        ["a", "b"] * 9,
        ["train.csv: dev, as cut from train, holds 'a' alone (1 example), by which no score tells a good model from a"],
    ),
    ({}, ["a", "b"], ["train.csv: there are too few different texts of each label to cut dev from them; name a dev file"]),
    ({"label": "note"}, ["a", "b"], []),
    ({}, ["a", "a"], ["train.csv: 'label' holds 'a' alone; expected at least two labels"]),
    ({"text": "nte"}, ["a", "b"], ["train.csv: there is no column 'nte'; did you mean 'note'?"]),
    ({"text": "nte"}, ["a", "a"], ["train.csv: 'label' holds 'a' alone", "train.csv: there is no column 'nte'; did you mean"]),
    ({"id": "note"}, ["a", "b"] * 4, []),
    ({"id": "label"}, ["a", "b", "b"], ['train.csv:4: id "b" stands at ']),
    ({"labels": ["a", "b", "c"]}, ["a", "b"] * 4, ["train.csv: no example has the label 'c'"]),
    (
        {"labels": ["a", "b"]},
        ["a", "b", "c", ""],
        ['train.csv:4: unknown label "c"', "train.csv:5: `label` must be one of: a, b"],
    ),
    ({"kind": "regression"}, [1, "2.5", "x"], ['train.csv:4: `label` must be a finite number, but got "x"']),
]


@pytest.mark.parametrize(("settings", "labels", "expected"), FAULTS)
def test_each_fault_of_a_table_of_one_s_own_is_told_with_its_place(
    tmp_path: Path, settings: dict[str, Any], labels: list[Any], expected: list[str]
) -> None:
    write_csv(tmp_path / "train.csv", labels)
    found = _problems(own(tmp_path, **settings))
    assert len(found) == len(expected)
    assert all(problem.removeprefix(f"{tmp_path}/").startswith(start) for problem, start in zip(found, expected, strict=True))


def test_a_dev_split_by_which_nothing_can_be_judged_is_told_at_its_place(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["no", "yes"] * 5)
    write_csv(tmp_path / "dev.csv", ["no"] * 3, start=100)
    (problem,) = _problems(own(tmp_path, dev="dev.csv", metric="roc_auc"))
    assert problem.startswith(f"{tmp_path}/dev.csv: dev holds 'no' alone (3 examples), by which no score tells")


def test_scores_that_are_all_alike_are_told_of_train_alone(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", [3] * 20)
    assert _problems(own(tmp_path, kind="regression")) == [
        f"{tmp_path}/train.csv: train holds the score 3 alone (16 examples), of which nothing can be learned; "
        "expected at least two different scores"
    ]


def test_rows_that_cannot_be_read_hide_nothing_and_nothing_is_made_out_of_them(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["yes"] * 5)
    with (tmp_path / "train.csv").open("a") as file:
        file.write("too,many,cells\n")
    write_csv(tmp_path / "dev.csv", ["", "yees"], start=100)
    assert [problem.removeprefix(f"{tmp_path}/") for problem in _problems(own(tmp_path, dev="dev.csv"))] == [
        "train.csv:7: expected 2 cells, as in the header, but got 3",
        'dev.csv:2: `label` must be one of: yes, but got ""',
        "dev.csv:3: unknown label \"yees\"; did you mean 'yes'?",
    ]


def test_a_fault_of_all_labels_does_not_hide_what_is_wrong_with_the_texts(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text('note,label\na b,"[0, 1]"\n,"[1, 0]"\n')
    assert [problem.removeprefix(f"{tmp_path}/") for problem in _problems(own(tmp_path, kind="multi-label"))] == [
        "train.csv: 'label' has lists of 0 and 1; name what they stand for in `labels:`",
        "train.csv:3: `note` is empty",
    ]


def test_tags_of_another_scheme_are_read_and_said_in_every_split(tmp_path: Path) -> None:
    for name in ("train", "dev"):
        (tmp_path / f"{name}.csv").write_text(f"note,label\n{name} a b,B-X L-X O\n{name} b c,O U-X O\n")
    found = inspect(own(tmp_path, kind="token classification", dev="dev.csv"))
    assert found.problems == ()
    assert found.data is not None
    assert found.source.task.labels == ("B-X", "E-X", "O", "S-X")
    assert [example.label for example in found.data.dev] == [(0, 1, 2), (2, 3, 2)]
    assert "tags of another scheme are read as those of IOBES: L-X as E-X, U-X as S-X" in found.notes


def test_a_misspelled_label_is_told_unless_the_labels_are_listed(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["no", "yes"] * 30 + ["yse"])
    (problem,) = _problems(own(tmp_path))
    assert problem.startswith(f"{tmp_path}/train.csv:62: label \"yse\" is rare; did you mean 'yes', which 30 rows have?")
    assert inspect(own(tmp_path, labels=["no", "yes", "yse"])).problems == ()


def test_indices_stand_for_the_labels_that_are_listed(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", [0, 1] * 10)
    found = inspect(own(tmp_path, labels=["never", "always"]))
    assert found.data is not None
    assert {found.source.task.labels[int(example.label)] for example in found.data.train} == {"never", "always"}  # type: ignore[arg-type]


def test_a_text_of_what_nobody_sees_is_empty(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["no", "yes"] * 5)
    with (tmp_path / "train.csv").open("a") as file:
        file.write("\u200b\ufeff ,yes\n")
    assert _problems(own(tmp_path)) == [f"{tmp_path}/train.csv:12: `note` is empty"]


def test_a_table_without_a_header_is_told_once_and_read_with_its_columns_named(tmp_path: Path) -> None:
    rows = "".join(f"note {number},{'yes' if number % 2 else 'no'}\n" for number in range(20))
    (tmp_path / "train.csv").write_text(rows)
    (problem,) = _problems(own(tmp_path))
    assert "there is no column 'note' and 'label'; the first row looks like data" in problem
    assert "`columns: [...]`" in problem
    found = inspect(own(tmp_path, columns=["note", "label"]))
    assert found.data is not None
    assert len(found.data.train) + len(found.data.dev) == 20


@pytest.mark.parametrize("has_cache", [False, True])
def test_what_train_shows_of_commas_holds_for_dev_and_test(tmp_path: Path, has_cache: bool) -> None:
    """Each of the other splits would leave it open by itself."""
    write_csv(tmp_path / "train.csv", [f"{number % 4},{125 * (number % 8):03}" for number in range(40)])
    for name, start in (("dev", 40), ("test", 60)):
        write_csv(tmp_path / f"{name}.csv", ["1,125", "2,250"], start)
    source = own(tmp_path, dev="dev.csv", test="test.csv", kind="regression")
    for _ in range(2):
        found = inspect(source, cache=tmp_path / "cache" if has_cache else None)
        assert found.problems == ()
        assert found.data is not None
        assert [e.label for e in found.data.dev] == [e.label for e in load_test(found.source, SELECTION)] == [1.125, 2.25]


def test_what_stands_between_labels_in_train_does_so_in_dev_and_test(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["cough", "fever", "cough|fever"] * 4)
    write_csv(tmp_path / "dev.csv", ["cough", "cough|fever"], 20)
    write_csv(tmp_path / "test.csv", ["cough|fever", "cough|sneeze"], 30)
    found = inspect(own(tmp_path, dev="dev.csv", test="test.csv", kind="multi-label"))
    assert found.problems == ()
    assert found.source.task.labels == ("cough", "fever")
    assert found.data is not None
    assert [e.label for e in found.data.dev] == [(1, 0), (1, 1)]
    with pytest.raises(InputError) as error:
        load_test(found.source, SELECTION)
    assert [problem.what for problem in error.value.problems] == ['unknown label "sneeze"; expected one of: cough, fever']


def test_labels_of_train_tell_what_stands_between_them_in_dev(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["cough", "fever"] * 6)
    write_csv(tmp_path / "dev.csv", ["cough", "cough,fever"], 20)
    found = inspect(own(tmp_path, dev="dev.csv", kind="multi-label"))
    assert found.data is not None
    assert [e.label for e in found.data.dev] == [(1, 0), (1, 1)]


def test_columns_of_flags_are_the_labels(tmp_path: Path) -> None:
    rows = "".join(f"note {number},{number % 2},{int(number % 3 == 0)}\n" for number in range(20))
    (tmp_path / "train.csv").write_text("note,cough,fever\n" + rows)
    found = inspect(own(tmp_path, kind="multi-label", label=["cough", "fever"]))
    assert found.problems == ()
    assert found.source.task.labels == ("cough", "fever")
    assert found.notes[0].startswith("labels in train: cough ")


@pytest.mark.parametrize("ending", ["tsv", "conll", "txt"])
def test_conll_is_seen_whatever_a_file_is_called(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"train.{ending}").write_text("".join(f"He\tO\nhas\tO\ngout{number}\tB-X\n\n" for number in range(20)))
    found = inspect(own(tmp_path, train=f"train.{ending}", kind="ner"))
    assert found.problems == ()
    assert found.data is not None
    assert len(found.data.train) + len(found.data.dev) == 20


@pytest.mark.parametrize("settings", [{"folds": 3}, {}])
def test_what_a_cut_cannot_divide_is_a_note(tmp_path: Path, settings: dict[str, Any]) -> None:
    write_csv(tmp_path / "train.csv", ["no", "yes"] * 10 + ["maybe"])
    found = inspect(own(tmp_path, **settings))
    assert found.problems == ()
    where = "of every fold" if settings else "of the cut"
    assert f"labels that are not on both sides {where}: 'maybe' (1)" in found.notes


@pytest.mark.parametrize("seed", range(20))
def test_folds_take_many_rare_labels(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    cells = [";".join(f"L{label}" for label in range(12) if draw.random() < 1 / (label + 1.5)) for _ in range(60)]
    write_csv(tmp_path / "train.csv", cells)
    for settings in ({"folds": 5}, {}):
        assert inspect(own(tmp_path, kind="multi-label", **settings)).problems == ()


def test_scores_are_cut_by_score(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", list(range(22)))
    cut, folds = (inspect(own(tmp_path, kind="regression", **settings)).notes[0] for settings in ({}, {"folds": 3}))
    assert cut == "dev: 4 of 22 examples cut from train, stratified by score"
    assert folds == "dev: 3 folds, each 7 to 8 of the 22 examples, stratified by score"


def test_whole_numbers_are_one_label_however_they_are_written(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["0.0", "1.0", "0", "1"] * 4)
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"note": str(i), "label": i % 2 / 1}) + "\n" for i in range(16)))
    for file in ("train.csv", "train.jsonl"):
        assert inspect(own(tmp_path, train=file)).source.task.labels == ("0", "1")
    for labels in (["0", "1"], ["0.0", "1.0"]):
        found = inspect(own(tmp_path, labels=labels))
        assert (found.problems, found.source.task.labels) == ((), ("0", "1"))


def test_tags_in_a_table_and_their_repairs(tmp_path: Path) -> None:
    lines = ["note,label", "Down syndrome here,B I O", "the heart,O I", "no,O", "such,O", "thing,B", "the end .,O O O"]
    (tmp_path / "train.csv").write_text("\n".join(lines))
    found = inspect(own(tmp_path, kind="token classification", dev_share=0.3))
    assert found.source.task.labels == ("B", "I", "O")
    assert next(note for note in found.notes if "seqeval" in note).endswith(
        ": 1 entity begins without a B tag; they are read as if it were there, as seqeval does"
    )
    (tmp_path / "train.csv").write_text("\n".join([*lines, "too short,O"]))
    assert _problems(own(tmp_path, kind="token classification")) == [
        f"{tmp_path}/train.csv:8: `note` has 2 words, but `label` has 1 tags"
    ]


def test_many_labels_in_a_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", ["a;b", "", "b", "a", "a; b", "b", "", "a"])
    found = inspect(own(tmp_path, kind="multi-label"))
    assert found.source.task.labels == ("a", "b")
    assert found.data is not None
    assert {e.label for e in found.data.train} == {(1, 1), (0, 0), (0, 1), (1, 0)}


@pytest.mark.parametrize("task", BLURB, ids=lambda task: task.name)
def test_real_data_are_sound_and_of_the_known_size(task: Task, blurb_data: Path) -> None:
    source = find_source(task, str(blurb_data))
    require_data(source)
    found = inspect(source)
    assert found.problems == ()
    assert found.data is not None
    for split, examples in (("train", found.data.train), ("dev", found.data.dev)):
        assert len(examples) == task.data_set.sizes.get(split, len(examples))
        assert len({example.id for example in examples}) == len(examples)
