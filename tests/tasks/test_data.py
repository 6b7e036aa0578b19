"""Finding a task's folder, checking it, loading from it; the test split stays closed."""

import hashlib
import json
from pathlib import Path

import pytest

from blurb_tune.errors import InputError
from blurb_tune.tasks.data import DATA_VARIABLE, check_data, data_folder, fingerprint, load_data, load_split
from blurb_tune.tasks.task import TASKS

BIOSSES, PUBMEDQA, DEMO = TASKS["biosses"], TASKS["pubmedqa"], TASKS["demo"]
UNREADABLE = b"\xff\xfe garbage {"


def _line(name: str, label: object = 1.0) -> str:
    return json.dumps({"id": name, "sentence1": "One.", "sentence2": "Two.", "label": label}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound data set, but for its test split, which nothing can read."""
    path = tmp_path / "BIOSSES"
    path.mkdir()
    (path / "train.jsonl").write_text(_line("a") + _line("b", 4))
    (path / "dev.jsonl").write_text(_line("a", 2.2))
    (path / "test.jsonl").write_bytes(UNREADABLE)
    return path


@pytest.fixture(autouse=True)
def _no_data_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)


def test_the_folder_is_found_below_data_in_any_case_and_exactly_first(tmp_path: Path) -> None:
    (tmp_path / "PubMedQA").mkdir()
    assert data_folder(PUBMEDQA, tmp_path) == tmp_path / "PubMedQA"
    (tmp_path / "pubmedqa").mkdir()
    assert data_folder(PUBMEDQA, tmp_path) == tmp_path / "pubmedqa"


def test_data_may_be_the_folder_itself(folder: Path) -> None:
    assert data_folder(BIOSSES, folder) == folder


def test_the_spec_goes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "variable"))
    assert data_folder(BIOSSES, None) == tmp_path / "variable" / "BIOSSES"
    assert data_folder(BIOSSES, tmp_path / "spec") == tmp_path / "spec" / "BIOSSES"


@pytest.mark.parametrize("value", [None, ""])
def test_without_data_and_variable_there_is_no_folder(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is not None:
        monkeypatch.setenv(DATA_VARIABLE, value)
    assert data_folder(BIOSSES, None) is None
    (problem,) = check_data(BIOSSES, None)
    assert str(problem) == (
        "task 'biosses': no data folder is given; set `data:` in the spec or BLURB_DATA_DIR to the folder that holds BIOSSES/"
    )


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder(BIOSSES, Path("~/blurb")) == tmp_path / "blurb" / "BIOSSES"
    assert data_folder(BIOSSES, Path("~no-such-user/blurb")) == Path("~no-such-user/blurb/BIOSSES")


def test_a_missing_folder_is_one_problem_that_says_what_to_set(tmp_path: Path) -> None:
    (problem,) = check_data(BIOSSES, data_folder(BIOSSES, tmp_path / "nowhere"))
    assert problem.where == str(tmp_path / "nowhere" / "BIOSSES")
    assert "`data:` in the spec or BLURB_DATA_DIR" in problem.what


def test_all_missing_files_are_named_together(tmp_path: Path) -> None:
    assert [str(p) for p in check_data(BIOSSES, tmp_path)] == [
        f"{tmp_path}/{split}.jsonl: no such file" for split in ("train", "dev", "test")
    ]


def test_problems_of_both_splits_come_together(folder: Path) -> None:
    (folder / "train.jsonl").write_text(_line("a", 9) + "\n" + _line("c"))
    (folder / "dev.jsonl").write_text("")
    (folder / "test.jsonl").unlink()
    assert [p.where for p in check_data(BIOSSES, folder)] == [
        f"{folder}/train.jsonl:1",
        f"{folder}/train.jsonl:2",
        f"{folder}/dev.jsonl",
        f"{folder}/test.jsonl",
    ]
    with pytest.raises(InputError) as caught:
        load_data(BIOSSES, folder)
    assert list(caught.value.problems) == check_data(BIOSSES, folder)[:3]


def test_a_folder_in_the_place_of_a_file_is_a_problem(folder: Path) -> None:
    (folder / "dev.jsonl").unlink()
    (folder / "dev.jsonl").mkdir()
    assert [str(p) for p in check_data(BIOSSES, folder)] == [f"{folder}/dev.jsonl: cannot be read: Is a directory"]


def test_the_test_split_is_opened_on_request_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or read_bytes(path))
    assert check_data(BIOSSES, folder) == []
    before = fingerprint(BIOSSES, folder)
    data = load_data(BIOSSES, folder)
    assert [e.id for e in data.train] == ["a", "b"]
    assert list(data.dev) == load_split(BIOSSES, folder, "dev")
    assert set(opened) == {"train.jsonl", "dev.jsonl"}
    (folder / "test.jsonl").write_bytes(b"other")
    assert fingerprint(BIOSSES, folder) == before
    with pytest.raises(InputError, match=r"test\.jsonl:1: expected a JSON object"):
        load_split(BIOSSES, folder, "test")


@pytest.mark.parametrize("split", ["train", "dev"])
def test_the_fingerprint_follows_both_splits(folder: Path, split: str) -> None:
    before = fingerprint(BIOSSES, folder)
    assert before == fingerprint(BIOSSES, folder)
    file = folder / f"{split}.jsonl"
    file.write_text(file.read_text().replace("One.", "One!"))
    assert fingerprint(BIOSSES, folder) != before


def test_the_fingerprint_tells_where_a_line_belongs(folder: Path) -> None:
    train, dev = _line("a") + _line("b"), _line("c")
    fingerprints = set()
    for first, second in ((train, dev), (dev, train), (_line("a"), _line("b") + dev)):
        (folder / "train.jsonl").write_text(first)
        (folder / "dev.jsonl").write_text(second)
        fingerprints.add(fingerprint(BIOSSES, folder))
    assert len(fingerprints) == 3


def test_what_cannot_be_read_has_no_fingerprint(folder: Path) -> None:
    (folder / "dev.jsonl").unlink()
    with pytest.raises(InputError, match=r"dev\.jsonl: no such file"):
        fingerprint(BIOSSES, folder)
    with pytest.raises(InputError, match="no data folder is given"):
        fingerprint(BIOSSES, None)


def test_the_demo_needs_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert data_folder(DEMO, tmp_path) is None
    assert check_data(DEMO, None) == []
    data = load_data(DEMO, None)
    counts = {"train": len(data.train), "dev": len(data.dev), "test": len(load_split(DEMO, None, "test"))}
    assert counts == dict(DEMO.counts)
    assert len(bytes.fromhex(fingerprint(DEMO, None))) == hashlib.sha256().digest_size


@pytest.mark.parametrize("task", [BIOSSES, PUBMEDQA], ids=lambda task: task.name)
def test_real_data_is_sound_and_complete(task, blurb_data: Path) -> None:
    folder = data_folder(task, blurb_data)
    assert check_data(task, folder) == []
    for split in ("train", "dev", "test"):
        examples = load_split(task, folder, split)
        assert len(examples) == task.counts[split]
        assert len({(e.text_a, e.text_b) for e in examples}) == len(examples)
