"""The `task:` section as a mapping: what is wrong is reported with file, line, expectation and the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from blurb_tune.spec import load_spec
from blurb_tune.spec.task import TaskSpec

FIVE_LINES = """\
task: {train: notes.csv, text: note, label: urgent, kind: classification}
model: minilm
seeds: 5
space:
  strategy: [vanilla, {reinit_count: 2}]
"""
LINES = ["task:", "  train: notes.csv", "  text: note", "  label: urgent", "  kind: classification", "model: tiny"]


def problems(tmp_path: Path, lines: list[str]) -> list[str]:
    file = tmp_path / "s.yaml"
    file.write_text("\n".join(lines) + "\n")
    return [str(problem).removeprefix(f"{file}:") for problem in load_spec(file).problems]


def with_line(number: int, line: str) -> list[str]:
    """LINES with line `number`, from 1, replaced, or with one more in the task for number 0."""
    return [*LINES[:5], line, LINES[5]] if number == 0 else [*LINES[: number - 1], line, *LINES[number:]]


def test_five_lines_are_a_sweep(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(FIVE_LINES)
    spec = load_spec(file).valid()
    assert isinstance(spec.task, TaskSpec)
    assert (spec.task.text, spec.task.label, spec.task.max_length, spec.task.labels) == (["note"], "urgent", 128, None)
    assert spec.task_name == "notes"
    assert load_spec(file, ["task=biosses"]).valid().task_name == "biosses"


def test_a_resolved_mapping_reads_back_as_itself(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("\n".join(with_line(0, "  labels: [a, 1, true]")))
    spec = load_spec(file).valid()
    assert isinstance(spec.task, TaskSpec)
    assert spec.task.labels == ["a", "1", "true"]
    file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    assert load_spec(file).valid() == spec


@pytest.mark.parametrize(
    ("settings", "title"),
    [({"train": "data/notes.v2.csv"}, "notes.v2"), ({"hub": "owner/notes"}, "notes"), ({"name": "n", "train": "x.csv"}, "n")],
)
def test_a_task_is_called_after_its_data(settings: dict[str, str], title: str) -> None:
    base = {"text": "t", "label": "l", "kind": "regression"}
    assert TaskSpec.model_validate(base | settings).title == title


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (with_line(0, "  labls: [a]"), ["6: unknown key 'task.labls'; did you mean 'labels'?"]),
        (
            with_line(3, "  txt: note"),
            ["1: the key 'task.text' is missing", "3: unknown key 'task.txt'; did you mean 'text'?"],
        ),
        (with_line(0, "  folds: 1"), ["6: task.folds: must be greater than or equal to 2, but got 1"]),
        (with_line(0, "  dev_share: 1.5"), ["6: task.dev_share: must be less than 1, but got 1.5"]),
        (with_line(0, "  max_length: long"), ["6: task.max_length: expected a whole number, but got 'long'"]),
        (with_line(0, "  labels: [a, 2.5]"), ["6: task.labels[1]: expected text, but got 2.5"]),
        (with_line(0, "  labels: []"), ["6: task.labels: expected at least one item, but got []"]),
        (
            with_line(3, "  text: [a, b, c]"),
            ["3: task.text: expected one column, or a list of two for pairs, but got ['a', 'b', 'c']"],
        ),
        (with_line(3, "  text: []"), ["3: task.text: expected one column, or a list of two for pairs, but got []"]),
        (with_line(4, "  label: 3"), ["4: task.label: expected a column, or a list of at least two, but got 3"]),
        (["task: [a]", "model: tiny"], ["1: task: expected text, but got ['a']"]),
        (["task:", "model: tiny"], ["1: task: expected text, but got None"]),
    ],
)
def test_each_fault_is_told_with_its_line(tmp_path: Path, lines: list[str], expected: list[str]) -> None:
    assert problems(tmp_path, lines) == expected


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    lines = [
        "task:",
        "  train: 5",
        "  text: note",
        "  labl: x",
        "  kind: regresion",
        "  folds: many",
        "  left_out: a",
        "seeds: 0",
    ]
    assert [problem.split(":")[0] for problem in problems(tmp_path, [*lines, "model: tiny"])] == list("124678")
