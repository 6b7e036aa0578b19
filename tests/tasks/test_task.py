"""The table of tasks and finding one by name."""

import subprocess
import sys

import pytest

from blurb_tune.errors import BlurbTuneError
from blurb_tune.tasks.task import TASKS, Kind, find_task


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("biosses", "biosses"),
        ("BIOSSES", "biosses"),
        ("PubMedQA", "pubmedqa"),
        ("PubMed-QA", "pubmedqa"),
        ("pubmed_qa", "pubmedqa"),
        ("Demo", "demo"),
    ],
)
def test_names_and_aliases_are_found_in_any_case(name: str, expected: str) -> None:
    assert find_task(name).name == expected


def test_an_unknown_name_gets_the_nearest_valid_one() -> None:
    with pytest.raises(BlurbTuneError, match=r"unknown task 'Bioses'; did you mean 'biosses'\?"):
        find_task("Bioses")
    with pytest.raises(BlurbTuneError, match="unknown task 'xyz'; expected one of: biosses, demo, pubmedqa"):
        find_task("xyz")


def test_the_table_is_what_the_benchmark_publishes() -> None:
    biosses, pubmedqa = TASKS["biosses"], TASKS["pubmedqa"]
    assert (biosses.metric, biosses.outputs, biosses.label_range) == ("pearson", 1, (0.0, 4.0))
    assert biosses.metrics == ("pearson", "spearman", "mse")
    assert dict(biosses.counts) == {"train": 64, "dev": 16, "test": 20}
    assert (pubmedqa.metric, pubmedqa.outputs, pubmedqa.max_length) == ("accuracy", 3, 512)
    assert pubmedqa.labels == ("maybe", "no", "yes")
    assert dict(pubmedqa.counts) == {"train": 450, "dev": 50, "test": 500}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_entry_is_consistent(task) -> None:
    assert task.name == task.name.casefold()
    assert task.metric == task.metrics[0]
    assert (task.kind is Kind.CLASSIFICATION) == bool(task.labels)
    assert (task.folder is None) == task.is_builtin == (task.name == "demo")
    names = [name for other in TASKS.values() for name in (other.name, *other.aliases)]
    assert len(names) == len(set(names))
    assert all(name == name.casefold() for name in names)


def test_checking_data_imports_nothing_heavy() -> None:
    code = "import sys, blurb_tune.tasks.data; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "scipy", "numpy", "ray", "optuna", "mlflow", "pydantic"}
    assert not heavy & set(done.stdout.split())
