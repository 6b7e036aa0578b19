"""`import blurb_tune as bt`: what it opens, checks and runs, and what it does not import."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import blurb_tune as bt
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Outcome
from blurb_tune.execution.sweep_folder import write_spec
from tests.report.comparison.examples import FREEZE, VANILLA, in_folder, numbered, written
from tests.report.sweeps import small_sweep

ROOT = Path(__file__).parent.parent.parent
HEAVY = {"torch", "ray", "mlflow", "transformers", "optuna", "datasets", "pandas", "matplotlib", "IPython", "rich", "typer"}
SPEC = {"task": "demo", "model": "tiny", "seeds": 2, "space": {"epochs": 1, "strategy": ["vanilla", {"freeze_depth": 2}]}}


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scores = {"c0": (VANILLA, numbered(0.1, 0.2, 0.3, 0.2, 0.1)), "c1": (FREEZE, numbered(0.8, 0.9, 0.7, 0.8, 0.9))}
    writer = written("mine", scores, finished=False)
    writer.select("c1", "c0")
    for name in ("c0", "c1"):
        for seed in range(5):
            writer.test(f"{name}-s{seed}", 0.5, (0.2, 0.7))
    writer.finish()
    return in_folder(writer, tmp_path / "mine")


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    assert python("import sys, blurb_tune; print([m for m in sys.modules if m.startswith('blurb_tune.')])") == "[]"


def test_nothing_heavy_is_imported_to_read_a_sweep(folder: Path) -> None:
    code = (
        f"import sys, blurb_tune as bt; s = bt.open({str(folder)!r}); s.claims, s.trials, s.answer, s.summary()\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    assert python(code) == "[]"


def test_a_sweep_says_what_it_found(folder: Path) -> None:
    sweep = bt.open(folder)
    assert (sweep.name, sweep.id, sweep.task, sweep.metric, sweep.status) == (
        "mine",
        "mine-id",
        "biosses",
        "pearson",
        "finished",
    )
    assert repr(sweep) == "<Sweep mine: biosses, finished, 2 configurations>"
    winner, vanilla = sweep.winner, sweep.vanilla["minilm"]
    assert winner is not None
    assert (winner.id, winner.strategy, winner.values["freeze_depth"]) == ("c1", "freeze 2", 2)
    assert winner.mean == pytest.approx(0.82)
    assert winner.scores == numbered(0.8, 0.9, 0.7, 0.8, 0.9)
    assert sweep.best == winner
    assert vanilla.id == "c0"
    (claim,) = sweep.claims
    assert claim.comparison.difference == pytest.approx(0.64)
    assert claim.comparison.is_significant
    assert [result.configuration for result in sweep.test] == ["c1", "c0"]
    assert sweep.confirmation is None
    assert "better than vanilla" in sweep.answer.recipe
    assert json.loads(sweep.report("json"))["answer"]["sentences"][0] == sweep.answer.recipe
    assert sweep.summary()["best_configuration"]["configuration"] == "c1"


def test_every_outcome_is_a_plain_object() -> None:
    record_folder = small_sweep()
    rows = {trial.id: trial for trial in bt.Sweep(Path("x"), record_folder.record).trials}
    assert rows["c0-s2"].outcome is Outcome.COLLAPSED
    assert rows["c0-s2"].is_failed
    assert rows["c0-s2"].score == -0.2
    assert rows["c1-s2"].outcome is Outcome.PRUNED_UNDERPERFORMING
    assert math.isnan(rows["c1-s2"].score)
    assert (rows["c1-s1"].attempt, rows["c1-s1"].is_control) == (2, True)
    assert [measurement.dev_score for measurement in rows["c1-s1"].measurements] == [0.2, 0.6, 0.8, 0.9]
    assert rows["c2-s3"].outcome is None
    assert rows["c2-s1"].error.endswith('ValueError: a, "b"\n')


def test_an_unknown_configuration_is_told_with_the_nearest(folder: Path) -> None:
    assert bt.open(folder).configuration("c1").id == "c1"
    with pytest.raises(KeyError, match="did you mean 'c1'"):
        bt.open(folder).configuration("c11")


def test_a_running_sweep_is_read_again(tmp_path: Path) -> None:
    writer = written("mine", {"c0": (VANILLA, numbered(0.1))}, seeds=(0, 1), finished=False)
    sweep = bt.open(in_folder(writer, tmp_path / "mine"))
    assert (sweep.status, sweep.winner, len(sweep.trials)) == ("running", None, 1)
    writer.trial("c0", 1, [0.4])
    writer.finish()
    in_folder(writer, tmp_path / "again")
    (tmp_path / "again" / "events.jsonl").replace(sweep.folder / "events.jsonl")
    assert len(sweep.refresh().trials) == 2
    assert len(sweep.trials) == 1


def test_mistakes_are_errors_of_this_package(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(bt.InputError, match=r"no sweep's folder"):
        bt.open(tmp_path)
    (tmp_path / "events.jsonl").touch()
    with pytest.raises(bt.InputError, match="nothing has run yet"):
        bt.open(tmp_path)
    with pytest.raises(bt.InputError, match="did you mean 'latex'"):
        bt.open(folder).report("latx")
    with pytest.raises(bt.InputError) as raised:
        bt.validate({"task": "demo", "modle": "tiny", "seeds": 0}, "space.epochs=x")
    assert isinstance(raised.value, bt.BlurbTuneError)
    assert {problem.where for problem in raised.value.problems} == {"model", "modle", "seeds", "space.epochs=x"}
    assert "did you mean 'model'" in str(raised.value)
    with pytest.raises(bt.InputError, match="did you mean 'seeds'"):
        bt.open(folder).plot("seedz")
    with pytest.raises(bt.InputError, match="nothing to show in the figure 'importances'"):
        bt.open(folder).plot("importances")


def test_a_sweep_runs_in_the_main_thread_alone(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool, pytest.raises(bt.BlurbTuneError, match="main thread"):
        pool.submit(bt.run, SPEC, output=tmp_path / "run").result()
    assert not (tmp_path / "run").exists()


def test_what_cannot_grow_is_told_without_running_anything(tmp_path: Path) -> None:
    plan = bt.validate(SPEC)
    writer = written("mine", {"c0": (VANILLA, numbered(0.1, 0.2))}, spec_digest=plan.digest)
    paths = SweepPaths(in_folder(writer, tmp_path / "run"))
    write_spec(plan, paths)
    before = paths.events.read_bytes()
    with pytest.raises(bt.InputError) as raised:
        bt.open(paths.root).extend(seeds=1, budget={"trial": 9}, quiet=True)
    assert [problem.where for problem in raised.value.problems] == ["seeds", "budget trial=9"]
    assert "this one has 2, but got 1" in str(raised.value)
    assert paths.events.read_bytes() == before


def test_a_spec_is_a_file_or_a_mapping(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(json.dumps(SPEC))
    plans = [bt.validate(SPEC, "seeds=3"), bt.validate(file, "seeds=3"), bt.validate(str(file), "seeds=3")]
    assert {(plan.trials, plan.digest) for plan in plans} == {(6, plans[0].digest)}


def test_paths_of_a_mapping_are_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.csv").write_text("note,urgent\n" + "".join(f"note {i},{'yes' if i % 3 else 'no'}\n" for i in range(30)))
    monkeypatch.chdir(tmp_path)
    task = {"train": "notes.csv", "text": "note", "label": "urgent", "kind": "classification"}
    assert bt.validate({"task": task, "model": "tiny"}).train_examples


def test_sweeps_are_compared(folder: Path, tmp_path: Path) -> None:
    other = in_folder(written("other", {"c0": (VANILLA, numbered(0.5))}, task="ddi"), tmp_path / "other")
    comparison = bt.compare([folder, str(other)])
    assert isinstance(comparison, bt.Comparison)
    assert [row.label for row in comparison.claims] == ["freeze 2"]
    frame = comparison.dataframe()
    assert list(csv.DictReader(io.StringIO(comparison.report("csv"))))[1]["strategy"] == frame["strategy"][1] == "freeze 2"
    assert frame.loc[1, "difference"] == comparison.claims[0].comparison.difference  # type: ignore[union-attr]
    assert "freeze 2 on biosses" in comparison.answer.sentences[0]
    assert comparison.plot().get_size_inches()[0] > comparison.plot("heat").get_size_inches()[1]
    with pytest.raises(bt.InputError, match="name: unknown figure 'forset'; did you mean 'forest'"):
        comparison.plot("forset")
    with pytest.raises(bt.InputError, match="kind: unknown format 'htm'; did you mean 'html'"):
        comparison.report("htm")
    nothing = bt.compare([str(other), in_folder(written("third", {"c0": (VANILLA, numbered(0.5))}), tmp_path / "third")])
    with pytest.raises(bt.InputError, match="these sweeps have nothing to show in the figure 'heat'"):
        nothing.plot("heat")
