"""Initializes weights as a model's family does, from a seed, the same on every machine and device."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TYPE_CHECKING

import torch

from blurb_tune.core.seeds import derive
from blurb_tune.models.layers import LayerMap, Part, is_in

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@torch.no_grad()
def init_module(model: PreTrainedModel, name: str, seed: int) -> None:
    """Re-initialize all weights of the module `name` and its submodules as the model's family does.

    Every submodule draws from a generator of its own, derived from the seed and its name, so its weights do not depend on
    what else is initialized. They are drawn on the CPU in float64, for which torch has no code path of its own per instruction
    set, and then rounded: the same numbers with AVX2, AVX-512 or neither, on a CPU or a GPU. The global generators of
    torch are left as they were. "" is the whole model.
    """
    module = model.get_submodule(name)
    fresh = copy.deepcopy(module).to(device="cpu", dtype=torch.float64)
    # transformers passes over a tensor with this flag, which every tensor read from a checkpoint carries.
    for parameter in model.parameters():
        parameter._is_hf_initialized = True
    for parameter in fresh.parameters():
        parameter._is_hf_initialized = False
    with torch.random.fork_rng(devices=[]):
        for path, submodule in [*_children_first(fresh, name), *_parents(model, name, fresh)]:
            # torch.manual_seed would seed the GPUs as well.
            torch.default_generator.manual_seed(derive(seed, "init", path))
            model._init_weights(submodule)
    for old, new in zip(module.parameters(), fresh.parameters(), strict=True):
        old.copy_(new)


def init_head(model: PreTrainedModel, layers: LayerMap, pretrained: Collection[str], seed: int) -> None:
    """Initialize the head, and of the pooler the modules that are not among the `pretrained` parameters."""
    init_module(model, layers.family.head, seed)
    fresh = layers.names(Part.POOLER) - set(pretrained)
    for module in layers.pooler_modules:
        if any(is_in(name, module) for name in fresh):
            init_module(model, module, seed)


def _children_first(module: torch.nn.Module, path: str) -> list[tuple[str, torch.nn.Module]]:
    """The submodules with their full names, each after its children, as `torch.nn.Module.apply` goes through them."""
    below = [
        pair for name, child in module.named_children() for pair in _children_first(child, f"{path}.{name}" if path else name)
    ]
    return [*below, (path, module)]


def _parents(model: torch.nn.Module, path: str, fresh: torch.nn.Module) -> list[tuple[str, torch.nn.Module]]:
    """What holds the module at `path`, from the nearest up to the model, with `fresh` in the module's place.

    In some families a parent initializes its children: ModernBERT's model its classifier, otherwise than other linear layers.
    They are shallow copies, so that the model itself stays as it is.
    """
    parents = []
    while path:
        path, _, child = path.rpartition(".")
        parent = copy.copy(model.get_submodule(path))
        parent._modules = {**parent._modules, child: fresh}
        parents.append((path, parent))
        fresh = parent
    return parents
