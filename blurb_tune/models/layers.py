"""Where every parameter of an encoder belongs: embeddings, a block, the pooler or the head.

Freezing, layer decay and re-initialisation all read this map, so a new model family is one new entry in `FAMILIES`. The module
itself needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from blurb_tune.errors import BlurbTuneError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Family:
    """Names of the modules that make up a sequence classifier of one family.

    model_type: the family's name in a Hugging Face config. embeddings: everything below the first block. blocks: the list
    that holds the blocks, counted from 0 there. pooler: the dense layer between the last block and the classifier; in some
    families a part of the head. head: what maps to the task's outputs. padded_positions: position embeddings start behind
    the padding token's index, which costs usable positions.
    """

    model_type: str
    embeddings: tuple[str, ...]
    blocks: str
    pooler: str
    head: str
    padded_positions: bool = False


FAMILIES: Mapping[str, Family] = {
    family.model_type: family
    for family in (
        Family("bert", ("bert.embeddings",), "bert.encoder.layer", "bert.pooler", "classifier"),
        Family("roberta", ("roberta.embeddings",), "roberta.encoder.layer", "classifier.dense", "classifier", True),
        Family("xlm-roberta", ("roberta.embeddings",), "roberta.encoder.layer", "classifier.dense", "classifier", True),
        Family(
            "electra",
            ("electra.embeddings", "electra.embeddings_project"),
            "electra.encoder.layer",
            "classifier.dense",
            "classifier",
        ),
    )
}


def family_of(model_type: str) -> Family:
    """The entry for a Hugging Face `model_type`. Raises BlurbTuneError for a family without one."""
    if model_type not in FAMILIES:
        raise BlurbTuneError(
            f"model family {model_type!r} is not supported (supported: {', '.join(FAMILIES)}); "
            "one entry in FAMILIES, in blurb_tune/models/layers.py, adds a family"
        )
    return FAMILIES[model_type]


class Part(StrEnum):
    EMBEDDINGS = "embeddings"
    BLOCK = "block"
    POOLER = "pooler"
    HEAD = "head"


@dataclass(frozen=True)
class Place:
    """A part of the model and its level: 0 embeddings, 1..L the blocks from the lowest, L + 1 pooler and head."""

    level: int
    part: Part

    def __str__(self) -> str:
        return f"block {self.level}" if self.part is Part.BLOCK else str(self.part)


@dataclass(frozen=True)
class LayerMap:
    """The place of every parameter of one model with `blocks` blocks (L), by the parameter's name."""

    family: Family
    blocks: int
    places: Mapping[str, Place]

    def place(self, parameter: str) -> Place:
        """Raises BlurbTuneError for a parameter that the model did not have when it was mapped."""
        if parameter not in self.places:
            raise BlurbTuneError(
                f"parameter {parameter!r} has no place in the layer map of this {self.family.model_type} model"
            )
        return self.places[parameter]

    def names(self, part: Part) -> frozenset[str]:
        """The parameters that belong to `part`."""
        return frozenset(name for name, place in self.places.items() if place.part is part)

    def block_module(self, block: int) -> str:
        """The module of block 1..L, 1 lowest."""
        return f"{self.family.blocks}.{block - 1}"


def layer_map(model: PreTrainedModel) -> LayerMap:
    """Find the place of each parameter of a sequence classifier.

    Raises BlurbTuneError for a family without an entry, a parameter that no part of the family contains, and a number of
    blocks that differs from what the model's config says.
    """
    family = family_of(model.config.model_type)
    blocks = int(model.config.num_hidden_layers)
    places = {name: _place(name, family, blocks) for name, _ in model.named_parameters()}
    found = {place.level for place in places.values() if place.part is Part.BLOCK}
    if found != set(range(1, blocks + 1)):
        raise BlurbTuneError(f"expected blocks 1 to {blocks} in {family.blocks!r}, but found {sorted(found)}")
    return LayerMap(family, blocks, places)


def _place(parameter: str, family: Family, blocks: int) -> Place:
    if any(_is_in(parameter, module) for module in family.embeddings):
        return Place(0, Part.EMBEDDINGS)
    if _is_in(parameter, family.blocks):
        index = parameter.removeprefix(f"{family.blocks}.").partition(".")[0]
        return Place(int(index) + 1, Part.BLOCK)
    if _is_in(parameter, family.pooler):
        return Place(blocks + 1, Part.POOLER)
    if _is_in(parameter, family.head):
        return Place(blocks + 1, Part.HEAD)
    raise BlurbTuneError(
        f"parameter {parameter!r} belongs to no part of the family {family.model_type!r}; "
        "its entry in FAMILIES, in blurb_tune/models/layers.py, does not describe this model"
    )


def _is_in(parameter: str, module: str) -> bool:
    return parameter.startswith(f"{module}.")
