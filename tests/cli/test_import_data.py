"""`import-data` as a user meets it: exit codes, what is printed, what lies there afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from blurb_tune.core.errors import ExitCode

ROOT = Path(__file__).parent.parent.parent


def call(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "blurb_tune.cli", "import-data", *arguments]
    environment = os.environ | {"COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for split in ("train", "dev", "test"):
        rows = [{"sentence1": f"{split} {i}", "sentence2": "B", "label": i / 2} for i in range(4)]
        (folder / f"{split}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_data_set_becomes_a_folder_that_a_sweep_reads(corpus: Path) -> None:
    home = corpus.parent
    done = call("corpus", "--task", "BIOSSES", "--to", "blurb", folder=home)
    assert done.returncode == ExitCode.DONE, done.stderr
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
    command = [sys.executable, "-m", "blurb_tune.cli", "validate", "s.yaml"]
    checked = subprocess.run(command, cwd=home, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert checked.returncode == ExitCode.DONE, checked.stderr
    assert "4 train and 4 dev examples" in checked.stdout


def test_bad_input_is_told_and_nothing_is_overwritten(corpus: Path) -> None:
    home = corpus.parent
    assert call("corpus", "--to", "blurb", folder=home).returncode == ExitCode.BAD_INPUT
    for task, expected in (("bioses", "--task: unknown task 'bioses'; did you mean 'biosses'?"), ("demo", "data built in")):
        done = call("corpus", "--task", task, "--to", "blurb", folder=home)
        assert done.returncode == ExitCode.BAD_INPUT
        assert expected in done.stderr
    assert call("corpus", "--task", "biosses", "--to", "blurb", folder=home).returncode == ExitCode.DONE
    again = call("corpus", "--task", "biosses", "--to", "blurb", folder=home)
    assert (again.returncode, again.stdout) == (ExitCode.BAD_INPUT, "")
    assert "blurb/BIOSSES: this is there already; --force replaces it" in again.stderr
    assert call("corpus", "--task", "biosses", "--to", "blurb", "--force", folder=home).returncode == ExitCode.DONE


@pytest.mark.parametrize("target", ["corpus/train.json", "corpus/train.json/blurb", "/proc/blurb"])
def test_a_target_that_cannot_be_written_is_bad_input(corpus: Path, target: str) -> None:
    done = call("corpus", "--task", "biosses", "--to", target, folder=corpus.parent)
    assert done.returncode == ExitCode.BAD_INPUT
    assert f"{target}: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("was_there", [False, True])
def test_nothing_is_left_of_an_import_that_failed(corpus: Path, was_there: bool) -> None:
    (corpus / "test.json").write_text('{"sentence1": "A", "sentence2": "B", "label": "high"}\n')
    target = corpus.parent / "new" / "blurb"
    if was_there:
        target.parent.mkdir()
    done = call("corpus", "--task", "biosses", "--to", "new/blurb", folder=corpus.parent)
    assert done.returncode == ExitCode.BAD_INPUT
    assert "nothing was done" in done.stderr
    assert not target.exists()
    assert target.parent.exists() is was_there


def test_help_has_an_example(tmp_path: Path) -> None:
    done = call("--help", folder=tmp_path)
    assert done.returncode == ExitCode.DONE
    assert "blurb-tune import-data LinkBERT/data --to blurb" in done.stdout
