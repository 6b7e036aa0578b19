"""Where every parameter of a classifier belongs: embeddings, a block, the pooler or the head. The module needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.families import Family, family_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Part(StrEnum):
    EMBEDDINGS = "embeddings"
    BLOCK = "block"
    POOLER = "pooler"
    HEAD = "head"


@dataclass(frozen=True)
class LayerRef:
    """A part of the model and its level: 0 embeddings, 1..L the blocks from the lowest, L + 1 pooler and head."""

    level: int
    part: Part

    def __str__(self) -> str:
        return f"block {self.level}" if self.part is Part.BLOCK else str(self.part)


@dataclass(frozen=True)
class LayerMap:
    """The layer of every parameter of one model with `blocks` blocks (L), by the parameter's name, and the modules of each."""

    family: Family
    blocks: int
    refs: Mapping[str, LayerRef]
    modules: Mapping[LayerRef, tuple[str, ...]]

    def layer_of(self, parameter: str) -> LayerRef:
        """Raises BlurbTuneError for a parameter that the model did not have when it was mapped."""
        if parameter not in self.refs:
            raise BlurbTuneError(f"parameter {parameter!r} is not in the layer map of this {self.family.model_type} model")
        return self.refs[parameter]

    def names(self, part: Part) -> frozenset[str]:
        """The parameters that belong to `part`."""
        return frozenset(name for name, ref in self.refs.items() if ref.part is part)

    def block_modules(self, block: int) -> tuple[str, ...]:
        """The modules of block 1..L, 1 lowest."""
        return self.modules[LayerRef(block, Part.BLOCK)]

    @property
    def projections(self) -> tuple[str, ...]:
        """What makes queries and values in all blocks, from the lowest up."""
        return tuple(
            f"{self.family.blocks}.{block}.{name}" for block in range(self.blocks) for name in self.family.projections
        )

    @property
    def pooler_modules(self) -> tuple[str, ...]:
        """None in a token classifier of most families."""
        return self.modules[LayerRef(self.blocks + 1, Part.POOLER)]


def layer_map(model: PreTrainedModel) -> LayerMap:
    """Find the layer of each parameter of a sequence or token classifier.

    Raises BlurbTuneError for a family without an entry, a parameter that no part of the family contains, and a number of
    blocks that differs from what the model's config says.
    """
    family = family_of(model.config.model_type)
    blocks = int(model.config.num_hidden_layers)
    parameters = [name for name, _ in model.named_parameters()]
    modules = {
        ref: tuple(module for module in listed if any(is_in(name, module) for name in parameters))
        for ref, listed in _modules(family, blocks).items()
    }
    refs = {name: _layer_of(name, family, modules) for name in parameters}
    found = {ref.level for ref in refs.values() if ref.part is Part.BLOCK}
    if found != set(range(1, blocks + 1)):
        raise BlurbTuneError(f"expected blocks 1 to {blocks} in {family.blocks!r}, but found {sorted(found)}")
    return LayerMap(family, blocks, refs, modules)


def _modules(family: Family, blocks: int) -> dict[LayerRef, tuple[str, ...]]:
    """The modules of each layer; a parameter belongs to the first that contains it, as a pooler can be a part of the head."""
    beside = {1: family.beside_first_block}
    return {
        LayerRef(0, Part.EMBEDDINGS): family.embeddings,
        **{
            LayerRef(block, Part.BLOCK): (f"{family.blocks}.{block - 1}", *beside.get(block, ()))
            for block in range(1, blocks + 1)
        },
        LayerRef(blocks + 1, Part.POOLER): family.pooler,
        LayerRef(blocks + 1, Part.HEAD): (family.head,),
    }


def _layer_of(parameter: str, family: Family, modules: Mapping[LayerRef, tuple[str, ...]]) -> LayerRef:
    for ref, listed in modules.items():
        if any(is_in(parameter, module) for module in listed):
            return ref
    raise BlurbTuneError(
        f"parameter {parameter!r} belongs to no part of the family {family.model_type!r}; "
        "its entry in FAMILIES, in blurb_tune/models/families.py, does not describe this model"
    )


def is_in(parameter: str, module: str) -> bool:
    """Whether the module holds the parameter, by their names."""
    return parameter.startswith(f"{module}.")
