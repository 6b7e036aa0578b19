"""What was found of files is believed as long as nothing has changed, and is what would be found anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.models.tiny import tiny_tokenizer
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.checking import inspection_cache, task_data
from blurb_tune.tasks.checking.inspection import Inspection
from blurb_tune.tasks.checking.task_data import inspect, load_data
from blurb_tune.tasks.data_set import DataSet
from blurb_tune.tasks.encoding.cache import cached_encode
from blurb_tune.tasks.encoding.features import encode
from blurb_tune.tasks.sources.custom import custom_source
from blurb_tune.tasks.sources.data_source import DataSource, find_source
from tests.conftest import require_data

# Each asks for `train.csv` another way; columns of words, labels and scores stand side by side.
ASKED: dict[str, dict[str, Any]] = {
    "classification": {"kind": "classification", "label": "class"},
    "with a dev file": {"kind": "classification", "label": "class", "dev": "dev.csv", "test": "test.csv"},
    "a share": {"kind": "classification", "label": "class", "dev_share": 0.4},
    "folds": {"kind": "classification", "label": "class", "folds": 3},
    "regression": {"kind": "regression", "label": "score"},
    "multi-label": {"kind": "multi-label", "label": "several", "labels": ["b", "a"]},
    "bars": {"kind": "multi-label", "label": "barred"},
    "tags": {"kind": "token classification", "label": "tags", "dev_share": 0.3},
}


def own(folder: Path, **asked: Any) -> DataSource:
    return custom_source(TaskSpec.model_validate({"train": "train.csv", "text": "note"} | asked), folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sound train and dev files of one's own; the test file is a pipe, which nobody may open."""
    path = tmp_path / "data"
    path.mkdir()
    for name, start in {"train": 0, "dev": 90}.items():
        rows = [
            f"note {n},{'yes' if n % 3 else 'no'},{n / 7},{'a;b' if n % 2 else 'b'},{'O I' if n % 4 else 'B O'},"
            f"{('a', 'b', 'a|b')[n % 3]}"
            for n in range(start, start + 30)
        ]
        (path / f"{name}.csv").write_text("\n".join(["note,class,score,several,tags,barred", *rows]) + "\n")
    os.mkfifo(path / "test.csv")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def assert_same(one: Inspection, other: Inspection) -> None:
    for field in fields(Inspection):
        if field.name != "data":
            assert getattr(one, field.name) == getattr(other, field.name)
    assert (one.data is None) == (other.data is None)
    if one.data is not None and other.data is not None:
        assert (len(one.data.train), len(one.data.dev)) == (len(other.data.train), len(other.data.dev))
        assert (tuple(one.data.train), tuple(one.data.dev)) == (tuple(other.data.train), tuple(other.data.dev))
        assert one.data.folds == other.data.folds


@contextmanager
def unread() -> Iterator[None]:
    """No row may be judged meanwhile."""

    def refuse(*_: object) -> None:
        raise AssertionError("rows were read")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_data, "parse", refuse)
        yield


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_what_was_found_is_what_is_found_and_no_row_is_read_for_it(folder: Path, cache: Path, asked: dict[str, Any]) -> None:
    source = own(folder, **asked)
    expected = inspect(source)
    assert expected.notes
    assert_same(inspect(source, cache=cache), expected)
    before = list(cache.rglob("*"))
    with unread():
        found = inspect(source, cache=cache)
        assert found.data is not None
        assert expected.data is not None
        assert len(found.data.train) == len(expected.data.train)
    assert_same(found, expected)
    assert list(cache.rglob("*")) == before


@pytest.mark.parametrize("name", ["biosses", "chemprot", "hoc", "ncbi-disease"])
def test_real_data_are_recalled_as_they_are(blurb_data: Path, cache: Path, name: str) -> None:
    source = find_source(TASKS[name], str(blurb_data))
    require_data(source)
    inspect(source, cache=cache)
    with unread():
        found = inspect(source, cache=cache)
    assert_same(found, inspect(source))


@pytest.mark.parametrize("asked", [ASKED["with a dev file"], ASKED["tags"]], ids=["texts", "words"])
def test_tokens_are_found_without_a_row_and_made_from_the_rows_where_there_are_none(
    folder: Path, cache: Path, asked: dict[str, Any]
) -> None:
    source, tokenizer = own(folder, **asked), tiny_tokenizer()
    task, plain = inspect(source).source.task, load_data(source)
    inspect(source, cache=cache)  # leaves what was found, but no tokens
    first = cached_encode(load_data(source, cache=cache).train, tokenizer, 12, task, cache=cache)
    with unread():
        second = cached_encode(load_data(source, cache=cache).train, tokenizer, 12, task, cache=cache)
    expected = encode(plain.train, tokenizer, 12, task)
    for found in (first, second):
        for name in ("input_ids", "offsets", "labels"):
            assert np.array_equal(getattr(found, name), getattr(expected, name))


def _fault(folder: Path) -> None:
    with (folder / "train.csv").open("a") as file:
        file.write("note,,,,,\n")


