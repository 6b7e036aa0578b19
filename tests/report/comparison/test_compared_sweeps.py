"""Folders that hold sweeps to compare, and those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.report.comparison import read_sweeps
from tests.report.comparison.examples import VANILLA, in_folder, numbered, written

ONE = {"c0": (VANILLA, numbered(0.5, 0.6))}


def test_labels_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    first, second = (in_folder(written(name, ONE), tmp_path / "x" / f"{name}-1") for name in ("a", "b"))
    assert [sweep.label for sweep in read_sweeps([first, second])] == ["a", "b"]
    third = in_folder(written("a", ONE, sweep_id="other"), tmp_path / "x" / "a-2")
    assert [sweep.label for sweep in read_sweeps([first, third])] == ["a-1", "a-2"]
    fourth = in_folder(written("a", ONE, sweep_id="another"), tmp_path / "y" / "a-1")
    assert [sweep.label for sweep in read_sweeps([first, fourth])] == [str(first), str(fourth)]


def test_everything_that_is_no_sweep_is_named_at_once(tmp_path: Path) -> None:
    good = in_folder(written("a", ONE), tmp_path / "runs" / "a")
    copy = in_folder(written("a", ONE), tmp_path / "runs" / "copy")
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "events.jsonl").touch()
    bad = [tmp_path / "nowhere", tmp_path / "file", tmp_path / "empty", tmp_path / "runs", fresh, copy]
    with pytest.raises(InputError) as raised:
        read_sweeps([good, *bad])
    assert [problem.where for problem in raised.value.problems] == [str(folder) for folder in bad]
    whats = [problem.what for problem in raised.value.problems]
    assert whats[0].startswith("there is no such folder")
    assert whats[1] == "expected a sweep's folder, but this is a file"
    assert whats[2] == "this is no sweep's folder; expected one with events.jsonl"
    assert whats[3].endswith("It holds sweeps itself: a, copy")
    assert whats[4].startswith("the event log of this sweep is empty")
    assert whats[5] == f"holds the same sweep as {good} (a-id); name it once"


def test_one_sweep_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two sweeps or more"):
        read_sweeps([in_folder(written("a", ONE), tmp_path / "a")])


def test_a_damaged_log_is_no_bad_input(tmp_path: Path) -> None:
    good, bad = (in_folder(written(name, ONE), tmp_path / name) for name in ("a", "b"))
    log = bad / "events.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([*lines[:3], lines[3].replace("0.5", "0.9"), *lines[4:]]))
    with pytest.raises(BlurbTuneError, match=r"b/events\.jsonl:4: .*checksum") as raised:
        read_sweeps([good, bad])
    assert not isinstance(raised.value, InputError)
    with pytest.raises(InputError) as both:
        read_sweeps([good, bad, tmp_path / "nowhere"])
    assert len(both.value.problems) == 2


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    first, second = (in_folder(written(name, ONE), tmp_path / name) for name in ("a", "b"))
    with (second / "events.jsonl").open("a") as log:
        log.write('{"kind": "trial_st')
    assert [len(sweep.record.trials) for sweep in read_sweeps([first, second])] == [2, 2]
