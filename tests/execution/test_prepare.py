"""What actors need is made in the driver, or refused before a sweep has begun."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from blurb_tune.core.errors import InputError
from blurb_tune.execution.prepare import facts_of, prepare_environment
from blurb_tune.models.tiny import build_tiny, tiny_tokenizer
from blurb_tune.preflight import make_plan
from blurb_tune.spec import load_spec


def save_broken(folder: Path) -> Path:
    model = build_tiny()
    with torch.no_grad():
        next(model.bert.encoder.parameters()).fill_(torch.nan)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def test_every_model_whose_weights_cannot_be_used_is_named(tmp_path: Path) -> None:
    one, other = (save_broken(tmp_path / name) for name in ("one", "other"))
    spec = tmp_path / "s.yaml"
    spec.write_text(f"task: demo\nmodel: [{one}, tiny, {other}]\n")
    with pytest.raises(InputError) as caught:
        prepare_environment(make_plan(load_spec(spec, [])))
    assert [problem.where for problem in caught.value.problems] == [f"model {one}", f"model {other}"]


@pytest.mark.parametrize("score", ["final", "best"])
def test_trials_and_driver_judge_by_the_same_level(tmp_path: Path, score: str) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text(f"task: demo\nmodel: tiny\nmetric: spearman\nscore: {score}\n")
    plan = make_plan(load_spec(spec, []))
    environment = prepare_environment(plan)
    assert (environment.settings.metric, environment.settings.score) == ("spearman", score)
    level, facts = environment.models["tiny"].fold(None).trivial.level("spearman"), facts_of(plan, environment)
    assert (facts.trivial_score, facts.trivial_loss) == (level.score, level.loss)


def test_each_fold_has_the_level_by_which_its_trials_are_judged(tmp_path: Path) -> None:
    rows = "".join(f"note number {i},{score}\n" for i, score in enumerate([0, 1, 1, 5, 2, 0, 3, 9, 4] * 3))
    (tmp_path / "notes.csv").write_text(f"text,score\n{rows}")
    spec = tmp_path / "s.yaml"
    task = f"{{train: {tmp_path}/notes.csv, text: text, label: score, kind: regression, folds: 3}}"
    spec.write_text(f"task: {task}\nmodel: tiny\n")
    plan = make_plan(load_spec(spec, []))
    environment = prepare_environment(plan)
    facts, tiny = facts_of(plan, environment), environment.models["tiny"]
    assert [facts.level(fold) for fold in range(3)] == [tiny.fold(fold).trivial.level(plan.metric) for fold in range(3)]
    assert len({facts.level(fold) for fold in (*range(3), None)}) == 4, "they differ, and from that of all data"
    assert (facts.trivial_score, facts.trivial_loss) == (facts.level(None).score, facts.level(None).loss)
