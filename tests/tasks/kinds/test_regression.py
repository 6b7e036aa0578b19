from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.checking.task_data import Inspection, inspect
from blurb_tune.tasks.encoding.features import encode
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.sources.custom import check_custom_task, custom_source, fill_defaults
from blurb_tune.tasks.task import ScoreScale

CUSTOM = replace(TASKS["biosses"], scores=ScoreScale(None, None, None))
SCORES = st.lists(st.floats(-10, 10), min_size=2, max_size=20).filter(lambda scores: np.std(scores) > 1e-3)


def examples(scores: list[float]) -> list[Example]:
    return [Example(str(index), ("a text", "another"), score) for index, score in enumerate(scores)]


@given(SCORES, st.floats(-1e3, 1e3), st.floats(1e-2, 1e4))
def test_what_is_learned_does_not_depend_on_the_unit(scores: list[float], zero: float, unit: float) -> None:
    tokenizer = load_tokenizer(describe_model("tiny"))
    labels = []
    for given_scores in (scores, [zero + unit * score for score in scores]):
        rows = examples(given_scores)
        labels.append(encode(rows, tokenizer, 16, CUSTOM.kind.with_scale(CUSTOM, rows)).labels)
    np.testing.assert_allclose(labels[0], labels[1], atol=1e-3)
    assert labels[0].mean() == pytest.approx(0, abs=1e-4)
    assert labels[0].std() == pytest.approx(1, abs=1e-4)


def test_blurb_s_scores_are_learned_as_they_are() -> None:
    """BIOSSES: raw scores from 0 to 4, squared error (Gu et al. 2021, arXiv 2007.15779)."""
    rows = examples([0.0, 2.2, 4.0])
    task = TASKS["biosses"].kind.with_scale(TASKS["biosses"], rows)
    assert task == TASKS["biosses"]
    assert encode(rows, load_tokenizer(describe_model("tiny")), 16, task).labels.tolist() == pytest.approx([0.0, 2.2, 4.0])


def _inspected(folder: Path, **settings: object) -> tuple[TaskSpec, Inspection]:
    rows = [f"note {index},{500 + 100 * (index % 4)}" for index in range(40)]
    (folder / "notes.csv").write_text("\n".join(["note,score", *rows]) + "\n")
    base = {"train": "notes.csv", "text": "note", "label": "score", "kind": "regression"}
    spec = TaskSpec.model_validate(base | settings)
    return spec, inspect(custom_source(spec, folder))


def test_the_unit_is_train_s_and_is_kept_with_the_spec(tmp_path: Path) -> None:
    spec, found = _inspected(tmp_path)
    assert found.data is not None
    scores = [example.label for example in found.data.train]
    kept = fill_defaults(spec, found.source.task)
    assert (kept.label_center, kept.label_scale) == (pytest.approx(np.mean(scores)), pytest.approx(np.std(scores)))
    again = inspect(custom_source(kept, tmp_path))
    assert again.source.task == found.source.task
    assert again.data == found.data


def test_the_unit_can_be_named(tmp_path: Path) -> None:
    _, found = _inspected(tmp_path, label_center=0, label_scale=1)
    assert (found.source.task.scores.center, found.source.task.scores.unit) == (0, 1)
    spec, _ = _inspected(tmp_path, kind="classification", label_scale=2.0)
    assert [key for key, _ in check_custom_task(spec)] == ["label_scale"]
