from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from blurb_tune.core.errors import InputError
from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.curve_files import read_curves, write_curves
from tests.log.test_record import started, suggested, trial

RECORDED = Path(__file__).parent.parent.parent / "benchmarks" / "curves"
HEADER = "configuration,seed,evaluation,step,train_loss,dev_loss,dev_score"
ROWS = ["a,0,1,10,1.0,1.0,0.5", "a,0,2,20,0.9,0.9,0.6", "b,0,1,10,1.0,1.0,0.1", "b,0,2,20,1.0,1.0,nan"]
ABOUT: dict[str, Any] = {"metric": "pearson", "trivial_score": 0.0, "trivial_loss": 1.0, "reference": "a"}


def write(folder: Path, rows: list[str] = ROWS, header: str = HEADER, about: Any = ABOUT) -> Path:
    file = folder / "c.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    file.with_suffix(".json").write_text(about if isinstance(about, str) else json.dumps(about))
    return file


def problems(file: Path) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_curves(file)
    return [str(problem).replace(str(file.parent) + "/", "") for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ("[" * 100_000, "this is no JSON: maximum recursion depth"),
        (ABOUT | {"reference": {"a": 1}}, "reference {'a': 1} is no configuration of the table"),
        (ABOUT | {"trivial_loss": 10**400}, "trivial_loss: expected a number, but got 1000"),
        (ABOUT | {"noise_bound": 10**400}, "noise_bound: expected a number from trivial_score on"),
        (ABOUT | {"noise_bound": True}, "noise_bound: expected a number from trivial_score on, but got True"),
        (
            ABOUT | {"noise_bound": "x", "trivial_score": None},
            "noise_bound: expected a number from trivial_score on, but got 'x'",
        ),
        (ABOUT | {"metric": ["pearson"]}, "metric: expected text, but got ['pearson']"),
    ],
)
def test_what_the_numbers_cannot_be_is_told(tmp_path: Path, about: Any, expected: str) -> None:
    assert any(problem.startswith("c.json: ") and expected in problem for problem in problems(write(tmp_path, about=about)))


def test_a_name_that_a_terminal_would_obey_is_written_out(tmp_path: Path) -> None:
    rows = [row.replace("a,", "\x1b[2J,", 1) for row in ROWS]
    curves = read_curves(write(tmp_path, rows, about=ABOUT | {"reference": "\x1b[2J", "metric": "\x07"}))
    assert (set(curves.runs), curves.reference, curves.metric) == ({r"\x1b[2J", "b"}, r"\x1b[2J", r"\x07")


def test_curves_are_read_with_how_each_run_ended(tmp_path: Path) -> None:
    curves = read_curves(write(tmp_path))
    assert (curves.name, curves.metric, curves.reference, curves.seeds) == ("c", "pearson", "a", (0,))
    assert [m.step for m in curves.runs["a"][0]] == [10, 20]
    assert curves.end_of("a", 0, "final") == (Outcome.COMPLETED, 0.6)
    assert curves.end_of("b", 0, "final") == (Outcome.COLLAPSED, 0.0), "an undefined score counts as the trivial one"
    assert curves.end_of("b", 0, "best") == (Outcome.COMPLETED, 0.1)
    assert curves.configurations["a"].strategy.is_vanilla
    assert not curves.configurations["b"].strategy.is_vanilla


def test_within_the_noise_a_run_has_failed_unless_its_train_loss_has_left_the_trivial_level(tmp_path: Path) -> None:
    rows = ["a,0,1,10,0.99,1.0,0.3", "b,0,1,10,0.9,1.0,0.3"]
    curves = read_curves(write(tmp_path, rows, about=ABOUT | {"noise_bound": 0.4}))
    assert [curves.end_of(name, 0, "final")[0] for name in "ab"] == [Outcome.COLLAPSED, Outcome.COMPLETED]


@pytest.mark.parametrize("key", ["noise_bound", "reference", "models", "model", "task"])
def test_null_is_as_if_the_key_were_not_there(tmp_path: Path, key: str) -> None:
    about = {name: value for name, value in ABOUT.items() if name != key}
    without, null = (read_curves(write(tmp_path, about=given)) for given in (about, about | {key: None}))
    assert repr(vars(null)) == repr(vars(without))
    assert null.level.noise_bound == 0.0


