"""A run's score on dev, computed once more: how far it may be from what the sweep measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import make_plan
from blurb_tune.release.run_models import RunModels
from blurb_tune.spec import load_spec
from tests.tracking.conftest import Sweep

MakeModels = Callable[..., RunModels]
DEV = 60
RARE = 15  # every so many examples there is one of the rare class


@pytest.fixture
def make_models(tmp_path: Path) -> MakeModels:
    """The models of a sweep without weights, over a table with a rare class."""
    for split in ("train", "dev"):
        rows = [f"{split} {number},{'rare' if number % RARE == 0 else 'common'}" for number in range(DEV)]
        (tmp_path / f"{split}.csv").write_text("\n".join(["note,label", *rows]) + "\n")

    def make(precision: str, metric: str = "accuracy", gpus: int = 0) -> RunModels:
        task = {"train": "train.csv", "dev": "dev.csv", "text": "note", "label": "label", "labels": ["common", "rare"]}
        spec = {"task": task | {"kind": "classification"}, "model": "tiny", "metric": metric, "resources": {"gpus": gpus}}
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
        sweep = Sweep(SweepPaths(tmp_path / f"{precision}-{metric}-{gpus}"))
        sweep.start(precision=precision, metric=metric)
        sweep.suggest("c000")
        sweep.trial("c000", 0, Outcome.COMPLETED, [0.5])
        sweep.log.close()
        record = SweepRecord.read(sweep.paths.events)
        plan = make_plan(load_spec(tmp_path / "spec.yaml"), check_machine=False)
        return RunModels(plan, sweep.paths, record, record.trials["c000-s0"], lambda text: None)

    return make


def answers(models: RunModels, wrong: int) -> np.ndarray:
    """Logits that are right about all examples of dev but so many, those of the rare class first."""
    labels = models.dev.labels.copy()
    order = np.argsort(labels == models.plan.task.labels.index("common"), kind="stable")
    labels[order[:wrong]] = 1 - labels[order[:wrong]]
    return np.eye(2, dtype=np.float32)[labels] * 8 - 4


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize(
    ("precision", "gpus", "is_exact"), [("fp32", 0, True), ("bf16", 0, False), ("fp32", 1, False), ("", 0, False)]
)
def test_one_answer_that_was_rounded_otherwise(
    make_models: MakeModels, metric: str, precision: str, gpus: int, is_exact: bool
) -> None:
    models = make_models(precision, metric, gpus)
    found, rounded = answers(models, 0), answers(models, 1)
    for here, there in ((found, rounded), (rounded, found)):
        measured = models.score(there, models.dev)
        assert abs(models.score(here, models.dev) - measured) > 1 / DEV - 1e-6
        models.check("c000-s0", there, measured)
        if is_exact:
            with pytest.raises(BlurbTuneError, match=r"the weights of c000-s0 score .* they are not those of this run"):
                models.check("c000-s0", here, measured)
        else:
            models.check("c000-s0", here, measured)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_another_model_is_no_rounding(make_models: MakeModels, precision: str) -> None:
    models = make_models(precision)
    for wrong in (8, DEV // 2):
        with pytest.raises(BlurbTuneError, match="they are not those of this run, or the data have changed"):
            models.check("c000-s0", answers(models, wrong), 1.0)
    with pytest.raises(BlurbTuneError, match="nothing was written"):
        models.check("c000-s0", answers(models, 0), float("nan"))
