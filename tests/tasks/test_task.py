"""What a task says of itself."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from blurb_tune.tasks import kinds
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.data_set import plain_name

BINARY_METRICS = {"f1", "roc_auc", "average_precision"}


@pytest.mark.parametrize("name", ["BC5CDR-disease", "bc5cdr_disease", "BC5 Disease", "bc5-disease", "BC5DISEASE"])
def test_a_task_is_called_by_its_names_in_any_spelling(name: str) -> None:
    assert TASKS["bc5-disease"].is_called(name)


@pytest.mark.parametrize("name", ["bc5", "disease", "bc5cdr", "", " ", "ncbi-disease"])
def test_a_task_is_not_called_by_parts_of_its_names(name: str) -> None:
    assert not TASKS["bc5-disease"].is_called(name)


def test_plain_names_leave_out_what_people_spell_differently() -> None:
    assert plain_name(" EBM-NLP_reduced\t") == "ebmnlpreduced"


def test_metrics_are_those_of_the_kind_with_the_score_first() -> None:
    for task in TASKS.values():
        assert task.metrics[0] == task.metric
        assert {metric.name for metric in task.kind.metrics if not metric.of_two_classes} <= set(task.metrics)
        assert len(set(task.metrics)) == len(task.metrics)


def test_two_classes_have_metrics_of_their_own() -> None:
    assert set(TASKS["gad"].metrics) >= BINARY_METRICS
    assert not BINARY_METRICS & set(TASKS["pubmedqa"].metrics)
    assert not BINARY_METRICS & set(replace(TASKS["hoc"], labels=("a", "b")).metrics)


@pytest.mark.parametrize(("name", "outputs"), [("biosses", 1), ("pubmedqa", 3), ("hoc", 10), ("bc2gm", 3), ("ebm-pico", 4)])
def test_the_model_s_output_is_as_wide_as_there_are_labels(name: str, outputs: int) -> None:
    task = TASKS[name]
    assert task.outputs == outputs
    assert task.per_token == (task.kind == kinds.TOKEN_CLASSIFICATION)


def test_sizes_are_examples_as_far_as_they_are_known() -> None:
    assert TASKS["biosses"].data_set.sizes == {"train": 64, "dev": 16, "test": 20}
    assert TASKS["ncbi-disease"].data_set.sizes == {"train": 5424, "dev": 923, "test": 940}
    assert TASKS["bc2gm"].data_set.sizes == {}


def test_checking_data_imports_nothing_heavy() -> None:
    code = "import sys, blurb_tune.preflight; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "torch",
        "transformers",
        "scipy.stats",
        "scipy.special",
        "ray",
        "mlflow",
        "datasets",
        "pandas",
        "pyarrow",
        "sklearn",
        "huggingface_hub",
    }
    assert not heavy & set(done.stdout.split())