def test_a_run_whose_loss_is_not_finite_has_diverged(tmp_path: Path) -> None:
    curves = read_curves(write(tmp_path, [*ROWS[:2], "b,0,1,10,inf,1.0,0.9"]))
    assert curves.end_of("b", 0, "best") == (Outcome.DIVERGED, 0.0)


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    file = write(tmp_path)
    table = tmp_path / "c.parquet"
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(file), table)
    runs, again = read_curves(file).runs, read_curves(table).runs
    assert repr(again) == repr(runs)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"header": HEADER.replace("dev_score", "dev_scores")},
            ["c.csv:1: lacks the column 'dev_score' (did you mean 'dev_scores'?)"],
        ),
        ({"rows": []}, ["c.csv: holds no evaluation"]),
        ({"rows": ["a,x,1,10,1.0,1.0,0.5"]}, ["c.csv:2: seed: expected a number, but got 'x'"]),
        ({"rows": ["a,0,1,,1.0,1.0,0.5"]}, ["c.csv:2: step: expected a number, but the cell is empty"]),
        ({"rows": ["a,0.5,0,10,1.0,1.0,0.5"]}, [
            "c.csv:2: seed: expected a whole number from 0 on, but got '0.5'",
            "c.csv:2: evaluation: expected a whole number from 1 on, but got '0'",
        ]),
        ({"rows": ["a,0,1,10,1,1,1", "a,0,1,20,1,1,1"]}, ["c.csv:3: 'a', seed 0: expected evaluation 2, but got 1"]),
        (
            {"rows": ["a,0,1,10,1,1,1", "a,0,2,10,1,1,1"]},
            ["c.csv:3: 'a', seed 0: step 10 is not above 10 of the evaluation before"],
        ),
        ({"rows": ["a,0,1,10,1,1,1", "b,1,1,10,1,1,1"]}, ["c.csv: no seed is common to all configurations"]),
        ({"rows": ["a,0,1,10,1,1"]}, ["c.csv:2: expected 7 cells, as in the header, but got 6"]),
        ({"rows": [",0,1,10,1,1,1"]}, ["c.csv:2: configuration: expected a name"]),
        (
            {"header": HEADER + ",freeze_depth", "rows": ["a,0,1,10,1,1,1,2", "a,0,2,20,1,1,1,3"]},
            ["c.csv:3: freeze_depth is 3 here and 2 in earlier rows of 'a'"],
        ),
        ({"about": "{"}, ["c.json: this is no JSON"]),
        ({"about": []}, ["c.json: expected an object with metric, trivial_score, trivial_loss, reference"]),
        ({"about": {"metrics": "f1", "trivial_score": "x", "trivial_loss": 1}}, [
            "c.json: lacks 'metric' (did you mean 'metrics'?)", "c.json: trivial_score: expected a number, but got 'x'",
        ]),
        ({"about": ABOUT | {"reference": "A1"}}, ["c.json: reference 'A1' is no configuration of the table"]),
        ({"about": ABOUT | {"noise_bound": -1}}, ["c.json: noise_bound: expected a number from trivial_score on"]),
    ],
)  # fmt: skip
def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path, change: dict[str, Any], expected: list[str]) -> None:
    found = problems(write(tmp_path, **change))
    assert len(found) == len(expected)
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True)), found


def test_missing_files_and_other_endings_are_told(tmp_path: Path) -> None:
    assert problems(tmp_path / "c.txt") == ["c.txt: expected a file that ends in .csv or .parquet"]
    assert [text.split(":")[0] for text in problems(tmp_path / "none.csv")] == ["none.json", "none.csv"]


def sweep(*outcomes: Outcome) -> list[ev.Event]:
    header = ev.SweepStarted(**{**vars(started()), "trivial_loss": 1.5, "noise_bound": 0.2})
    events: list[ev.Event] = [header, suggested("c000"), suggested("c001", freeze_depth=2, learning_rate=3e-5)]
    for name, outcome in zip(("c000", "c001"), outcomes, strict=True):
        events += [event for seed in (0, 1) for event in trial(name, seed, [0.1 + seed, math.nan, 0.3], outcome)]
    return events


def test_what_a_sweep_measured_is_what_is_read_again(tmp_path: Path) -> None:
    record = SweepRecord.of(sweep(Outcome.COMPLETED, Outcome.COLLAPSED))
    write_curves(record, tmp_path / "s.csv")
    curves = read_curves(tmp_path / "s.csv")
    assert (curves.reference, curves.seeds, curves.level.noise_bound) == ("vanilla", (0, 1), 0.2)
    assert curves.configurations["freeze 2"] == record.configurations["c001"].configuration
    for cid, name in (("c000", "vanilla"), ("c001", "freeze 2")):
        for t in record.trials_of(cid):
            read = curves.runs[name][t.seed]
            wanted = [
                (m.step, m.dev_score, m.train_loss, m.prediction_spread, m.train_seconds + m.eval_seconds)
                for m in t.measurements
            ]
            assert repr([(m.step, m.dev_score, m.train_loss, m.prediction_spread, m.train_seconds) for m in read]) == repr(
                wanted
            )


def test_runs_that_were_stopped_are_no_curves(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="c001-s0 was pruned_unstable"):
        write_curves(SweepRecord.of(sweep(Outcome.COMPLETED, Outcome.PRUNED_UNSTABLE)), tmp_path / "s.csv")
    assert list(tmp_path.iterdir()) == []


def test_runs_that_were_stopped_early_are_no_curves(tmp_path: Path) -> None:
    events = sweep(Outcome.COMPLETED, Outcome.COMPLETED)
    events[-1] = replace(events[-1], stopped_early=True)
    with pytest.raises(InputError, match="c001-s1 was stopped early"):
        write_curves(SweepRecord.of(events), tmp_path / "s.csv")


@pytest.mark.parametrize(("name", "shape"), [("biosses-minilm", (9, 10, 20)), ("ddi-minilm", (6, 10, 19))])
def test_the_recorded_curves_are_whole(name: str, shape: tuple[int, int, int]) -> None:
    curves = read_curves(RECORDED / f"{name}.csv")
    assert (len(curves.runs), len(curves.seeds), {len(r) for runs in curves.runs.values() for r in runs.values()}) == (
        *shape[:2],
        {shape[2]},
    )
    with (RECORDED / f"{name}.csv").open() as file:
        assert {len(row) for row in csv.reader(file)} == {23}
