"""Attention over texts that lie one behind the other, without padding between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blurb_tune.tasks.ragged import ranges
from blurb_tune.training.engines.dropout import Masks
from blurb_tune.training.engines.lengths import split_by_length

# What a further group costs beside its scores, in scores of one head (texts' lengths squared). Attention takes least at 500 to
# 2,000 on one core, and 1 to 17 % more at 4,000, but another value would change the last digits of every run's numbers.
_COST_OF_A_GROUP = 4000.0


@dataclass(frozen=True, eq=False)
class Side:
    """Where the queries, or the keys and values, of a group's texts stand. size: of the longest text.

    among: rows of the packed tokens. at: where they come among `texts * size` rows, None where all texts are as long.
    """

    among: slice
    texts: int
    size: int
    at: torch.Tensor | None

    @classmethod
    def of(cls, lengths: NDArray[np.int64], start: int, device: torch.device) -> Side:
        size = int(lengths.max())
        at = None
        if (lengths != size).any():
            at = torch.from_numpy(ranges(np.arange(len(lengths)) * size, lengths)).to(device)
        return cls(slice(start, start + int(lengths.sum())), len(lengths), size, at)

    def heads_of(self, packed: torch.Tensor, heads: int) -> torch.Tensor:
        """(tokens, heads * d) to (heads * texts, size, d), zeros behind the shorter texts."""
        rows = packed[self.among]
        if self.at is not None:
            rows = rows.new_zeros(self.texts * self.size, rows.shape[1]).index_copy_(0, self.at, rows)
        return rows.view(self.texts, self.size, heads, -1).permute(2, 0, 1, 3).reshape(heads * self.texts, self.size, -1)

    def put(self, values: torch.Tensor, packed: torch.Tensor, heads: int) -> None:
        """(heads * texts, size, d) into its rows of `packed`, (tokens, heads * d)."""
        rows = values.view(heads, self.texts, self.size, -1).permute(1, 2, 0, 3).reshape(self.texts * self.size, -1)
        packed[self.among] = rows if self.at is None else rows.index_select(0, self.at)


@dataclass(frozen=True, eq=False)
class Group:
    """Texts of similar length, whose scores are computed together. bias: (texts, 1, size of keys), or None for none."""

    queries: Side
    keys: Side
    bias: torch.Tensor | None


def groups_of(lengths: NDArray[np.int64], *, first_only: bool, device: torch.device) -> list[Group]:
    """Groups of texts of these lengths, longest first; with `first_only`, the first token alone of each text asks."""
    groups = []
    starts = np.concatenate([[0], np.cumsum(lengths)])
    for part in split_by_length(lengths, cost_of_a_part=_COST_OF_A_GROUP, power=2):
        own = lengths[part]
        keys = Side.of(own, int(starts[part.start]), device)
        queries = Side.of(np.ones_like(own), part.start, device) if first_only else keys
        bias = None
        if keys.at is not None:
            bias = torch.full((keys.texts * keys.size,), -torch.inf, device=device).index_fill_(0, keys.at, 0.0)
            bias = bias.view(keys.texts, 1, keys.size)
        groups.append(Group(queries, keys, bias))
    return groups


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    groups: Sequence[Group],
    *,
    heads: int,
    masks: Masks | None,
    p: float,
) -> torch.Tensor:
    """softmax(Q K^T / sqrt(d)) V within each text, for packed Q (queries, heads * d), K and V (tokens, heads * d).

    masks: from which the dropout of the softmax draws, with the share `p`; None for no dropout. (Vaswani et al. 2017,
    arXiv 1706.03762, section 3.2.)
    """
    out: torch.Tensor = _Attention.apply(query, key, value, groups, heads, masks if p > 0 else None, p)  # type: ignore[no-untyped-call]
    return out


class _Attention(torch.autograd.Function):
    """Keeps the softmax and the mask for the backward pass, and neither scores nor what is left after dropout."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        groups: Sequence[Group],
        heads: int,
        masks: Masks | None,
        p: float,
    ) -> torch.Tensor:
        out = torch.empty_like(query)
        ctx.groups, ctx.heads, ctx.kept = groups, heads, []
        tensors = [query, key, value]
        root = (query.shape[1] // heads) ** -0.5
        for group in groups:
            q, k, v = (side.heads_of(x, heads) for side, x in _sides(group, query, key, value))
            scores = torch.bmm(q, k.transpose(1, 2)).mul_(root)
            if group.bias is not None:
                scores.view(heads, *group.bias.shape[:1], *scores.shape[1:]).add_(group.bias)
            shares = scores.softmax(-1, dtype=torch.float32).to(q.dtype)
            scale, left = 1.0, shares
            if masks is not None:
                kept, scale = masks.draw(shares.shape, p)
                left = torch.where(kept, shares, 0.0)
                ctx.kept.append(kept)
            ctx.scale = scale
            tensors.append(shares)
            group.queries.put(torch.bmm(left, v).mul_(scale), out, heads)
        ctx.save_for_backward(*tensors)
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        query, key, value, *all_shares = ctx.saved_tensors
        heads, root = ctx.heads, (query.shape[1] // ctx.heads) ** -0.5
        of_query, of_key, of_value = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
        for index, (group, shares) in enumerate(zip(ctx.groups, all_shares, strict=True)):
            q, k, v = (side.heads_of(x, heads) for side, x in _sides(group, query, key, value))
            above = group.queries.heads_of(grad, heads)
            kept = ctx.kept[index] if ctx.kept else None
            left = shares if kept is None else torch.where(kept, shares, 0.0)
            if ctx.scale != 1.0:
                above = above * ctx.scale
            group.keys.put(torch.bmm(left.transpose(1, 2), above), of_value, heads)
            of_shares = torch.bmm(above, v.transpose(1, 2))
            if kept is not None:
                of_shares = torch.where(kept, of_shares, 0.0)
            of_scores = torch._softmax_backward_data(of_shares, shares, -1, shares.dtype).mul_(root)
            group.queries.put(torch.bmm(of_scores, k), of_query, heads)
            group.keys.put(torch.bmm(of_scores.transpose(1, 2), q), of_key, heads)
        return of_query, of_key, of_value, None, None, None, None


def _sides(group: Group, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> list[tuple[Side, torch.Tensor]]:
    return [(group.queries, query), (group.keys, key), (group.keys, value)]
