"""The table of tasks and finding one by name."""

from __future__ import annotations

import pytest

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.tasks import kinds
from blurb_tune.tasks.blurb.definitions import BLURB, BLURB_TYPES, TASKS, find_task
from blurb_tune.tasks.data_set import plain_name
from blurb_tune.tasks.task import OUTSIDE, Task


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("biosses", "biosses"),
        ("BIOSSES", "biosses"),
        ("PubMed-QA", "pubmedqa"),
        ("pubmed_qa", "pubmedqa"),
        ("BC5CDR-chem", "bc5-chem"),
        ("EBM PICO", "ebm-pico"),
        ("ebmnlp", "ebm-pico"),
        ("Demo", "demo"),
    ],
)
def test_names_and_aliases_are_found_in_any_spelling(name: str, expected: str) -> None:
    assert find_task(name).name == expected


def test_an_unknown_name_gets_the_nearest_valid_one() -> None:
    with pytest.raises(BlurbTuneError, match=r"unknown task 'Bioses'; did you mean 'biosses'\?"):
        find_task("Bioses")
    with pytest.raises(BlurbTuneError, match=r"unknown task 'xyz'; expected one of: bc2gm, bc5-chem, .*, pubmedqa"):
        find_task("xyz")


def test_the_benchmark_is_whole() -> None:
    """Gu et al. 2021, arXiv 2007.15779: 13 data sets of six types."""
    assert len(BLURB) == 13
    counts = {kind: sum(task.data_set.blurb_type == kind for task in BLURB) for kind in BLURB_TYPES}
    assert counts == {"NER": 5, "PICO": 1, "relation": 3, "similarity": 1, "document": 1, "QA": 2}


# As the paper has it: sizes of train, dev and test, the score, and how many labels there are.
PUBLISHED: dict[str, tuple[tuple[int, int, int], str, int]] = {
    "bc5-chem": ((5203, 5347, 5385), "entity_f1", 3),
    "bc5-disease": ((4182, 4244, 4424), "entity_f1", 3),
    "ncbi-disease": ((5134, 787, 960), "entity_f1", 3),
    "bc2gm": ((15197, 3061, 6325), "entity_f1", 3),
    "jnlpba": ((46750, 4551, 8662), "entity_f1", 3),
    "ebm-pico": ((339167, 85321, 16364), "word_macro_f1", 4),
    "chemprot": ((18035, 11268, 15745), "micro_f1", 6),
    "ddi": ((25296, 2496, 5716), "micro_f1", 5),
    "gad": ((4261, 535, 534), "micro_f1", 2),
    "biosses": ((64, 16, 20), "pearson", 0),
    "hoc": ((1295, 186, 371), "micro_f1", 10),
    "pubmedqa": ((450, 50, 500), "accuracy", 3),
    "bioasq": ((670, 75, 140), "accuracy", 2),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_table_is_what_was_published(name: str) -> None:
    task = TASKS[name]
    sizes, metric, labels = PUBLISHED[name]
    assert (tuple(task.data_set.published.values()), task.metric, len(task.labels)) == (sizes, metric, labels)
    assert tuple(task.data_set.published) == ("train", "dev", "test")


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_entry_is_consistent(task: Task) -> None:
    assert task.name == task.name.casefold()
    assert task.metric in task.kind.usable_metrics
    assert (task.kind == kinds.REGRESSION) == (not task.labels)
    assert len(set(task.labels)) == len(task.labels)
    assert set(task.left_out) <= set(task.labels)
    assert set(task.label_aliases.values()) <= set(task.labels)
    assert (OUTSIDE in task.labels) == task.per_token
    assert (task.data_set.folder == "") == task.data_set.is_builtin == (task.name == "demo")
    assert (task.data_set.blurb_type in BLURB_TYPES) == (task.name != "demo")


def test_no_name_means_two_tasks() -> None:
    owners: dict[str, set[str]] = {}
    for task in TASKS.values():
        for name in (task.name, task.data_set.folder, *task.data_set.aliases):
            owners.setdefault(plain_name(name), set()).add(task.name)
    assert all(len(names) == 1 for name, names in owners.items() if name)
