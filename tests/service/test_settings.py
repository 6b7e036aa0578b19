from __future__ import annotations

from pathlib import Path

import pytest

from blurb_tune.cli.drive import growth_of
from blurb_tune.core.errors import InputError
from blurb_tune.service.changes import changes
from blurb_tune.service.kept_sweeps import Request
from blurb_tune.service.settings import Settings, settings


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAY_ADDRESS", "BLURB_TUNE_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BLURB_TUNE_CONFIG", str(tmp_path / "config.yaml"))
    return tmp_path / "config.yaml"


def test_options_come_before_the_environment_and_that_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings() == Settings(None, None)
    file.write_text("address: http://file:8265\nstorage: s3://file/x\n")
    assert settings() == Settings("http://file:8265", "s3://file/x")
    monkeypatch.setenv("RAY_ADDRESS", "http://environment:8265")
    monkeypatch.setenv("BLURB_TUNE_STORAGE", "/environment")
    assert settings() == Settings("http://environment:8265", "/environment")
    assert settings("https://option", "/option") == Settings("https://option", "/option")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adress: x", "unknown setting 'adress'; did you mean 'address'"),
        ("address: 5", "address: expected text, but got 5"),
        ("[1", "cannot be read as YAML"),
        ("- 1", "expected settings, such as"),
        ("address: head:8265", "expected the job server, such as http://HEAD:8265"),
        ("storage: s3://key:secret@x", "come from the environment"),
        ("storage: ftp://x", "expected a folder"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(InputError) as error:
        settings()
    assert message in str(error.value)


def test_what_may_change_while_a_sweep_runs() -> None:
    given = ["seeds=20", "budget.wall_time=8h", "resources.concurrency=4", "priority=2.5"]
    assert changes(given) == {"seeds": 20, "budget.wall_time": "8h", "resources.concurrency": 4, "priority": 2.5}
    growth = growth_of(Request("change", "ada", changes(["budget.settled=true", "budget.trials=null", "budget.wall_time=8h"])))
    assert growth.budget == ["settled=true", "trials=null", 'wall_time="8h"'], "as `extend --budget` reads them"
    with pytest.raises(InputError, match=r"budget.trials=0: Input should be greater than or equal to 1"):
        changes(["budget.trials=0"])
    with pytest.raises(InputError) as error:
        changes(["sed=20", "seeds=0", "confirm=x", "priority=200", "seeds"])
    found = [str(problem) for problem in error.value.problems]
    assert len(found) == 5
    assert "--set sed=20: this cannot be changed in a sweep that is under way; did you mean 'seeds'?" in found[0]
    with pytest.raises(InputError, match="say what changes"):
        changes([])
