from __future__ import annotations

import getpass
import json
import shutil
import stat
from pathlib import Path

import pytest
import yaml

from blurb_tune.core.errors import InputError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution.sweep_folder import check_folder, default_folder, first_event, owner, tell_earlier, write_spec
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog, find_events
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.service.package import package
from blurb_tune.spec import load_spec
from tests.log.test_record import suggested
from tests.sweep.simulation import FACTS

NAME = "models/of/mine"  # which is no hub id


def write_model(folder: Path) -> None:
    """What a plan looks at of a model."""
    folder.mkdir(parents=True)
    shape = {"num_hidden_layers": 3, "hidden_size": 8, "max_position_embeddings": 128}
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **shape}))


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


def test_paths_of_a_spec_begin_at_its_folder_wherever_it_is_read_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of its models too, by whose names the log knows them, and of the spec that the sweep keeps."""
    home, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    write_model(home / NAME)
    elsewhere.mkdir()
    spec = {"model": [NAME, "tiny"], "storage": "kept", "tracking": {"uri": "sqlite:///m.db"}, "task": "demo"}
    (home / "s.yaml").write_text(yaml.safe_dump(spec))
    monkeypatch.chdir(elsewhere)
    plan = make_plan(load_spec(home / "s.yaml"), check_machine=False)
    paths = SweepPaths(default_folder(plan))
    assert paths.root.parent == home / "kept"
    paths.root.mkdir(parents=True)
    write_spec(plan, paths)
    kept = make_plan(load_spec(paths.spec, is_kept=True), check_machine=False)
    assert kept.digest == plan.digest
    assert kept.models == plan.models
    assert plan.models[NAME].path == home / NAME
    assert kept.spec.tracking.uri == f"sqlite:///{home}/m.db"
    with package(plan) as folder:
        sent = make_plan(load_spec(folder / "spec.yaml"), check_machine=False)
    assert list(sent.models) == [str(home / NAME), "tiny"]
    monkeypatch.chdir(home)
    loaded = load_spec(spec | {"base": str(elsewhere)})
    with pytest.raises(InputError, match=f"{home}/{NAME} is one, but paths begin at the spec's folder"):
        make_plan(loaded, check_machine=False)


def test_the_owner_is_whoever_submitted_else_whoever_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLURB_TUNE_OWNER", "alice")
    assert owner() == "alice"
    monkeypatch.delenv("BLURB_TUNE_OWNER")
    assert owner() == getpass.getuser()

    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert owner() == ""


def warm_plan(folder: Path) -> Plan:
    """To resume, by a spec that begins with what the folder `old` beside it holds."""
    loaded = load_spec({"task": "demo", "model": "tiny", "search": {"warm_start": ["old"]}, "base": str(folder)})
    return make_plan(loaded, check_machine=False, purpose="resume")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An earlier sweep, which has begun."""
    paths = SweepPaths(tmp_path / "old")
    paths.root.mkdir()
    plan = make_plan(load_spec({"task": "demo", "model": "tiny"}), check_machine=False)
    with EventLog(paths.events, paths.lock) as log:
        log.append(first_event(plan, FACTS, 1, "fp32", []))
    return paths.root


@pytest.mark.parametrize(
    ("known", "is_told"),
    [
        ([], True),
        ([ev.SweepResumed(slots=1)], True),
        ([ev.WarmStarted(configurations=[])], False),
        ([suggested("c000")], False),
    ],
)
def test_the_log_has_once_what_earlier_sweeps_tell_whenever_its_first_driver_was_lost(
    tmp_path: Path, old: Path, known: list[ev.Event], is_told: bool
) -> None:
    """And where it has them, they are not needed any more."""
    plan, paths = warm_plan(tmp_path), SweepPaths(tmp_path / "new")
    paths.root.mkdir()
    with EventLog(paths.events, paths.lock) as log:
        for event in [first_event(plan, FACTS, 1, "fp32", []), *known]:
            log.append(event)
        for _ in range(2):
            tell_earlier(plan, paths, log)
    assert len(find_events(paths.events, ev.WarmStarted)) == is_told + sum(isinstance(e, ev.WarmStarted) for e in known)
    shutil.rmtree(old)
    assert check_folder(warm_plan(tmp_path), paths) is not None


def test_without_an_earlier_sweep_nothing_begins(tmp_path: Path) -> None:
    plan, paths = warm_plan(tmp_path), SweepPaths(tmp_path / "new")
    with pytest.raises(InputError, match=r"search\.warm_start\[0\]: .*/old is no sweep's folder"):
        check_folder(plan, paths)
    paths.root.mkdir()
    with EventLog(paths.events, paths.lock) as log:
        log.append(first_event(plan, FACTS, 1, "fp32", []))
    with pytest.raises(InputError, match=r"search\.warm_start\[0\]: .*/old is no sweep's folder"):
        check_folder(plan, paths)
