"""The lists of what a spec can name."""

from __future__ import annotations

from pathlib import Path

import pytest

from blurb_tune.cli.listings import print_tasks
from blurb_tune.tasks.blurb.definitions import BLURB
from blurb_tune.tasks.sources.data_source import DATA_VARIABLE


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))


def test_every_task_is_listed_with_type_score_sizes_and_description(capsys: pytest.CaptureFixture[str]) -> None:
    print_tasks()
    lines = capsys.readouterr().out.splitlines()
    for task in BLURB:
        row, description = (line for line in lines if line.startswith(f"{task.name} "))
        sizes = "/".join(map(str, task.data_set.published.values()))
        assert row.split()[1:4] == [task.data_set.blurb_type, task.metric, sizes]
        assert description.split(maxsplit=1)[1].strip()[:40] in task.description


def test_it_says_where_the_data_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("biosses", "ebmnlp_reduced"):
        (tmp_path / name).mkdir()
    for split in ("train", "dev", "test"):
        (tmp_path / "biosses" / f"{split}.jsonl").write_text("{}\n")
    print_tasks()
    out = capsys.readouterr().out
    rows = {line.split()[0]: " ".join(line.split()[4:]) for line in reversed(out.splitlines()) if line.strip()}
    assert rows["biosses"] == "biosses/"
    assert rows["ebm-pico"].startswith("ebmnlp_reduced/")
    assert rows["gad"] == "the hub"
    assert rows["hoc"] == "no HoC/"
    assert rows["demo"] == "built in"
    assert f"$BLURB_DATA_DIR ({tmp_path})" in out
