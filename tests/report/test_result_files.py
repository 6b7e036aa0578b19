"""The csv files and summary.json: right numbers, exact digits, strict formats, never half a file."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.result_files import (
    CONFIGURATION_COLUMNS,
    TRIAL_COLUMNS,
    configurations_csv,
    error_line,
    trials_csv,
    write_all,
)
from tests.report.sweeps import SweepWriter, model_sweep, small_sweep, sweeps

PROMISED_TRIAL_COLUMNS = (
    "trial_id configuration seed outcome prune_reason metric dev_score best_epoch epochs steps train_seconds"
)
PROMISED_CONFIGURATION_COLUMNS = "n completed failed pruned mean std min max objective"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read(path: Path) -> list[dict[str, str]]:
    return rows(path.read_bytes().decode("utf-8"))


def refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is not strict JSON")


def read_strictly(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture
def paths(tmp_path: Path) -> SweepPaths:
    return SweepPaths(tmp_path)


def test_trials_have_the_promised_columns_first_and_no_column_twice() -> None:
    promised = PROMISED_TRIAL_COLUMNS.split()
    assert list(TRIAL_COLUMNS[: len(promised)]) == promised
    assert len(set(TRIAL_COLUMNS)) == len(TRIAL_COLUMNS)
    assert set(HYPERPARAMETER_NAMES) - {"epochs"} | {"planned_epochs"} <= set(TRIAL_COLUMNS)


def test_configurations_have_the_promised_columns() -> None:
    assert {*PROMISED_CONFIGURATION_COLUMNS.split(), *HYPERPARAMETER_NAMES} <= set(CONFIGURATION_COLUMNS)
    assert len(set(CONFIGURATION_COLUMNS)) == len(CONFIGURATION_COLUMNS)


def test_a_row_per_trial() -> None:
    trials = {row["trial_id"]: row for row in rows(trials_csv(small_sweep().record))}
    assert list(trials) == [f"c{c}-s{s}" for c in range(3) for s in range(4)]
    assert {name: row["outcome"] for name, row in trials.items()} == {
        **{"c0-s0": "completed", "c0-s1": "completed", "c0-s2": "collapsed", "c0-s3": "pruned_unstable"},
        **{"c1-s0": "completed", "c1-s1": "completed", "c1-s2": "pruned_underperforming", "c1-s3": "diverged"},
        **{"c2-s0": "completed", "c2-s1": "errored", "c2-s2": "collapsed", "c2-s3": ""},
    }
    assert {name for name, row in trials.items() if row["control"] == "true"} == {"c1-s1", "c2-s2"}
    assert {name: row["attempt"] for name, row in trials.items() if row["attempt"] != "1"} == {"c1-s1": "2"}


def test_a_trials_cells() -> None:
    trials = {row["trial_id"]: row for row in rows(trials_csv(small_sweep().record))}
    expected = {
        **{"trial_id": "c0-s0", "configuration": "c0", "seed": "0", "outcome": "completed", "prune_reason": ""},
        **{"metric": "pearson", "dev_score": "0.1", "best_epoch": "2.0", "epochs": "4.0", "steps": "40"},
        **{"train_seconds": "10.0", "model": "minilm", "freeze_depth": "0", "decay_rate": "1.0", "reinit_count": "0"},
        **{"learning_rate": "5e-05", "batch_size": "16", "planned_epochs": "4", "warmup_share": "0.1"},
        **{"weight_decay": "0.01", "bias_correction": "true", "max_grad_norm": "1.0", "best_dev_score": "0.2"},
        **{"fold": "", "attempt": "1", "control": "false", "confirmation": "false", "setup_seconds": "9.0", "error": ""},
        "stopped_early": "false",
    }
    assert trials["c0-s0"].items() >= expected.items()
    assert trials["c0-s0"].keys() - expected.keys() <= set(HYPERPARAMETER_NAMES), "axes that came later"
    pruned = trials["c0-s3"]
    assert (pruned["prune_reason"], pruned["epochs"], pruned["planned_epochs"]) == ("stuck says so", "2.0", "4")
    assert (trials["c1-s3"]["dev_score"], trials["c1-s3"]["prune_reason"]) == ("", "")
    assert trials["c2-s1"]["error"] == 'ValueError: a, "b"'
    assert (trials["c2-s3"]["setup_seconds"], trials["c2-s3"]["epochs"]) == ("", "1.0")
    assert (trials["c2-s0"]["max_grad_norm"], trials["c2-s0"]["bias_correction"]) == ("", "false")


@pytest.mark.parametrize(("rule", "expected"), [("final", "0.4"), ("best", "0.6")])
def test_the_dev_score_follows_the_score_rule(rule: str, expected: str) -> None:
    trial = next(row for row in rows(trials_csv(small_sweep(score=rule).record)) if row["trial_id"] == "c2-s0")
    assert (trial["dev_score"], trial["best_dev_score"], trial["best_epoch"]) == (expected, "0.6", "1.0")


def test_a_row_per_configuration() -> None:
    found = rows(configurations_csv(small_sweep().record))
    counts = ("configuration", "strategy", "n", "completed", "failed", "pruned", "underperforming", "errored", "state")
    assert [tuple(row[name] for name in counts) for row in found] == [
        ("c0", "vanilla", "4", "2", "2", "1", "0", "0", "COMPLETE"),
        ("c1", "freeze 2 + reinit 1", "3", "2", "1", "1", "1", "0", "COMPLETE"),
        ("c2", "decay 0.8", "2", "1", "1", "0", "0", "1", ""),
    ]
    # By hand: c0 has 0.1, 0.3, -0.2, 0 (unstable counts as trivial); c1 0.5, 0.9, 0 (diverged); c2 0.4, 0 (undefined).
    means = [0.2 / 4, 1.4 / 3, 0.4 / 2]
    stds = [math.sqrt(0.13 / 3), math.sqrt((1.06 - 1.4**2 / 3) / 2), math.sqrt(0.08)]
    for row, mean, std in zip(found, means, stds, strict=True):
        assert float(row["mean"]) == pytest.approx(mean)
        assert float(row["std"]) == pytest.approx(std)
        assert float(row["objective"]) == pytest.approx(mean - std)
    assert [(row["min"], row["max"]) for row in found] == [("-0.2", "0.3"), ("0.0", "0.9"), ("0.0", "0.4")]
    assert [row["epochs"] for row in found] == ["4", "4", "2"]


def test_several_models_are_told_apart() -> None:
    record = model_sweep().record
    assert [(row["model"], row["strategy"]) for row in rows(configurations_csv(record))] == [
        *(("base", "base: vanilla"), ("large", "large: vanilla")),
        *(("base", "base: freeze 4"), ("large", "large: freeze 4")),
    ]
    assert [row["model"] for row in rows(trials_csv(record))] == ["base", "base", "large", "large"] * 2


def test_the_model_is_the_first_hyperparameter() -> None:
    assert TRIAL_COLUMNS[TRIAL_COLUMNS.index("train_seconds") + 1] == "model"
    assert CONFIGURATION_COLUMNS[CONFIGURATION_COLUMNS.index("vs_vanilla_of_same_settings") + 1] == "model"


def test_a_configuration_without_results_has_empty_cells() -> None:
    sweep = SweepWriter()
    sweep.configuration("c0")
    (row,) = rows(configurations_csv(sweep.record))
    assert (row["n"], row["mean"], row["std"], row["objective"], row["state"]) == ("0", "", "", "", "")


def test_a_sweep_that_has_only_begun_gives_headers_alone(paths: SweepPaths) -> None:
    write_all(SweepWriter().record, paths)
    assert paths.trials.read_text() == ",".join(TRIAL_COLUMNS) + "\n"
    assert paths.configurations.read_text() == ",".join(CONFIGURATION_COLUMNS) + "\n"
    assert read_strictly(paths.summary)["best_configuration"] is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sweeps())
def test_whatever_a_driver_wrote_can_be_read_back_without_loss(paths: SweepPaths, sweep: SweepWriter) -> None:
    record = sweep.record
    write_all(record, paths)
    read_strictly(paths.summary)
    trials = read(paths.trials)
    assert [row["trial_id"] for row in trials] == list(record.trials)
    for row, trial in zip(trials, record.trials.values(), strict=True):
        is_cut = trial.outcome in (Outcome.PRUNED_UNSTABLE, Outcome.DIVERGED)
        chosen = trial.best if record.header.score == "best" and not is_cut else trial.last
        score = chosen.dev_score if chosen else math.nan
        assert row["dev_score"] == "" if math.isnan(score) else float(row["dev_score"]) == score
        values = record.configurations[trial.configuration_id].configuration.values()
        assert float(row["decay_rate"]) == values["decay_rate"]
        assert int(row["planned_epochs"]) == values["epochs"]
    for row, result in zip(read(paths.configurations), record.by_configuration(), strict=True):
        assert int(row["n"]) == int(row["completed"]) + int(row["failed"]) == result.n
        assert row["mean"] == "" if result.n == 0 else float(row["mean"]) == result.summary.mean


def test_a_reader_of_the_old_file_never_sees_the_new_one(paths: SweepPaths) -> None:
    write_all(SweepWriter().record, paths)
    for path in (paths.trials, paths.configurations, paths.summary):
        with path.open() as reader:
            before = path.read_text()
            write_all(small_sweep().record, paths)
            assert reader.read() == before != path.read_text()
        write_all(SweepWriter().record, paths)
    assert len(list(paths.root.iterdir())) == 3


def test_an_empty_log_is_refused_and_leaves_the_files_alone(paths: SweepPaths) -> None:
    write_all(small_sweep().record, paths)
    before = {path: path.read_bytes() for path in paths.root.iterdir()}
    with pytest.raises(LookupError, match="sweep_started"):
        write_all(SweepRecord(), paths)
    assert {path: path.read_bytes() for path in paths.root.iterdir()} == before


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("", ""),
        ("lost its node", "lost its node"),
        ("first\nsecond", "first"),
        ('Traceback (most recent call last):\n  File "a.py", line 1\n    f()\n    ^^^\nOSError: gone\n', "OSError: gone"),
        ("Traceback (most recent call last):\n  File\nRuntimeError: CUDA error\nCompile with X\n", "RuntimeError: CUDA error"),
        (
            "Traceback\n  File\nKeyError: 1\n\nDuring handling of this, another occurred:\n\nTraceback\n  File\nValueError: 2",
            "ValueError: 2",
        ),
        ("Traceback\n  File\nValueError: 2\n  with more", "with more"),
        ("The actor died.\n\tclass_name: TrialActor", "The actor died."),
    ],
)
def test_error_line(error: str, line: str) -> None:
    assert error_line(error) == line
