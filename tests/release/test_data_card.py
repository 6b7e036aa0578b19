"""What a card says of the data: what the log knows, and of licenses nothing that nobody has stated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blurb_tune.release.data_card import data_set_of, of_the_data
from blurb_tune.tasks.blurb.definitions import TASKS
from tests.release.conftest import PAIRS
from tests.report.sweeps import SweepWriter


@pytest.mark.parametrize(
    ("task", "source", "said"),
    [
        ("ddi", "/data/DDI", "License of the data: CC BY-NC 4.0, as stated by isegura/DDICorpus"),
        ("biosses", "hf://bigbio/biosses/biosses_bigbio_pairs", "(https://huggingface.co/datasets/bigbio/biosses)"),
        ("notes", "hf://lab/notes", "License of the data: see [lab/notes](https://huggingface.co/datasets/lab/notes)."),
        ("notes", "/data/notes.csv", "License of the data: not known to the sweep"),
    ],
)
def test_counts_labels_and_what_is_stated_of_the_license(task: str, source: str, said: str) -> None:
    sweep = SweepWriter(task=task, data_source=source, data_digest="ab" * 32, examples={"train": 1200, "dev": 16})
    text = of_the_data(sweep.record, replace(PAIRS, task=task))
    assert text.startswith(f"Data set {task}: 1,200 train, 16 dev examples. Labels: no, yes.")
    assert "`abababababababab`" in text
    assert said in text
    assert "/data/" not in text, "a path is nobody else's business"
    assert data_set_of(sweep.record) in ("", "bigbio/biosses", "lab/notes")


def test_every_license_is_of_a_task_that_there_is() -> None:
    from blurb_tune.release.data_card import _STATED

    assert set(_STATED) <= set(TASKS)
