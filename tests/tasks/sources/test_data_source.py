"""Finding a task's data, whether or not they are there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.examples import NamedProblem
from blurb_tune.tasks.sources.data_source import DATA_VARIABLE, find_source
from blurb_tune.tasks.sources.splits import BuiltInSplits, FileSplits, HubSplits, NoSplits
from blurb_tune.tasks.task import Task
from tests.conftest import require

ROOT = Path(__file__).parent.parent.parent
BIOSSES, PUBMEDQA, PICO, DEMO = (TASKS[name] for name in ("biosses", "pubmedqa", "ebm-pico", "demo"))


@pytest.fixture(autouse=True)
def _no_data_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)


def _folder(task: Task, data: Path | str | None, base: Path = Path()) -> Path | None:
    """Where the files are looked for, or would be."""
    match find_source(task, str(data) if data else None, base).splits:
        case FileSplits(files):
            assert set(files) == {"train", "dev", "test"}
            return files["train"].parent
        case NoSplits(problem) | HubSplits(local_error=Problem() as problem):
            return Path(problem.where)
    return None


@pytest.mark.parametrize("name", ["PubMedQA", "pubmed_qa", "PUBMED-QA", "pubmed qa"])
def test_a_folder_is_found_in_any_spelling_and_exactly_first(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert _folder(PUBMEDQA, tmp_path) == tmp_path / name
    (tmp_path / "pubmedqa").mkdir()
    assert _folder(PUBMEDQA, tmp_path) == tmp_path / "pubmedqa"


def test_a_folder_is_found_by_an_alias(tmp_path: Path) -> None:
    (tmp_path / "ebmnlp_reduced").mkdir()
    (tmp_path / "ebmnlp.txt").touch()
    assert _folder(PICO, tmp_path) == tmp_path / "ebmnlp_reduced"


def test_data_may_be_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").touch()
    assert _folder(BIOSSES, tmp_path) == tmp_path


def test_the_spec_goes_before_the_variable_and_is_relative_to_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "variable"))
    assert _folder(BIOSSES, None, tmp_path) == tmp_path / "variable" / "BIOSSES"
    assert _folder(BIOSSES, "spec", tmp_path) == tmp_path / "spec" / "BIOSSES"
    assert _folder(BIOSSES, tmp_path / "here", Path("elsewhere")) == tmp_path / "here" / "BIOSSES"


NO_FOLDER = "no data folder is given; set `data:` in the spec or BLURB_DATA_DIR to the folder that holds"


@pytest.mark.parametrize("value", [None, ""])
def test_without_data_and_variable_there_are_none(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is not None:
        monkeypatch.setenv(DATA_VARIABLE, value)
    source = find_source(PICO)
    assert not source.has_test
    assert source.describe() == "nowhere"
    with pytest.raises(InputError) as caught:
        source.splits.problems()
    assert str(caught.value) == f"task 'ebm-pico': {NO_FOLDER} EBM-PICO/ (there is no copy on the hub)"


def test_the_hub_is_the_third_place_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"sentence1": "text_1", "sentence2": "text_2"}
    source = find_source(BIOSSES)
    assert source.splits == HubSplits(
        "bigbio/biosses/biosses_bigbio_pairs",
        "data",
        needs_dev=True,
        columns=columns,
        local_error=Problem("task 'biosses'", f"{NO_FOLDER} BIOSSES/"),
    )
    assert source.task.id_field is None
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    splits = find_source(BIOSSES).splits
    assert isinstance(splits, HubSplits)
    assert splits.local_error is not None
    assert splits.local_error.where == str(tmp_path / "BIOSSES")
    (tmp_path / "biosses").mkdir()
    assert isinstance(find_source(BIOSSES).splits, FileSplits)
    assert isinstance(find_source(BIOSSES, str(tmp_path / "other")).splits, NoSplits), "what the spec names is not replaced"


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _folder(BIOSSES, "~/blurb", Path("spec")) == tmp_path / "blurb" / "BIOSSES"
    assert _folder(BIOSSES, "~no-such-user/blurb") == Path("~no-such-user/blurb/BIOSSES")


def test_a_missing_folder_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_source(BIOSSES, str(tmp_path / "nowhere")).splits.problems()
    (problem,) = caught.value.problems
    assert isinstance(problem, NamedProblem)
    assert (problem.key, problem.where) == ("data", str(tmp_path / "nowhere" / "BIOSSES"))
    assert "`data:` in the spec or BLURB_DATA_DIR" in problem.what


def test_linkbert_s_layout_is_not_read_silently(tmp_path: Path) -> None:
    (tmp_path / "seqcls" / "BIOSSES_hf").mkdir(parents=True)
    with pytest.raises(InputError, match=f"`blurb-tune import-data {tmp_path} --to FOLDER`"):
        find_source(BIOSSES, str(tmp_path)).splits.problems()


def test_the_hub_is_named_with_its_scheme_and_not_asked() -> None:
    splits = find_source(BIOSSES, "hf://owner/name/config").splits
    assert splits == HubSplits("owner/name/config", "data", needs_dev=True)
    assert splits.describe() == "hf://owner/name/config"


def test_the_demo_has_its_data_in_itself(tmp_path: Path) -> None:
    source = find_source(DEMO, str(tmp_path))
    assert isinstance(source.splits, BuiltInSplits)
    assert source.describe() == "built in"
    assert source.has_test


def test_files_say_where_they_lie(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.jsonl").write_text("{}\n")
    source = find_source(BIOSSES, str(tmp_path))
    assert source.describe() == str(tmp_path)
    assert source.splits.location("dev") == str(tmp_path / "dev.jsonl")
    assert source.splits.problems() == []


def test_what_keeps_test_from_being_read_is_told_without_opening_it(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.jsonl").write_text("{}\n")
    test = tmp_path / "test.jsonl"
    source = find_source(BIOSSES, str(tmp_path))

    def faults() -> list[str]:
        return [str(problem).removeprefix(f"{test}: ") for problem in source.splits.problems()]

    assert faults() == ["no such file"]
    assert not source.has_test
    test.mkdir()
    assert faults() == ["expected a file, but this is a folder"]
    test.rmdir()
    test.touch()
    assert faults() == ["the file is empty"]
    test.unlink()
    os.mkfifo(test)  # to open it would block
    assert faults() == []
    assert source.has_test


def _as_nobody(check: str, *arguments: Path) -> str:
    """What Python code prints as a user without root's rights on files."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [*drop, sys.executable, "-c", check, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("locked", ["BIOSSES", "BIOSSES/test.jsonl", "."])
def test_what_may_not_be_read_is_a_problem(tmp_path: Path, locked: str) -> None:
    require(os.geteuid() != 0 or shutil.which("setpriv") is not None, "setpriv, with which root puts off its rights")
    folder = tmp_path / "blurb" / "BIOSSES"
    folder.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        (folder / f"{split}.jsonl").write_text("{}\n")
    place = tmp_path / "blurb" / locked
    place.chmod(0)
    check = (
        "import sys\nfrom blurb_tune.tasks.blurb.definitions import TASKS\n"
        "from blurb_tune.tasks.checking.task_data import inspect\n"
        "from blurb_tune.tasks.sources.data_source import find_source\n"
        "source = find_source(TASKS['biosses'], sys.argv[1])\n"
        "print(*inspect(source).problems, sep='\\n')"
    )
    try:
        printed = _as_nobody(check, tmp_path / "blurb")
    finally:
        place.chmod(0o700)
    assert f"{'BIOSSES/test.jsonl' if locked != '.' else 'blurb'}: " in printed
    assert "cannot be read: Permission denied" in printed