@pytest.mark.parametrize(
    ("damage", "where"),
    [
        (_fault, "train.csv:32"),
        (lambda folder: (folder / "train.csv").write_text("note,class\n"), "train.csv"),
        (lambda folder: (folder / "dev.csv").write_bytes(b"note,class\n\xff,yes\n"), "dev.csv:2"),
        (lambda folder: (folder / "dev.csv").unlink(), "dev.csv"),
        (lambda folder: ((folder / "dev.csv").unlink(), (folder / "dev.csv").mkdir()), "dev.csv"),
        (lambda folder: ((folder / "test.csv").unlink(), (folder / "test.csv").write_text("")), "test.csv"),
        (lambda folder: (folder / "test.csv").unlink(), "test.csv"),
    ],
)
def test_faults_are_told_each_time_and_leave_nothing(
    folder: Path, cache: Path, damage: Callable[[Path], object], where: str
) -> None:
    source = own(folder, **ASKED["with a dev file"])
    assert inspect(source, cache=cache).problems == ()
    before = list(cache.rglob("*"))
    damage(folder)
    expected = inspect(source)
    assert expected.problems[0].where.endswith(where)
    for _ in range(2):
        assert inspect(source, cache=cache) == expected
    assert list(cache.rglob("*")) == before


def test_a_finding_is_of_the_content_not_of_the_place(folder: Path, cache: Path) -> None:
    inspect(own(folder, **ASKED["folds"]), cache=cache)
    moved = folder.rename(folder.with_name("elsewhere"))
    os.utime(moved / "train.csv", (0, 0))
    with unread():
        found = inspect(own(moved, **ASKED["folds"]), cache=cache)
    assert_same(found, inspect(own(moved, **ASKED["folds"])))


def test_other_content_is_looked_at(folder: Path, cache: Path) -> None:
    source = own(folder, **ASKED["with a dev file"])
    first = inspect(source, cache=cache)
    for split in ("train", "dev"):
        file, status = folder / f"{split}.csv", (folder / f"{split}.csv").stat()
        file.write_text(file.read_text().replace("note 2", "Note 2"))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # of the same size and date
        found = inspect(source, cache=cache)
        assert found.digest != first.digest
        assert_same(found, inspect(source))


CHEMPROT = TASKS["chemprot"]


@pytest.mark.parametrize(
    "change",
    [
        {"labels": (*CHEMPROT.labels, "CPR:10")},
        {"label_aliases": {"CPR:3": "CPR:4"}},
        {"fields": ("other",)},
        {"label_field": "other"},
        {"id_field": None},
        {"data_set": DataSet(published={"train": 7})},
        {"data_set": DataSet(examples={"train": 7})},
        {"kind": TASKS["hoc"].kind},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_task_finds_for_itself(tmp_path: Path, cache: Path, change: dict[str, Any]) -> None:
    rows = [
        {"id": str(n), "sentence": f"one {n}", "other": f"two {n}", "label": label} for n, label in enumerate(CHEMPROT.labels)
    ]
    (tmp_path / "ChemProt").mkdir()
    for split in ("train", "dev"):
        (tmp_path / "ChemProt" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "ChemProt" / "test.jsonl").touch()
    (tmp_path / "ChemProt" / "test.jsonl").write_text("nobody reads this")
    source = find_source(CHEMPROT, str(tmp_path))
    assert inspect(source, cache=cache).problems == ()
    other = replace(source, task=replace(CHEMPROT, **change))
    assert_same(inspect(other, cache=cache), inspect(other))


def test_whoever_asks_otherwise_gets_what_he_asks_for(folder: Path, cache: Path) -> None:
    (folder / "again.tsv").write_bytes((folder / "train.csv").read_bytes())
    for _ in range(2):
        for asked in (*ASKED.values(), {"kind": "classification", "label": "class", "train": "again.tsv"}):
            assert_same(inspect(own(folder, **asked), cache=cache), inspect(own(folder, **asked)))


def test_other_code_judges_for_itself(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = own(folder, **ASKED["folds"])
    inspect(source, cache=cache)
    monkeypatch.setattr(inspection_cache, "_code", lambda: "of a later version")
    with unread(), pytest.raises(AssertionError, match="rows were read"):
        inspect(source, cache=cache)


@pytest.mark.parametrize("name", ["finding.json", "manifest.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"task": 3}'])
def test_a_damaged_entry_is_made_anew(folder: Path, cache: Path, name: str, content: bytes | None) -> None:
    source = own(folder, **ASKED["folds"])
    expected = inspect(source)
    inspect(source, cache=cache)
    (file,) = cache.rglob(name)
    file.unlink() if content is None else file.write_bytes(content)
    assert_same(inspect(source, cache=cache), expected)
    with unread():
        found = inspect(source, cache=cache)
    assert_same(found, expected)


def test_a_cache_that_cannot_be_written_is_no_more_than_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    source = own(folder, **ASKED["folds"])
    for _ in range(2):
        assert_same(inspect(source, cache=tmp_path / "file" / "cache"), inspect(source))


def test_examples_that_have_changed_since_are_not_handed_out(folder: Path, cache: Path) -> None:
    source, file = own(folder, **ASKED["folds"]), folder / "train.csv"
    inspect(source, cache=cache)
    asked_for, of_a_faulty_file = (load_data(source, cache=cache).train for _ in range(2))
    file.write_text(file.read_text().replace("note 2", "Note 2"))
    with pytest.raises(BlurbTuneError, match="the data have changed since they were inspected"):
        asked_for[0]
    _fault(folder)
    with pytest.raises(InputError):
        of_a_faulty_file[0]


def test_what_lies_in_no_file_leaves_nothing(cache: Path) -> None:
    source = find_source(TASKS["demo"])
    assert inspect(source, cache=cache) == inspect(source)
    assert not cache.exists()
