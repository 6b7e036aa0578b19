"""Which tokens are kept of texts that are too long.

Plain truncation keeps the beginning. The entities of a relation, though, are masked in the text (`@GENE$`), and without them
there is nothing to classify: such texts keep what stands around them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def share_room(lengths: NDArray[np.int64], room: int) -> NDArray[np.int64]:
    """How many tokens are kept of one text, or of each of two, which have room for `room` tokens together.

    `lengths` is (1, n) or (2, n), and so is the answer. The longer text is cut first, then both to the same length: what
    Hugging Face calls `longest_first`.
    """
    if len(lengths) == 1:
        return np.minimum(lengths, room)
    shorter = np.minimum(lengths.min(axis=0), room // 2)
    shares = np.where(lengths[0] > lengths[1], [room - shorter, shorter], [shorter, room - shorter])
    return np.minimum(lengths, shares)


def keep_markers(in_marker: Sequence[Mask], shares: Sequence[int], room: int) -> list[Mask]:
    """Which tokens are kept of an example that is too long and has markers.

    `in_marker` tells for each of its one or two texts which tokens belong to a marker; these are kept. `shares` are the tokens
    that plain truncation keeps of each text; where the markers of one of two need more, they take it from the other. A text
    whose markers fit keeps one window around them, in the middle as far as its ends allow; of another, tokens are cut out that
    lie far from its markers; one without markers keeps its beginning. All markers together have to fit into `room`.
    """
    if len(in_marker) == 2:
        needed = [int(mask.sum()) for mask in in_marker]
        first = min(max(shares[0], needed[0]), room - needed[1])
        shares = [first, room - first]
    return [_window(mask, share) for mask, share in zip(in_marker, shares, strict=True)]


def _window(needed: Mask, room: int) -> Mask:
    """At most `room` tokens, the needed ones among them."""
    positions = np.arange(len(needed))
    anchors = np.flatnonzero(needed)
    if not len(anchors):
        return positions < room
    if anchors[-1] + 1 - anchors[0] <= room:
        anchors = np.arange(anchors[0], anchors[-1] + 1)
    behind = np.searchsorted(anchors, positions)
    following, preceding = anchors[np.minimum(behind, len(anchors) - 1)], anchors[np.maximum(behind - 1, 0)]
    distances = np.minimum(np.abs(following - positions), np.abs(positions - preceding))
    kept = np.zeros(len(needed), dtype=np.bool_)
    kept[np.argsort(distances, kind="stable")[:room]] = True
    return kept
