"""Encoders with blocks like BERT's, run on texts that lie one behind the other: nothing that is computed is padding.

All layers but attention look at one token at a time, so they need no batch. What a classifier of texts reads is the first
token of each: of the last block, only keys and values are computed for the others. The modules and their parameters are those
of the Hugging Face model; embeddings, pooler and head run as they are.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from blurb_tune.models.families import BlockLayout, Family
from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.tasks.ragged import ranges
from blurb_tune.training.engines.attention import Group, attend, groups_of
from blurb_tune.training.engines.cut import has_module, starting_above
from blurb_tune.training.engines.dropout import Masks
from blurb_tune.training.engines.states import States


@dataclass(frozen=True, eq=False)
class _Pack:
    """Examples sorted by length, longest first. lengths, starts: (n,), of each among the packed tokens.

    at: (n,), where each of the rows that were asked for stands in this order.
    """

    rows: NDArray[np.int64]
    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]
    at: NDArray[np.int64]

    @classmethod
    def of(cls, data: Encoded, rows: NDArray[np.int64]) -> _Pack:
        order = np.argsort(-data.lengths[rows], kind="stable")
        lengths = data.lengths[rows][order]
        return cls(rows[order], lengths, np.cumsum(lengths) - lengths, np.argsort(order))

    def tokens(self, data: Encoded) -> NDArray[np.int64]:
        """Their indices among all of `data`."""
        return ranges(data.offsets[self.rows], self.lengths)

    def positions(self, data: Encoded, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where among the packed tokens the model says something of `data.units(rows)`."""
        assert data.words is not None, "a task of tagged words"
        _, words = data.words.take(rows)
        starts = np.repeat(self.starts[self.at], np.diff(words.offsets))
        return (starts + words.tokens)[words.is_read]


class _Block:
    """One block, on packed tokens."""

    def __init__(self, module: torch.nn.Module, layout: BlockLayout, heads: int, masks: Masks):
        def at(path: str | None) -> Any:
            return None if path is None else module.get_submodule(path)

        self._module, self._heads, self._masks = module, heads, masks
        self._query, self._key, self._value = at(layout.query), at(layout.key), at(layout.value)
        self._attention_dropout = at(layout.attention_dropout)
        self._attended = at(layout.attention_output), at(layout.attention_output_dropout), at(layout.attention_norm)
        self._intermediate, self._activation = at(layout.intermediate), at(layout.activation)
        self._output = at(layout.output), at(layout.output_dropout), at(layout.output_norm)

    def __call__(self, states: torch.Tensor, groups: list[Group], asking: torch.Tensor | None = None) -> torch.Tensor:
        """(tokens, width) to the same, or to (k, width) for the k tokens that are `asking`."""
        asked = states if asking is None else states.index_select(0, asking)
        attended = attend(
            self._query(asked),
            self._key(states),
            self._value(states),
            groups,
            heads=self._heads,
            masks=self._masks if self._module.training else None,
            p=self._attention_dropout.p,
        )
        attended = self._join(attended, asked, *self._attended)
        return self._join(self._activation(self._intermediate(attended)), attended, *self._output)

    def _join(self, values: torch.Tensor, beside: torch.Tensor, dense: Any, dropout: Any, norm: Any) -> torch.Tensor:
        values = dense(values)
        if dropout is not None and self._module.training and dropout.p > 0:
            kept, scale = self._masks.draw(values.shape, dropout.p)
            joined: torch.Tensor = norm(torch.add(beside, torch.where(kept, values, 0.0), alpha=scale))
        else:
            joined = norm(beside + values)
        return joined


class PackedEngine:
    """Runs examples through a model, without padding.

    masks: from which dropout draws in training; the caller has the model's own dropout modules draw from there, too.
    """

    def __init__(self, model: PreTrainedModel, family: Family, masks: Masks):
        assert family.layout is not None, "blocks like BERT's"
        self._model, self._family = model, family
        self._device = next(model.parameters()).device
        modules = list(model.get_submodule(family.blocks).children())
        self._depth = len(modules)
        self._blocks = [_Block(module, family.layout, model.config.num_attention_heads, masks) for module in modules]
        self._stem = model.get_submodule(family.embeddings[0])
        has_projection = family.projection is not None and has_module(model, family.projection)
        self._projection = model.get_submodule(family.projection or "") if has_projection else None
        self._has_segments = "token_type_ids" in inspect.signature(type(self._stem).forward).parameters
        self._first_position = model.config.pad_token_id + 1 if family.padded_positions else 0

    def parts(self, lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Which of a batch's examples run together: all."""
        return [np.arange(len(lengths))]

    def outputs(self, data: Encoded, rows: NDArray[np.int64], below: States | None = None) -> torch.Tensor:
        """What the model says of `data.units(rows)`, (units, outputs); from the states `below`, where they are known."""
        pack = _Pack.of(data, rows)
        per_token = data.words is not None
        states = self._run(data, pack, self._depth, below, first_only=not per_token)
        given = states[None] if per_token else states[:, None]
        logits = self._top(given)
        if not per_token:
            return logits.index_select(0, self._on_device(pack.at))
        return logits[0].index_select(0, self._on_device(pack.positions(data, rows)))

    def states(
        self, data: Encoded, rows: NDArray[np.int64], depth: int, below: States | None
    ) -> tuple[NDArray[np.int64], torch.Tensor]:
        """The states behind block `depth` of all tokens of `rows`, (tokens, width), and which tokens of `data` these are."""
        pack = _Pack.of(data, rows)
        return pack.tokens(data), self._run(data, pack, depth, below, first_only=False)

    def _run(self, data: Encoded, pack: _Pack, depth: int, below: States | None, *, first_only: bool) -> torch.Tensor:
        if below is not None and below.depth == depth and first_only:
            return below.of_tokens(pack.rows, np.ones_like(pack.lengths), self._device)
        states = self._embed(data, pack) if below is None else below.of_tokens(pack.rows, pack.lengths, self._device)
        groups = groups_of(pack.lengths, first_only=False, device=self._device)
        for number in range(below.depth if below else 0, depth):
            if first_only and number == depth - 1:
                asking = groups_of(pack.lengths, first_only=True, device=self._device)
                states = self._blocks[number](states, asking, self._on_device(pack.starts))
            else:
                states = self._blocks[number](states, groups)
        return states

    def _embed(self, data: Encoded, pack: _Pack) -> torch.Tensor:
        tokens = pack.tokens(data)
        inputs: dict[str, NDArray[Any]] = {
            "input_ids": data.input_ids[tokens],
            "position_ids": ranges(np.full_like(pack.lengths, self._first_position), pack.lengths),
        }
        if data.token_type_ids is not None and self._has_segments:
            inputs["token_type_ids"] = data.token_type_ids[tokens]
        states = self._stem(**{name: self._on_device(values.astype(np.int64))[None] for name, values in inputs.items()})[0]
        embedded: torch.Tensor = states if self._projection is None else self._projection(states)
        return embedded

    def _top(self, states: torch.Tensor) -> torch.Tensor:
        ids = torch.zeros(states.shape[:2], dtype=torch.long, device=self._device)
        with starting_above(self._model, self._family, self._depth, states):
            logits: torch.Tensor = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return logits

    def _on_device(self, values: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device, non_blocking=True)
