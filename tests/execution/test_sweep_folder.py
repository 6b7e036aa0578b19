from __future__ import annotations

import getpass
import stat
from pathlib import Path

import pytest
import yaml

from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution.sweep_folder import owner, write_spec
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.spec import load_spec


def plan_of(folder: Path, uri: str | None) -> Plan:
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump({"task": "demo", "model": "tiny", "tracking": {"uri": uri}}))
    return make_plan(load_spec(file), check_machine=False)


@pytest.mark.parametrize(
    ("uri", "mode"),
    [("http://me:secret@127.0.0.1:5000", 0o600), ("http://127.0.0.1:5000", 0o644), (None, 0o644)],
)
def test_a_spec_with_a_password_is_at_no_moment_for_other_eyes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str | None, mode: int
) -> None:
    """It is written beside its place, so that this is seen before it is given a mode, and before it comes there."""
    seen: list[int] = []

    def noting(name: str) -> None:
        original = getattr(Path, name)

        def call(path: Path, *arguments: object) -> object:
            seen.extend(stat.S_IMODE(file.stat().st_mode) for file in paths.root.iterdir())
            result = original(path, *arguments)
            seen.extend(stat.S_IMODE(file.stat().st_mode) for file in paths.root.iterdir())
            return result

        monkeypatch.setattr(Path, name, call)

    paths = SweepPaths(tmp_path / "out")
    paths.root.mkdir()
    plan = plan_of(tmp_path, uri)
    for name in ("chmod", "replace"):
        noting(name)
    write_spec(plan, paths)
    monkeypatch.undo()
    assert len(seen) >= 4
    assert set(seen) <= {0o600, mode}
    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in paths.root.iterdir()] == [("spec.yaml", mode)]
    assert yaml.safe_load(paths.spec.read_text())["tracking"]["uri"] == uri


def test_a_spec_that_is_given_a_password_is_closed(tmp_path: Path) -> None:
    """As where a sweep is taken up again with another server."""
    paths = SweepPaths(tmp_path)
    for uri, mode in ((None, 0o644), ("http://me:secret@127.0.0.1:5000", 0o600), (None, 0o644)):
        write_spec(plan_of(tmp_path, uri), paths)
        assert stat.S_IMODE(paths.spec.stat().st_mode) == mode


def test_the_owner_is_whoever_submitted_else_whoever_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLURB_TUNE_OWNER", "alice")
    assert owner() == "alice"
    monkeypatch.delenv("BLURB_TUNE_OWNER")
    assert owner() == getpass.getuser()

    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert owner() == ""
