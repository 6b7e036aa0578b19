"""The rows of a token table that the data use, without all others.

A row that no text asks for has no gradient. It takes part in nothing but weight decay, which shrinks all such rows by the same
factor: so they need not be trained, clipped, kept in Adam's moments or written into checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from blurb_tune.models.encoder import Pretrained
from blurb_tune.models.families import family_of

Ids = TypeVar("Ids", bound=np.integer)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The tokens that a sweep's data use, of all that its encoder knows.

    parameter: the token table's name. table: all its pretrained rows, (tokens, width). used: the rows at work, ascending.
    """

    parameter: str
    table: NDArray[np.float32]
    used: NDArray[np.int64]

    @classmethod
    def of(cls, pretrained: Pretrained, ids: Iterable[NDArray[np.int32]], pad_token_id: int) -> Vocabulary:
        """Of an encoder and the ids of all tokens that it will read in training."""
        family = family_of(pretrained.family)
        parameter = f"{family.token_table}.weight"
        table = pretrained.weights[parameter]
        is_used = np.zeros(len(table), dtype=bool)
        # Where positions start behind the number of the padding token, it has to stay the same.
        is_used[0 if family.padded_positions else pad_token_id : pad_token_id + 1] = True
        padding_row = pretrained.config.get("pad_token_id")  # which learns nothing, also where the tokenizer has another
        if padding_row is not None:
            is_used[padding_row] = True
        for array in ids:
            is_used[array] = True
        return cls(parameter, table, np.flatnonzero(is_used))

    def renumber(self, ids: NDArray[Ids]) -> NDArray[Ids]:
        """The tokens' places among those used, in the type of `ids`."""
        return np.searchsorted(self.used, ids).astype(ids.dtype)

    def compact(self, pretrained: Pretrained) -> Pretrained:
        """The encoder with the used rows alone, and the padding token's number among them."""
        pad = pretrained.config.get("pad_token_id")
        known = {} if pad is None else {"pad_token_id": int(self.renumber(np.array([pad % len(self.table)]))[0])}
        return replace(
            pretrained,
            config={**pretrained.config, "vocab_size": len(self.used), **known},
            weights={**pretrained.weights, self.parameter: self.table[self.used]},
        )

    def with_all_rows(self, weights: Mapping[str, torch.Tensor], shrinkage: float) -> dict[str, torch.Tensor]:
        """A trial's weights, with the whole table. shrinkage: what weight decay leaves of a row without gradient."""
        whole = torch.tensor(self.table).mul_(shrinkage)  # torch.from_numpy would warn that a shared array is read-only
        whole[torch.from_numpy(self.used)] = weights[self.parameter]
        return {**weights, self.parameter: whole}
