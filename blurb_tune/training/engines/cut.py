"""A model cut behind one of its blocks: what comes out there, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from blurb_tune.models.families import Family

Forward = Callable[..., Any]


class _ReachedError(Exception):
    """The pass has come as far as it was meant to."""


@contextmanager
def starting_above(model: PreTrainedModel, family: Family, depth: int, states: torch.Tensor) -> Iterator[None]:
    """Within, a pass through `model` begins above block `depth` (0: above the embeddings), with `states` as its output.

    states: (batch, tokens, width). The ids and the mask that the model is called with have to have that shape, too.
    """
    with ExitStack() as stack:
        stack.enter_context(_override_forward(model, family.embeddings[0], lambda *inputs, **options: states))
        if family.projection is not None and has_module(model, family.projection):
            stack.enter_context(_override_forward(model, family.projection, lambda embedded: embedded))
        for block in range(depth):
            stack.enter_context(_override_forward(model, f"{family.blocks}.{block}", _passing_on(family)))
        if depth > 0:
            for module in family.beside_first_block:
                if has_module(model, module):
                    stack.enter_context(_override_forward(model, module, lambda read, given, *rest: given))
        yield


def states_at(model: PreTrainedModel, family: Family, depth: int, run: Callable[[], object]) -> torch.Tensor:
    """What block `depth`, from 1, gives the next one when `run` calls the model, (batch, tokens, width), and no further."""
    beside = [module for module in family.beside_first_block if depth == 1 and has_module(model, module)]
    module = model.get_submodule(beside[0] if beside else f"{family.blocks}.{depth - 1}")
    found: list[torch.Tensor] = []

    def catch(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)
        raise _ReachedError

    handle = module.register_forward_hook(catch)
    try:
        run()
    except _ReachedError:
        pass
    finally:
        handle.remove()
    return found[0]


def _passing_on(family: Family) -> Forward:
    if family.tuple_blocks:
        return lambda hidden_states, *rest, **options: (hidden_states, None)
    return lambda hidden_states, *rest, **options: hidden_states


@contextmanager
def _override_forward(model: PreTrainedModel, name: str, forward: Forward) -> Iterator[None]:
    module = model.get_submodule(name)
    before = module.__dict__.get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before


def has_module(model: PreTrainedModel, name: str) -> bool:
    """Whether a model of the family has this one of its modules, which some have not."""
    try:
        return isinstance(model.get_submodule(name), torch.nn.Module)
    except AttributeError:
        return False
