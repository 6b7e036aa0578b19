from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.trainer_pt_utils import LabelSmoother

from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import Pretrained, build_classifier, load_tokenizer
from blurb_tune.models.initialization import init_module
from blurb_tune.tasks import kinds
from blurb_tune.tasks.blurb.definitions import find_task
from blurb_tune.tasks.encoding.features import Encoded, encode
from blurb_tune.tasks.examples import Example, Label
from blurb_tune.tasks.task import Task
from blurb_tune.training.batch_runner import BatchRunner
from tests.training import out_of_memory

TASKS = {
    kinds.REGRESSION: "biosses",
    kinds.CLASSIFICATION: "pubmedqa",
    kinds.MULTI_LABEL: "hoc",
    kinds.TOKEN_CLASSIFICATION: "bc5-chem",
}
WORDS = (
    "the",
    "effect",
    "of",
    "gene",
    "expression",
    "on",
    "tumor",
    "growth",
    "in",
    "mice",
    "was",
    "not",
    "seen",
    "at",
    "dose",
)
MAX_LENGTH = 24


def examples_of(task: Task, count: int = 11) -> list[Example]:
    """Of different lengths, some longer than the model reads."""
    examples = []
    for index in range(count):
        words = tuple((WORDS * 3)[index : index + 2 + 2 * index])
        label: Label = float(index % 4)
        if task.kind == kinds.CLASSIFICATION:
            label = index % 3
        elif task.kind == kinds.MULTI_LABEL:
            label = tuple(int((index + bit) % 3 == 0) for bit in range(len(task.labels)))
        elif task.kind == kinds.TOKEN_CLASSIFICATION:
            examples.append(Example(str(index), words, tuple((index + place) % 3 for place in range(len(words)))))
            continue
        examples.append(Example(str(index), (" ".join(words),) * len(task.fields), label))
    return examples


