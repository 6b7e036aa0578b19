"""Weights drawn from a seed: the family's distribution, the same everywhere, and nothing else touched."""

from __future__ import annotations

import copy
import hashlib

import numpy as np
import pytest
import scipy.stats
import torch

from blurb_tune.models.initialization import init_module
from blurb_tune.models.layers import layer_map
from tests.models.encoders import architecture, is_bias_or_norm, make_config, make_model

BLOCK = "bert.encoder.layer.1"


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().cpu().clone() for name, p in model.named_parameters()}


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_only_the_module_is_drawn_and_all_of_it(family, per_token):
    model = make_model(family, architecture(per_token))
    for seed, module in enumerate(m for modules in layer_map(model).modules.values() for m in modules):
        before = weights(model)
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        init_module(model, module, seed)
        changed = {name for name, value in weights(model).items() if not torch.equal(value, before[name])}
        assert changed <= {name for name in before if name.startswith(f"{module}.")}
        assert changed >= {name for name in before if name.startswith(f"{module}.") and before[name].ndim > 1}
        assert all(torch.equal(buffer, buffers[name]) for name, buffer in model.named_buffers())


def test_weights_follow_the_distribution_of_the_family(family, per_token):
    """Each tensor has the distribution that transformers itself gives it in a new model."""
    sizes = {"vocab_size": 200, "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96}
    model = make_model(family, architecture(per_token), **sizes)
    init_module(model, "", 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        new = architecture(per_token).from_config(make_config(family, **sizes))
    for name, expected in new.state_dict().items():
        drawn = model.get_parameter(name)
        if is_bias_or_norm(name):
            assert torch.equal(drawn, expected), name
            assert torch.equal(drawn, torch.full_like(drawn, 0.0 if name.endswith("bias") else 1.0)), name
        else:
            test = scipy.stats.ks_2samp(drawn.detach().numpy().ravel(), expected.numpy().ravel())
            assert test.pvalue > 1e-4, name
            deviation = 5 * expected.std().item() / expected.numel() ** 0.5
            assert drawn.mean().item() == pytest.approx(expected.mean().item(), abs=1.5 * deviation), name
            assert drawn.std().item() == pytest.approx(expected.std().item(), abs=deviation), name


def test_linear_layers_of_a_block_are_normal(family):
    """N(0, initializer_range), except that ModernBERT cuts it off and shrinks what is added to the residual stream."""
    model = make_model(family, hidden_size=64, intermediate_size=128)
    assert model.config.initializer_range == 0.05
    (module,) = layer_map(model).block_modules(2)
    init_module(model, module, 3)
    matrices = {n: p.detach().numpy().ravel() for n, p in model.get_submodule(module).named_parameters() if p.ndim > 1}
    assert sum(map(len, matrices.values())) >= 4 * 64 * 64 + 2 * 64 * 128
    for name, values in matrices.items():
        if family == "modernbert":
            std = 0.05 / (6**0.5 if name.endswith("Wo.weight") else 1)
            expected = scipy.stats.truncnorm(-2, 2, scale=std)
        else:
            expected = scipy.stats.norm(scale=0.05)
        assert scipy.stats.kstest(values, expected.cdf).pvalue > 1e-3, name
    first, second, *_ = (values for values in matrices.values() if len(values) >= 64 * 64)
    assert abs(np.corrcoef(first[: 64 * 64], second[: 64 * 64])[0, 1]) < 0.05


def test_the_classifier_of_modernbert_is_drawn_by_the_model(per_token):
    """Truncated at two deviations of hidden_size ** -0.5, and not like other linear layers."""
    model = make_model("modernbert", architecture(per_token), hidden_size=64, num_labels=30)
    init_module(model, "classifier", 0)
    values = model.classifier.weight.detach().numpy().ravel()
    assert scipy.stats.kstest(values, scipy.stats.truncnorm(-2, 2, scale=64**-0.5).cdf).pvalue > 0.01


def test_embeddings_of_the_padding_token_are_zero(random_model):
    model = random_model("bert")
    init_module(model, "bert.embeddings", 0)
    table = model.bert.embeddings.word_embeddings.weight
    assert torch.equal(table[0], torch.zeros(16))
    assert (table[1:] != 0).all()
    assert model.bert.embeddings.position_ids.tolist() == [list(range(40))]


def test_same_seed_same_weights_other_seed_other_weights(random_model):
    drawn = []
    for seed in (5, 5, 6):
        model = random_model("bert")
        init_module(model, BLOCK, seed)
        drawn.append(weights(model.get_submodule(BLOCK)))
    assert_same(drawn[0], drawn[1])
    for name, value in drawn[0].items():
        if value.ndim > 1:
            assert not (value == drawn[2][name]).any(), name


def test_a_module_drawn_alone_equals_the_module_drawn_with_others(family, per_token):
    alone, together = (make_model(family, architecture(per_token)) for _ in range(2))
    for module in (m for modules in layer_map(alone).modules.values() for m in reversed(modules)):
        init_module(alone, module, 4)
    init_module(together, "", 4)
    assert_same(weights(alone), weights(together))


def test_a_part_of_a_block_is_drawn_as_with_the_block(random_model):
    alone, together = random_model("bert"), random_model("bert")
    init_module(alone, "bert.encoder.layer.2.output.dense", 4)
    init_module(together, "", 4)
    name = "bert.encoder.layer.2.output.dense.weight"
    assert torch.equal(alone.get_parameter(name), together.get_parameter(name))


def test_the_numbers_are_those_of_every_machine(random_model):
    """float32 draws differ between AVX2 and none; these do not, so their digest can be written down."""
    model = random_model("bert")
    init_module(model, "", 0)
    digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest()
    assert digest == "e36d9e2777abc5ba43640655de3fb1d3e5a679704597d9b0bcca2f669ed7d7b6"


def test_global_generators_neither_matter_nor_move(random_model):
    drawn = []
    for global_seed in (1, 2):
        model = random_model("bert")
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        init_module(model, "classifier", 7)
        assert torch.equal(torch.get_rng_state(), before)
        drawn.append(weights(model))
    assert_same(*drawn)


def test_tensors_that_transformers_counts_as_initialized_are_drawn(random_model, save):
    """from_pretrained marks what it read, and transformers' own initialization passes marked tensors over."""
    info = save(random_model("bert"))
    model = type(random_model("bert")).from_pretrained(info.path)
    parameter = model.bert.pooler.dense.weight
    assert parameter._is_hf_initialized
    before = parameter.detach().clone()
    with torch.no_grad():
        model._init_weights(model.bert.pooler.dense)
    assert torch.equal(parameter, before), "the flag no longer protects: this test has lost its point"
    init_module(model, "bert.pooler", 0)
    assert not (parameter == before).any()


def test_parameters_stay_the_same_objects(random_model):
    """An optimizer that holds them goes on training them."""
    model = random_model("bert")
    before = list(model.parameters())
    dtype_and_grad = [(p.dtype, p.requires_grad, p.device) for p in before]
    init_module(model, "", 0)
    assert all(one is other for one, other in zip(model.parameters(), before, strict=True))
    assert [(p.dtype, p.requires_grad, p.device) for p in model.parameters()] == dtype_and_grad


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gets_the_numbers_of_the_cpu(random_model):
    on_cpu = random_model("bert")
    on_gpu = copy.deepcopy(on_cpu).to("cuda")
    before = torch.cuda.get_rng_state()
    for model in (on_cpu, on_gpu):
        init_module(model, BLOCK, 9)
    assert_same(weights(on_cpu), weights(on_gpu))
    assert all(p.device.type == "cuda" for p in on_gpu.parameters())
    assert torch.equal(torch.cuda.get_rng_state(), before)
