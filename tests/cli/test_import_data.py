"""`import-data` as a user meets it: exit codes, what is printed, what lies there afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from blurb_tune.core.errors import ExitCode
from tests.cli.test_app import invoke


def call(*arguments: str) -> Result:
    return invoke("import-data", *arguments)


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the working folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "corpus"
    folder.mkdir()
    for split in ("train", "dev", "test"):
        rows = [{"sentence1": f"{split} {i}", "sentence2": "B", "label": i / 2} for i in range(4)]
        (folder / f"{split}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_data_set_becomes_a_folder_that_a_sweep_reads(corpus: Path) -> None:
    home = corpus.parent
    done = call("corpus", "--task", "BIOSSES", "--to", "blurb")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert "blurb/BIOSSES: biosses, 4/4/4 examples in train/dev/test" in done.stdout
    assert "note: biosses train: 4 examples, published 64" in done.stdout
    assert f"export BLURB_DATA_DIR={home}/blurb" in done.stdout
    assert sorted(path.name for path in (home / "blurb" / "BIOSSES").iterdir()) == [
        "dev.jsonl",
        "meta.json",
        "test.jsonl",
        "train.jsonl",
    ]
    (home / "s.yaml").write_text("task: biosses\nmodel: tiny\ndata: blurb\n")
    checked = invoke("validate", "s.yaml")
    assert checked.exit_code == ExitCode.DONE, checked.stderr
    assert "4 train and 4 dev examples" in checked.stdout


def test_bad_input_is_told_and_nothing_is_overwritten(corpus: Path) -> None:
    assert call("corpus", "--to", "blurb").exit_code == ExitCode.BAD_INPUT
    for task, expected in (("bioses", "--task: unknown task 'bioses'; did you mean 'biosses'?"), ("demo", "data built in")):
        done = call("corpus", "--task", task, "--to", "blurb")
        assert done.exit_code == ExitCode.BAD_INPUT
        assert expected in done.stderr
    assert call("corpus", "--task", "biosses", "--to", "blurb").exit_code == ExitCode.DONE
    again = call("corpus", "--task", "biosses", "--to", "blurb")
    assert (again.exit_code, again.stdout) == (ExitCode.BAD_INPUT, "")
    assert "blurb/BIOSSES: this is there already; --force replaces it" in again.stderr
    assert call("corpus", "--task", "biosses", "--to", "blurb", "--force").exit_code == ExitCode.DONE


@pytest.mark.parametrize("target", ["corpus/train.json", "corpus/train.json/blurb", "/proc/blurb"])
def test_a_target_that_cannot_be_written_is_bad_input(corpus: Path, target: str) -> None:
    done = call("corpus", "--task", "biosses", "--to", target)
    assert done.exit_code == ExitCode.BAD_INPUT
    assert f"{target}: " in done.stderr


@pytest.mark.parametrize("was_there", [False, True])
def test_nothing_is_left_of_an_import_that_failed(corpus: Path, was_there: bool) -> None:
    (corpus / "test.json").write_text('{"sentence1": "A", "sentence2": "B", "label": "high"}\n')
    target = corpus.parent / "new" / "blurb"
    if was_there:
        target.parent.mkdir()
    done = call("corpus", "--task", "biosses", "--to", "new/blurb")
    assert done.exit_code == ExitCode.BAD_INPUT
    assert "nothing was done" in done.stderr
    assert not target.exists()
    assert target.parent.exists() is was_there


def test_help_has_an_example() -> None:
    done = call("--help")
    assert done.exit_code == ExitCode.DONE
    assert "blurb-tune import-data LinkBERT/data --to blurb" in done.stdout