@pytest.fixture(params=list(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return find_task(TASKS[request.param])


@pytest.fixture
def data(task: Task) -> Encoded:
    return encode(examples_of(task), load_tokenizer(describe_model("tiny")), MAX_LENGTH, task)


@pytest.fixture
def model(task: Task, pretrained: Pretrained) -> PreTrainedModel:
    model = build_classifier(pretrained, task.outputs, per_token=task.per_token)
    for name in {name.partition(".")[0] for name, p in model.named_parameters() if torch.isnan(p).any()}:
        init_module(model, name, seed=1)
    return model.eval()


def batch_runner(model: PreTrainedModel, task: Task, *, size: int = 64) -> BatchRunner:
    return BatchRunner(model, task, 0, precision="fp32", micro_batch_size=size, eval_batch_size=size)


def gradients(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


@contextmanager
def room_for(runner: BatchRunner, examples: int) -> Iterator[list[int]]:
    """Memory runs out in every forward pass of more examples than that; gives the sizes of those that went through."""
    sizes: list[int] = []
    engine = runner._engine
    outputs = engine.outputs

    def allocate(data: Encoded, rows: np.ndarray, *rest: Any) -> torch.Tensor:
        if len(rows) > examples:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(rows))
        return outputs(data, rows, *rest)

    engine.outputs = allocate
    try:
        yield sizes
    finally:
        del engine.outputs


def test_the_loss_is_the_mean_over_what_the_model_reads(task: Task, data: Encoded, model: PreTrainedModel) -> None:
    rows = np.arange(len(data))
    loss = batch_runner(model, task).backward(data, rows)
    outputs = torch.from_numpy(batch_runner(model, task).outputs(data))
    is_read = ~outputs.isnan().any(dim=1)
    outputs, labels = outputs[is_read], torch.from_numpy(data.labels)[is_read]
    expected = {
        kinds.REGRESSION: lambda: functional.mse_loss(outputs[:, 0], labels),
        kinds.CLASSIFICATION: lambda: functional.cross_entropy(outputs, labels),
        kinds.MULTI_LABEL: lambda: functional.binary_cross_entropy_with_logits(outputs, labels),
        kinds.TOKEN_CLASSIFICATION: lambda: functional.cross_entropy(outputs, labels),
    }[task.kind]()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    if task.per_token:
        assert is_read.sum() == data.words.is_read.sum() < len(is_read), (
            "some words are cut off, and the model says nothing of them"
        )


@pytest.mark.parametrize("size", [4, 64])
def test_smoothed_labels_are_learned_from_and_the_loss_is_reported_without(
    task: Task, data: Encoded, model: PreTrainedModel, size: int
) -> None:
    if not task.kind.smooths_labels:
        pytest.skip("its loss is not the cross-entropy of one class among several")
    rows = np.arange(len(data))
    settings = {"precision": "fp32", "micro_batch_size": size, "eval_batch_size": size}
    smoothed = BatchRunner(model, task, 0, **settings, label_smoothing=0.3)
    loss, found = smoothed.backward(data, rows), gradients(model)
    plain = batch_runner(model, task, size=size)
    outputs, labels = plain._run(data, rows, None), torch.from_numpy(data.labels[data.units(rows)])
    LabelSmoother(0.3)({"logits": outputs}, labels).backward()
    expected = gradients(model)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-6), name
    assert loss.item() == plain.backward(data, rows).item()
    assert any(not torch.allclose(found[name], gradient, rtol=1e-2) for name, gradient in gradients(model).items())


@pytest.mark.parametrize("size", [1, 4])
def test_gradients_of_parts_add_up_to_those_of_the_whole(task: Task, data: Encoded, model: PreTrainedModel, size: int) -> None:
    rows = np.arange(len(data))
    whole = batch_runner(model, task).backward(data, rows), gradients(model)
    parts = batch_runner(model, task, size=size).backward(data, rows), gradients(model)
    assert torch.allclose(whole[0], parts[0], rtol=1e-5)
    assert whole[1].keys() == parts[1].keys()
    for name, gradient in whole[1].items():
        assert torch.allclose(gradient, parts[1][name], rtol=1e-3, atol=1e-6), name


def test_batches_are_halved_once_when_memory_runs_out_and_the_step_stays_the_same(
    task: Task, data: Encoded, model: PreTrainedModel
) -> None:
    rows = np.arange(len(data))
    whole = batch_runner(model, task).backward(data, rows), gradients(model)
    small = batch_runner(model, task)
    with room_for(small, 6) as sizes:
        loss = small.backward(data, rows)
    assert small.oom_fallback_used
    assert small.micro_batch_size == 6
    assert sizes == [6, 5]
    assert torch.allclose(whole[0], loss, rtol=1e-5)
    for name, gradient in gradients(model).items():
        assert torch.allclose(gradient, whole[1][name], rtol=1e-3, atol=1e-6), name
    with room_for(small, 3), pytest.raises(torch.OutOfMemoryError):
        small.backward(data, rows)


def test_batches_are_halved_when_memory_really_runs_out() -> None:
    """The process may take less than the whole batch needs, and more than half of it."""
    done = subprocess.run([sys.executable, out_of_memory.__file__], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert (found["has_halved"], found["micro_batch_size"]) == (True, out_of_memory.EXAMPLES // 2)
    assert found["losses"][1] == pytest.approx(found["losses"][0], rel=1e-5)
    assert found["norms"][1] == pytest.approx(found["norms"][0], rel=1e-3, abs=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_are_halved_when_a_gpu_s_memory_really_runs_out() -> None:
    model, data = out_of_memory.load("cuda")
    needs = []
    for size in (out_of_memory.EXAMPLES // 2, out_of_memory.EXAMPLES):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        _, loss, norms = out_of_memory.backward(model, data, size)
        needs.append(torch.cuda.max_memory_reserved())
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(sum(needs) / 2 / torch.cuda.get_device_properties(0).total_memory)
    try:
        runner, loss_in_parts, norms_in_parts = out_of_memory.backward(model, data, out_of_memory.EXAMPLES)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert (runner.oom_fallback_used, runner.micro_batch_size) == (True, out_of_memory.EXAMPLES // 2)
    assert loss_in_parts == pytest.approx(loss, rel=1e-4)
    assert norms_in_parts == pytest.approx(norms, rel=1e-2, abs=1e-5)


@pytest.mark.parametrize(
    ("error", "is_halved"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_a_lack_of_memory(pretrained: Pretrained, error: Exception, is_halved: bool) -> None:
    task = find_task("biosses")
    data = encode(examples_of(task), load_tokenizer(describe_model("tiny")), MAX_LENGTH, task)
    model = build_classifier(pretrained, task.outputs)
    init_module(model, "classifier", seed=1)
    errors = [error]

    def fail_once(module: torch.nn.Module, arguments: Any) -> None:
        if errors:
            raise errors.pop()

    model.register_forward_pre_hook(fail_once)
    small = batch_runner(model, task, size=8)
    with nullcontext() if is_halved else pytest.raises(type(error)):
        small.backward(data, np.arange(8))
    assert small.oom_fallback_used is is_halved


def test_memory_that_did_not_suffice_is_free_at_once(task: Task, data: Encoded, model: PreTrainedModel) -> None:
    """An error that kept itself alive would keep a whole trial with it, and the next one on the GPU would fail as well."""
    gc.disable()
    try:
        small = batch_runner(model, task, size=1)
        alive = weakref.ref(small)
        with room_for(small, 0), suppress(torch.OutOfMemoryError):
            small.backward(data, np.arange(3))
        del small
        assert alive() is None
    finally:
        gc.enable()


def test_evaluation_too_halves_its_batches(task: Task, data: Encoded, model: PreTrainedModel) -> None:
    expected = batch_runner(model, task).outputs(data)
    small = batch_runner(model, task)
    with room_for(small, 6):
        outputs = small.outputs(data)
    assert (small.eval_batch_size, small.micro_batch_size) == (6, 64)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-6)


def test_one_example_alone_cannot_be_halved(task: Task, data: Encoded, model: PreTrainedModel) -> None:
    single = batch_runner(model, task, size=1)
    with room_for(single, 0), pytest.raises(torch.OutOfMemoryError):
        single.backward(data, np.arange(3))


def test_outputs_are_those_of_each_example_alone(task: Task, data: Encoded, model: PreTrainedModel) -> None:
    together = batch_runner(model, task).outputs(data)
    for row in range(len(data)):
        alone = data.take(np.array([row]))
        labels = data.words.take(np.array([row]))[0] if data.words else np.array([row])
        np.testing.assert_allclose(batch_runner(model, task).outputs(alone), together[labels], rtol=1e-4, atol=1e-5)
