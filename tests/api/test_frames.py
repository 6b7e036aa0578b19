"""A sweep's tables as data frames: the cells of the CSV files with types, and every measurement."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import blurb_tune as bt
from blurb_tune.log import events as ev
from blurb_tune.report.result_files import configurations_csv, trials_csv
from tests.report.sweeps import SweepWriter, model_sweep, small_sweep


def sweep_of(writer: SweepWriter) -> bt.Sweep:
    return bt.Sweep(Path("x"), writer.record)


def cell(value: Any) -> str:
    """As CSV has it."""
    if pd.isna(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, float) else str(value)


@pytest.mark.parametrize("writer", [small_sweep(), model_sweep(), SweepWriter()], ids=["every outcome", "two models", "begun"])
def test_frames_have_the_cells_of_the_csv_files(writer: SweepWriter) -> None:
    sweep = sweep_of(writer)
    frames = {trials_csv: sweep.trials_dataframe(), configurations_csv: sweep.configurations_dataframe()}
    for text_of, frame in frames.items():
        text = text_of(writer.record)
        assert list(frame) == text.splitlines()[0].split(",")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [{name: cell(row[name]) for name in frame} for _, row in frame.astype(object).iterrows()] == rows


def test_columns_have_the_types_that_they_are_computed_with() -> None:
    frame = sweep_of(small_sweep()).trials_dataframe()
    assert {name: frame[name].dtype.kind for name in ("seed", "dev_score", "control", "planned_epochs", "adam_epsilon")} == {
        **{"seed": "i", "dev_score": "f", "control": "b", "planned_epochs": "i", "adam_epsilon": "f"}
    }
    assert str(frame["fold"].dtype) == "Int64"
    assert set(frame["outcome"].dropna()) <= {str(outcome) for outcome in bt.Outcome}
    assert frame[frame["outcome"] == "completed"].groupby("configuration")["dev_score"].mean()["c1"] == pytest.approx(0.7)


def test_every_measurement_of_the_latest_attempt_is_a_row() -> None:
    writer = small_sweep()
    frame = sweep_of(writer).measurements_dataframe()
    assert frame[frame["trial_id"] == "c1-s1"]["dev_score"].tolist() == [0.2, 0.6, 0.8, 0.9]
    assert len(frame) == sum(len(trial.measurements) for trial in writer.record.trials.values())
    assert frame["step"].dtype.kind == "i"


def test_further_metrics_are_columns_of_the_trials_that_have_them() -> None:
    writer = SweepWriter()
    name = writer.configuration("c0")
    writer.measure(writer.start(name, 0), 1, 0.5)
    trial = writer.start(name, 1)
    writer.measure(trial, 1, 0.25)
    measured = writer.events.pop()
    assert isinstance(measured, ev.Measured)
    extra = {"pearson": 0.25, "spearman": 0.75}
    writer.events.append(replace(measured, measurement=replace(measured.measurement, extra=extra)))
    frame = sweep_of(writer).measurements_dataframe()
    assert frame["dev_spearman"].isna().tolist() == [True, False]
    assert frame["dev_spearman"][1] == 0.75
    assert "dev_pearson" not in frame
