"""Every family, by whichever engine runs it, says what its Hugging Face model says, from the start or from the middle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from transformers import PreTrainedModel

from blurb_tune.models.encoder import _keep_in_fp32
from blurb_tune.models.families import FAMILIES, family_of
from blurb_tune.models.layers import layer_map
from blurb_tune.tasks.blurb.definitions import find_task
from blurb_tune.tasks.encoding.features import Encoded, collate
from blurb_tune.tasks.ragged import Words, boundaries
from blurb_tune.training.batch_runner import BatchRunner
from blurb_tune.training.engines.dropout import Masks
from blurb_tune.training.engines.engine import make_engine
from blurb_tune.training.engines.packed import PackedEngine
from blurb_tune.training.engines.padded import PaddedEngine
from blurb_tune.training.engines.prefix import Prefixes
from blurb_tune.training.engines.states import States
from blurb_tune.training.engines.states_cache import StatesCache
from tests.models.encoders import architecture, make_model

PAD = {"bert": 0, "roberta": 1, "xlm-roberta": 1, "camembert": 1, "mpnet": 1}
LENGTHS = np.array([5, 17, 9, 17, 3, 12, 4])
TASKS = {False: find_task("pubmedqa"), True: find_task("bc5-chem")}


def examples(per_token: bool, *, has_segments: bool = False) -> Encoded:
    generator = np.random.default_rng(3)
    tokens, offsets = int(LENGTHS.sum()), boundaries(LENGTHS)
    words = None
    labels = generator.integers(0, 3, len(LENGTHS))
    if per_token:
        counts = LENGTHS // 2
        first = np.concatenate([1 + 2 * np.arange(count) for count in counts]).astype(np.int32)
        first[::7] = -1  # a word that was cut off
        first[first >= np.repeat(LENGTHS, counts)] = -1
        words = Words(boundaries(counts), first)
        labels = generator.integers(0, 3, len(first))
    ids = generator.integers(4, 60, tokens).astype(np.int32)
    types = (generator.random(tokens) < 0.5).astype(np.int8) if has_segments else None
    return Encoded(ids, types, offsets, labels, words, 0)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["texts", "tokens"])
def per_token(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def model(family: str, per_token: bool) -> PreTrainedModel:
    model = make_model(family, architecture(per_token), num_labels=3, **family_of(family).settings).eval()
    for block in range(3):
        for module in family_of(family).fp32:
            _keep_in_fp32(model.get_submodule(f"{family_of(family).blocks}.{block}.{module}"))
    return model


@pytest.fixture
def data(family: str, per_token: bool) -> Encoded:
    return examples(per_token, has_segments=family == "bert")


def pad_of(family: str) -> int:
    return PAD.get(family, 0)


def plain(model: PreTrainedModel, data: Encoded, rows: np.ndarray, pad: int) -> torch.Tensor:
    """By transformers alone, padded."""
    batch = {name: torch.from_numpy(values) for name, values in collate(data, rows, pad).items()}
    logits = model(**batch).logits
    positions = data.positions(rows)
    return logits if positions is None else logits.flatten(0, 1)[torch.from_numpy(positions)]


def gradients(model: PreTrainedModel, run: Callable[[], torch.Tensor]) -> dict[str, torch.Tensor]:
    model.zero_grad(set_to_none=True)
    outputs = run()
    outputs.backward(torch.linspace(-1, 1, outputs.numel()).view_as(outputs))
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


ROWS = np.array([4, 1, 6, 0, 3, 2])


def test_outputs_and_gradients_are_those_of_the_hugging_face_model(family: str, model: PreTrainedModel, data: Encoded) -> None:
    engine = make_engine(model, pad_of(family), Masks(0))
    assert isinstance(engine, PackedEngine if family_of(family).layout else PaddedEngine)
    ours, theirs = engine.outputs(data, ROWS), plain(model, data, ROWS, pad_of(family))
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    of_ours = gradients(model, lambda: engine.outputs(data, ROWS))
    of_theirs = gradients(model, lambda: plain(model, data, ROWS, pad_of(family)))
    assert of_ours.keys() == of_theirs.keys()
    for name, gradient in of_theirs.items():
        assert torch.allclose(of_ours[name], gradient, rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_what_comes_out_of_a_block_leads_on_to_the_same_outputs_bit_for_bit(
    family: str, model: PreTrainedModel, data: Encoded, dtype: torch.dtype | None
) -> None:
    """Cut behind each block, and cut once more below: the states, kept in fp32, are those of the whole pass."""
    engine = make_engine(model, pad_of(family), Masks(0))
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        whole = engine.outputs(data, ROWS)
        known: list[States] = []
        for depth in (1, 2, 3):
            tokens, values = engine.states(data, ROWS, depth, None)
            kept = torch.full((int(data.offsets[-1]), values.shape[1]), torch.nan)
            kept[torch.from_numpy(tokens)] = values.float()
            known.append(States(depth, kept, data.offsets[:-1]))
            outputs = engine.outputs(data, ROWS, known[-1])
            is_rounded = values.dtype != torch.float32  # the next block reads fp32 where it read bf16
            if is_rounded or (depth == 3 and data.words is None and isinstance(engine, PackedEngine)):
                # The whole pass asks the last block for the texts' first tokens alone: other shapes, other rounding.
                assert torch.allclose(outputs, whole, rtol=1e-2 if dtype else 1e-4, atol=1e-2 if dtype else 1e-5)
            else:
                assert torch.equal(outputs, whole), f"behind block {depth}"
            for below in known[:-1]:
                again, others = engine.states(data, ROWS, depth, below)
                assert np.array_equal(again, tokens)
                assert is_rounded or torch.equal(others, values), f"block {depth} from block {below.depth}"


def test_a_model_is_left_as_it_was(family: str, model: PreTrainedModel, data: Encoded) -> None:
    before = {name: set(module.__dict__) for name, module in model.named_modules()}
    engine = make_engine(model, pad_of(family), Masks(0))
    _, values = engine.states(data, ROWS, 2, None)
    kept = torch.zeros(int(data.offsets[-1]), values.shape[1])
    engine.outputs(data, ROWS, States(2, kept, data.offsets[:-1]))
    assert {name: set(module.__dict__) for name, module in model.named_modules()} == before
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("depth", [1, 3])
def test_frozen_blocks_have_no_dropout_and_no_gradient_cached_or_not(
    family: str, per_token: bool, model: PreTrainedModel, data: Encoded, depth: int
) -> None:
    """The cached and the uncached path give the same gradient; above the frozen part there is dropout."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(layer_map(model).layer_of(name).level > depth)
    model.train()
    task = TASKS[per_token]

    def step(prefixes: Prefixes | None) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        masks = Masks(1)
        runner = BatchRunner(
            model,
            task,
            pad_of(family),
            precision="fp32",
            micro_batch_size=8,
            eval_batch_size=8,
            frozen_depth=depth,
            masks=masks,
        )
        below = prefixes.states(model, layer_map(model), data, None, depth, runner) if prefixes else None
        model.zero_grad(set_to_none=True)
        with masks.within(model), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            loss = runner.backward(data, ROWS, below)
        return loss, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    (loss, cached), (other, uncached) = step(Prefixes(StatesCache(None))), step(None)
    assert loss.item() == pytest.approx(other.item(), rel=1e-4)
    assert cached.keys() == uncached.keys()
    assert all(layer_map(model).layer_of(name).level > depth for name in cached)
    for name, gradient in cached.items():
        assert torch.allclose(gradient, uncached[name], rtol=1e-3, atol=1e-4), name
    assert model.training


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.layout], indirect=True)
def test_dropout_moves_outputs_as_in_the_hugging_face_model(family: str, model: PreTrainedModel, data: Encoded) -> None:
    """Each text 200 times: the same mean, spread and shape of what dropout makes of one output."""
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3
    masks = Masks(11)
    engine, copies = make_engine(model, pad_of(family), masks), np.tile(ROWS, 20)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(12)
        theirs = torch.cat([plain(model, data, copies, pad_of(family)).view(20, -1) for _ in range(10)])
        with masks.within(model):
            ours = torch.cat([engine.outputs(data, copies).view(20, -1) for _ in range(10)])
    found = [stats.ks_2samp(ours[:, index].numpy(), theirs[:, index].numpy()).pvalue for index in range(ours.shape[1])]
    assert min(found) * len(found) > 1e-3
    spreads = ours.std(0) / theirs.std(0)
    assert abs(spreads.log().mean()) < 0.05, "of all outputs together"
