"""Logs that earlier versions wrote are read; `fixtures/README.md` says what each of them holds."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord

FOLDER = Path(__file__).parent / "fixtures"
# Outcomes that are called otherwise today.
RENAMED = {"pruned_dominated": "pruned_underperforming"}


@dataclass(frozen=True)
class Facts:
    """What a log holds. outcomes: of the final trials, as the file spells them. retried: attempts that errored and were
    followed by another. controls: trials that a pruner would have stopped. selected: the winner and its reference.
    """

    trials: int
    outcomes: dict[str, int]
    seeds: list[int]
    status: str = "finished"
    models: dict[str, int] = field(default_factory=lambda: {"tiny": 4})
    folds: int = 0
    max_failed_share: float = 0.0
    retried: int = 0
    controls: int = 0
    selected: tuple[str, str | None] | None = None
    tested: int = 0


LOGS = {
    "2026-11-20-first-format": Facts(8, {"completed": 4, "diverged": 4}, [0, 1]),
    "2026-11-20-first-format-simulated": Facts(
        8,
        {"completed": 4, "diverged": 1, "pruned_unstable": 1, "pruned_dominated": 2},
        [0, 1],
        models={"tiny": 6},
        retried=1,
        controls=1,
    ),
    "2026-11-20-worker-resumed": Facts(6, {"completed": 1, "collapsed": 2, "diverged": 3}, [1, 2, 6]),
    "2026-11-20-unstable-as-trivial": Facts(
        8, {"completed": 1, "collapsed": 1, "diverged": 4, "pruned_unstable": 2}, [0, 1], controls=2
    ),
    "2026-11-20-single-model": Facts(6, {"completed": 2, "collapsed": 2, "pruned_dominated": 2}, [0, 1], retried=1),
    "2026-11-24-two-models-tested": Facts(
        8, {"completed": 3, "collapsed": 5}, [4, 7], models={"tiny": 4, "minilm": 6}, selected=("c000", None), tested=2
    ),
    "2026-11-24-tries-used-up": Facts(
        4, {"completed": 1, "collapsed": 2, "errored": 1}, [0, 1], selected=("c000", None), tested=2
    ),
    "2026-11-24-folds-resumed": Facts(8, {"completed": 2, "collapsed": 6}, [0, 1], folds=2, selected=("c000", None), tested=4),
    "2026-11-24-precision-trained-again": Facts(
        8, {"completed": 5, "collapsed": 3}, [4, 7], retried=1, selected=("c001", None), tested=2
    ),
    "2026-11-24-all-diverged": Facts(6, {"diverged": 6}, [2, 7], max_failed_share=1.0, selected=("c000", None), tested=2),
    "2026-11-24-folds-killed": Facts(
        9,
        {"completed": 2, "pruned_unstable": 2, "pruned_dominated": 4},
        [0, 1],
        status="running",
        models={"tiny": 6},
        folds=2,
    ),
    "2026-11-25-max-failed-share": Facts(
        6, {"completed": 2, "collapsed": 4}, [0, 1], max_failed_share=0.5, controls=1, selected=("c002", "c000"), tested=4
    ),
}


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.jsonl"


def lines_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path_of(name).read_text(encoding="utf-8").splitlines()]


def name_today(outcome: str) -> str:
    renamed = RENAMED.get(outcome, outcome)
    return renamed if renamed in {str(known) for known in Outcome} else outcome


def test_every_log_of_the_folder_has_its_facts() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == LOGS.keys()


@pytest.mark.parametrize("name", LOGS)
def test_an_old_log_is_read(name: str) -> None:
    facts, record = LOGS[name], SweepRecord.read(path_of(name))
    assert record.header.seeds == facts.seeds
    assert record.header.models == facts.models
    assert record.header.folds == facts.folds
    assert record.header.max_failed_share == facts.max_failed_share
    assert record.status == facts.status
    assert len(record.trials) == facts.trials
    outcomes = {outcome: count for outcome, count in record.outcome_counts().items() if count}
    assert outcomes == {name_today(outcome): count for outcome, count in facts.outcomes.items()}
    assert sum(trial.errors for trial in record.trials.values()) == facts.retried
    assert sum(trial.is_control for trial in record.trials.values()) == facts.controls
    selection = record.selection
    assert (selection and (selection.configuration, selection.reference)) == facts.selected
    assert len(record.tests) == facts.tested


@pytest.mark.parametrize("name", LOGS)
def test_an_old_log_keeps_its_measurements_and_its_configurations(name: str) -> None:
    """Of each trial those of its last attempt."""
    record, lines = SweepRecord.read(path_of(name)), lines_of(name)
    steps: dict[str, list[int]] = {}
    for line in lines:
        if line["kind"] == "trial_started":
            steps[line["trial"]] = []
        elif line["kind"] == "measured":
            steps[line["trial"]].append(line["measurement"]["step"])
    assert {trial.trial_id: [m.step for m in trial.measurements] for trial in record.trials.values()} == steps
    suggested = [line for line in lines if line["kind"] == "configuration_suggested"]
    assert list(record.configurations) == [line["configuration"] for line in suggested]
    for line in suggested:
        values = record.configurations[line["configuration"]].configuration.values()
        assert {key: values[key] for key in line["values"]} == line["values"]


@pytest.mark.parametrize("name", LOGS)
def test_every_number_of_an_old_log_is_a_number(name: str) -> None:
    """Also one that is not finite, which the first format wrote as `"NaN"` or `"Infinity"`."""
    measurements = [m for trial in SweepRecord.read(path_of(name)).trials.values() for m in trial.measurements]
    numbers = [number for m in measurements for number in (m.dev_score, m.dev_loss, m.train_loss, *m.extra.values())]
    assert numbers
    assert all(isinstance(number, int | float) for number in numbers)
    diverged = [t for t in SweepRecord.read(path_of(name)).trials.values() if t.outcome is Outcome.DIVERGED]
    assert all(t.last is not None and math.isnan(t.last.dev_score) for t in diverged)


def test_the_logs_are_of_their_formats() -> None:
    """No newer version has written them again."""
    headers = {name: lines_of(name)[0].keys() for name in LOGS}
    for field_name, first in (("models", "2026-11-24"), ("folds", "2026-11-24"), ("notes", "2026-11-24")):
        assert {name for name in LOGS if field_name in headers[name]} == {name for name in LOGS if name >= first}
    assert {name for name in LOGS if "model" in headers[name]} == {name for name in LOGS if name < "2026-11-24"}
    late = {"2026-11-24-all-diverged", "2026-11-24-folds-killed", "2026-11-25-max-failed-share"}
    assert {name for name in LOGS if "max_failed_share" in headers[name]} == late
    assert {name for name in LOGS if "precision" in headers[name]} == {*late, "2026-11-24-precision-trained-again"}
    endings = {name: next(line for line in lines_of(name) if line["kind"] == "trial_ended") for name in LOGS}
    early = {"2026-11-20-first-format", "2026-11-20-first-format-simulated"}
    assert {name for name in LOGS if "worker" not in endings[name]} == early


def test_the_outcomes_that_were_ever_written_are_all_there() -> None:
    seen = Counter(line["outcome"] for name in LOGS for line in lines_of(name) if line["kind"] == "trial_ended")
    assert seen.keys() == {"completed", "collapsed", "diverged", "pruned_unstable", "pruned_dominated", "errored"}
