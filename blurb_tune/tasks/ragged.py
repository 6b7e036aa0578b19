"""Groups of different lengths that lie one behind the other in flat arrays, such as the words of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def boundaries(counts: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where each of len(counts) groups starts when they stand one after the other, and where the last one ends, (n + 1,)."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """starts[0] ... starts[0] + counts[0] - 1, then the same for the next, in one array."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + counts, counts)


@dataclass(frozen=True, eq=False)
class Words:
    """Where the words of tagged sentences stand, w words in n sentences.

    offsets: int64, (n + 1,); sentence i has the words offsets[i] to offsets[i + 1]. tokens: int32, (w,), the position of each
    word's first token among the tokens of its sentence, -1 for a word that was cut off or that gives no token.
    """

    offsets: NDArray[np.int64]
    tokens: NDArray[np.int32]

    @property
    def is_read(self) -> NDArray[np.bool_]:
        """Which words the model gets to read, (w,)."""
        return self.tokens >= 0

    @property
    def lost(self) -> int:
        """How many words the model does not get to read."""
        return int(np.count_nonzero(~self.is_read))

    def take(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Words]:
        """The indices of the words of the sentences `rows`, in that order, and where these words stand."""
        counts = np.diff(self.offsets)[rows]
        indices = ranges(self.offsets[rows], counts)
        return indices, Words(boundaries(counts), self.tokens[indices])
