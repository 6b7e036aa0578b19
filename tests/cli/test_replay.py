"""`replay` and `record` as a user calls them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blurb_tune.cli.app import app
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.curve_files import read_curves
from blurb_tune.spec import load_spec

CURVES = Path(__file__).parent.parent.parent / "benchmarks" / "curves"
SPEC = """
task: demo
model: tiny
seeds: 2
space:
  strategy: [vanilla, {freeze_depth: 1, reinit_count: 2}]
  epochs: 3
  learning_rate: 0.001
search: {sampler: grid}
pruning: {pruner: median, instability: {exploding_gradient: 1.0e-9}}
"""


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_json_has_an_object_per_shuffle() -> None:
    code, output = call(
        "replay", CURVES / "biosses-minilm.csv", CURVES / "ddi-minilm.csv", "--shuffles", 3, "--set", "seeds=5", "--json"
    )
    assert code == 0
    replays = json.loads(output)["replays"]
    assert [replay["curves"] for replay in replays] == ["biosses-minilm"] * 3 + ["ddi-minilm"] * 3
    for replay in replays:
        assert replay["winner"] in replay["order"]
        assert 1 <= replay["rank"] <= len(replay["order"])
        assert replay["regret"] >= 0
        assert 0 < replay["evaluations_used"] <= replay["evaluations_all"]
        assert set(replay["stopped"]) == {"runs", "configurations"}
        assert {"trivial_level", "non_finite_loss"} <= set(replay["stopped"]["runs"])
        assert {"race", "failures"} <= set(replay["stopped"]["configurations"])
        for rule in (*replay["stopped"]["runs"].values(), *replay["stopped"]["configurations"].values()):
            assert 0 <= rule["wrongly"] <= rule["stopped"]


def test_for_people_there_is_a_table_and_a_verdict() -> None:
    code, output = call("replay", CURVES / "ddi-minilm.csv")
    assert code == 0
    assert "Winner: reinit 2, as with nothing stopped; rank 1" in output
    assert "race after" in output
    code, output = call("replay", CURVES / "ddi-minilm.csv", "--shuffles", 4)
    assert code == 0
    assert "in 4/4 replays" in output


def test_a_spec_decides_and_names_are_shown_as_they_are(tmp_path: Path) -> None:
    for kind in ("csv", "json"):
        shutil.copy(CURVES / f"ddi-minilm.{kind}", tmp_path / f"ddi [red].{kind}")
    code, output = call(
        "replay", tmp_path / "ddi [red].csv", "--set", "pruning.race=none", "--set", "pruning.instability=false"
    )
    assert code == 0
    assert output.startswith("ddi [red]: ")
    assert "Evaluations: 1,140 of 1,140 (100%)" in output


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("configuration,seed\n")
    code, output = call("replay", tmp_path / "a.csv", tmp_path / "b.csv")
    assert code == 2
    flat = "".join(output.split())
    assert all(f"{tmp_path}/{name}" in flat for name in ("a.json", "a.csv", "b.json", "b.csv"))
    code, output = call("replay", CURVES / "ddi-minilm.csv", "--set", "pruning.race.alfa=0.1")
    assert code == 2
    assert "pruning.race.alfa" in output


def test_what_has_no_curves_of_whole_runs_is_refused_before_it_runs(tmp_path: Path) -> None:
    spec = tmp_path / "small.yaml"
    spec.write_text(SPEC + "score: best\ntraining: {early_stopping_patience: 2}\n")
    code, output = call("record", spec, "--to", tmp_path / "curves")
    assert (code, "training.early_stopping_patience: curves are of whole runs" in output) == (2, True), output
    table = tmp_path / "own.csv"
    table.write_text("text,label\n" + "".join(f"note {number},{number % 2}\n" for number in range(40)))
    spec.write_text(SPEC.replace("demo", "{kind: classification, train: own.csv, text: text, label: label, folds: 4}"))
    code, output = call("record", spec, "--to", tmp_path / "curves")
    assert (code, "task.folds: a cross-validation has no curves by seed" in output) == (2, True), output
    assert not (tmp_path / "curves").exists()


def test_curves_do_not_replace_what_the_task_reads(tmp_path: Path) -> None:
    spec, table = tmp_path / "small.yaml", tmp_path / "small.csv"
    table.write_text("text,label\n" + "".join(f"note {number},{number % 2}\n" for number in range(40)))
    spec.write_text(SPEC.replace("demo", "{kind: classification, train: small.csv, text: text, label: label, folds: 4}"))
    before = table.read_bytes()
    code, output = call("record", spec, "--to", tmp_path)
    assert (code, f"{table}:thetaskreadsthisfile" in "".join(output.split())) == (2, True), output
    assert table.read_bytes() == before


@pytest.mark.ray
def test_a_sweep_is_recorded_unstopped_and_replayed(tmp_path: Path) -> None:
    spec = tmp_path / "small.yaml"
    spec.write_text(SPEC)
    code, output = call("record", spec, "--to", tmp_path / "curves", "--quiet")
    assert code == 0, output
    table = tmp_path / "curves" / "small.csv"
    curves = read_curves(table)
    assert (set(curves.runs), curves.seeds, curves.reference) == ({"vanilla", "freeze 1 + reinit 2"}, (0, 1), "vanilla")
    assert {len(run) for runs in curves.runs.values() for run in runs.values()} == {3}, "nothing is stopped"
    before = table.read_bytes()
    assert call("record", spec, "--to", tmp_path / "curves", "--quiet")[0] == 0
    assert table.read_bytes() == before, "a finished sweep is not run again"
    code, output = call("replay", table)
    assert code == 0
    assert "Winner: " in output


def test_a_replay_is_kept_as_a_sweep_s_folder(tmp_path: Path) -> None:
    """With simulated times and slots, so that whatever reads a sweep reads it."""
    curves, kept = CURVES / "biosses-minilm.csv", tmp_path / "kept"
    assert call("replay", curves, "--slots", 3, "--to", kept)[0] == 0
    paths = SweepPaths(kept / "biosses-minilm")
    record = SweepRecord.read(paths.events)
    assert record.status == "finished"
    assert record.header.task == "biosses"
    assert len({trial.worker for trial in record.trials.values()}) == 3
    spans = [trial.ended - trial.started for trial in record.trials.values() if trial.ended]
    assert sum(spans) == pytest.approx(3 * record.wall_seconds, rel=0.1), "three slots at work all the time"
    assert paths.summary.is_file()
    assert load_spec(paths.spec, is_kept=True).valid().task == "biosses"
    code, output = call("replay", curves, "--to", kept)
    assert (code, "is there already" in output) == (2, True)
