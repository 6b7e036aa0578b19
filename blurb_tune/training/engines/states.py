"""Hidden states of a set of examples behind a block that nothing changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from blurb_tune.tasks.ragged import ranges


@dataclass(frozen=True, eq=False)
class States:
    """What comes out of block `depth` (0: of the embeddings) for each token, without dropout.

    values: (tokens, width), on the CPU or on the model's device. starts: (n,), where the tokens of example i begin among them.
    """

    depth: int
    values: torch.Tensor
    starts: NDArray[np.int64]

    def of_tokens(self, rows: NDArray[np.int64], lengths: NDArray[np.int64], device: torch.device) -> torch.Tensor:
        """Those of the first `lengths` (k,) tokens of each of the examples `rows` (k,), one behind the other."""
        indices = torch.from_numpy(ranges(self.starts[rows], lengths)).to(self.values.device, non_blocking=True)
        return self.values.index_select(0, indices).to(device, non_blocking=True)
