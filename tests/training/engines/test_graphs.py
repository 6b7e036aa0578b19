from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from blurb_tune.core.trial import Configuration
from blurb_tune.models.encoder import Pretrained, build_classifier
from blurb_tune.models.families import FAMILIES, family_of
from blurb_tune.models.layers import layer_map
from blurb_tune.tasks.blurb.definitions import find_task
from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.training.batch_runner import BatchRunner
from blurb_tune.training.engines import graphs as graphs_module
from blurb_tune.training.engines.graphs import Graphs
from blurb_tune.training.engines.prefix import Prefixes
from blurb_tune.training.engines.states import States
from blurb_tune.training.engines.states_cache import StatesCache
from blurb_tune.training.fine_tuning import FineTuning
from blurb_tune.training.training_data import TrainingData
from tests.models.encoders import architecture, make_model
from tests.training.engines.test_engines import examples, pad_of
from tests.training.test_fine_tuning import SETTINGS, numbers

TASK = find_task("pubmedqa")
PADDED = [name for name, family in FAMILIES.items() if family.layout is None]


class Recorder:
    """Records a pass as what does it again, step by step, from wherever it read the first time; without a GPU."""

    def __init__(self) -> None:
        self.recorded = 0

    def __call__(self, run: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        self.recorded += 1
        return run


def runner(model: PreTrainedModel, graphs: Graphs | None, frozen_depth: int = 0, size: int = 8) -> BatchRunner:
    return BatchRunner(
        model,
        TASK,
        pad_of(model.config.model_type),
        precision="fp32",
        micro_batch_size=size,
        eval_batch_size=8,
        frozen_depth=frozen_depth,
        graphs=graphs,
    )


def step(model: PreTrainedModel, by: BatchRunner, data: Encoded, rows: np.ndarray, below: States | None = None) -> list:
    model.zero_grad(set_to_none=True)
    loss = by.backward(data, rows, below)
    return [loss, *(parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None)]


@pytest.mark.parametrize("family", PADDED)
@pytest.mark.parametrize("depth", [0, 2])
def test_each_batch_gets_its_own_loss_and_gradients_from_the_passes_of_another(family: str, depth: int) -> None:
    """The states of frozen blocks kept, or computed in each step."""
    model = make_model(family, architecture(False), num_labels=3, **family_of(family).settings).eval()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(layer_map(model).layer_of(name).level >= (depth and depth + 1))
    data, record = examples(False), Recorder()
    plain, graphed = runner(model, None, depth), runner(model, Graphs(list(model.parameters()), record), depth)
    kept = Prefixes(StatesCache(None)).states(model, layer_map(model), data, None, depth, plain) if depth else None
    for below in (None, kept) if depth else (None,):
        for rows in (np.array([0, 1, 2, 3]), np.array([6, 3, 5, 0]), np.array([4, 2])):
            expected, found = step(model, plain, data, rows, below), step(model, graphed, data, rows, below)
            assert len(found) == len(expected)
            for ours, theirs in zip(found, expected, strict=True):
                assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    assert record.recorded == 2, "one for each number of examples"


def test_other_parameters_that_learn_are_another_pass() -> None:
    model = make_model("mpnet", architecture(False), num_labels=3).eval()
    data, record, rows = examples(False), Recorder(), np.arange(4)
    graphed = runner(model, Graphs(list(model.parameters()), record))
    everything = step(model, graphed, data, rows)
    resting = next(parameter for parameter in model.parameters() if parameter.grad is not None)
    resting.requires_grad_(False)
    assert len(step(model, graphed, data, rows)) == len(everything) - 1
    resting.requires_grad_(True)
    assert len(step(model, graphed, data, rows)) == len(everything)
    assert record.recorded == 2


def test_what_is_too_much_for_graphs_is_done_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model("mpnet", architecture(False), num_labels=3).eval()
    data, record, rows = examples(False), Recorder(), np.arange(7)
    expected = step(model, runner(model, None), data, rows)
    parts = step(model, runner(model, Graphs(list(model.parameters()), record), size=4), data, rows)
    assert record.recorded == 0, "a batch in parts"
    monkeypatch.setattr(graphs_module, "_MOST_GRAPHS", 1)
    graphed = runner(model, Graphs(list(model.parameters()), record))
    step(model, graphed, data, rows[:3])
    full = step(model, graphed, data, rows)
    assert record.recorded == 1
    for found in (parts, full):
        for ours, theirs in zip(found, expected, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_lengths_are_rounded_up_but_not_beyond_what_is_read() -> None:
    graphs = Graphs([])
    assert [graphs.length_for(np.array([3, length]), 120) for length in (1, 32, 33, 96, 97)] == [32, 32, 64, 96, 120]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("freeze_depth", [0, 1])
@pytest.mark.parametrize("room", [0.0, 1e9], ids=["read-from-node", "read-from-gpu"])
def test_trials_on_a_gpu_learn_the_same_by_graphs(
    pretrained: Pretrained, data: TrainingData, freeze_depth: int, room: float
) -> None:
    model = build_classifier(pretrained, 1).cuda()
    configuration = Configuration(
        freeze_depth=freeze_depth, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, epochs=2
    )

    def trial(*, cuda_graphs: bool) -> list[dict[str, float]]:
        settings = dataclasses.replace(SETTINGS, precision="fp32", cuda_graphs=cuda_graphs)
        run = FineTuning(model, pretrained, data, settings, configuration, 0, Prefixes(StatesCache(None), room))
        return [numbers(run.advance()) for _ in range(2)]

    plain, graphed = trial(cuda_graphs=False), trial(cuda_graphs=True)
    for ours, theirs in zip(graphed, plain, strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-3)
    assert trial(cuda_graphs=True) == graphed, "the same again"
