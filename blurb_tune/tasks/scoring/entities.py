"""Entities in tagged sentences: where a run of tags begins and ends, counted and compared in plain numpy.

Tags are indices of labels. The tags of all sentences stand one after the other, (w,), and sentence i has the words
offsets[i] to offsets[i + 1], as in `features.Words`. The rules are those of seqeval in its default mode, which are those of
CoNLL's conlleval: whatever begins an entity without a B is read as its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from blurb_tune.tasks.task import OUTSIDE

NO_TAG = -1

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_BEGINS = frozenset("BS")
_CLOSES = frozenset("ES")
_PREFIXES = frozenset("BIES")


@dataclass(frozen=True, eq=False)
class TagSet:
    """What each label says of a word, (labels + 1,) each; the last entry is of NO_TAG, which says what `O` says.

    types: index of the entity's type in `names`, -1 outside entities. begins: the word is an entity's first whatever stands
    before it (prefixes B and S). closes: it is an entity's last (E and S). names: the types, in the order of the labels.
    """

    types: Ints
    begins: Flags
    closes: Flags
    names: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[str]) -> Self:
        """`B-gene` is a B of the type `gene`, a plain `B` one of a type without a name, and `gene` an I of the type `gene`."""
        prefixes, types = zip(*(_split(label) for label in (*labels, OUTSIDE)), strict=True)
        names = tuple(dict.fromkeys(name for name in types if name is not None))
        return cls(
            np.array([-1 if name is None else names.index(name) for name in types]),
            np.array([prefix in _BEGINS for prefix in prefixes]),
            np.array([prefix in _CLOSES for prefix in prefixes]),
            names,
        )

    def spans(self, tags: Sequence[int]) -> Iterator[tuple[int, int]]:
        """First and last word of each entity in the tags of one sentence."""
        begin, before = None, NO_TAG
        for word, tag in enumerate([*tags, NO_TAG]):
            kind = self.types[tag]
            if begin is not None and (kind != self.types[before] or self.closes[before] or self.begins[tag]):
                yield begin, word - 1
                begin = None
            if begin is None and kind >= 0:
                begin = word
            before = tag


def _split(label: str) -> tuple[str, str | None]:
    """Prefix and type of a label; the type is None outside entities."""
    if label == OUTSIDE:
        return OUTSIDE, None
    prefix, _, name = label.partition("-")
    return (prefix, name) if prefix in _PREFIXES else ("I", label)


def _is_first(tags: Ints, offsets: Ints, tag_set: TagSet) -> Flags:
    types = tag_set.types[tags]
    before = np.roll(tags, 1)
    opens_sentence = np.zeros(len(tags) + 1, dtype=np.bool_)  # an empty last sentence would begin behind the last word
    opens_sentence[offsets[:-1]] = True
    is_new: Flags = tag_set.begins[tags] | tag_set.closes[before] | (tag_set.types[before] != types) | opens_sentence[:-1]
    return is_new & (types >= 0)


def _ends(tags: Ints, offsets: Ints, tag_set: TagSet) -> Ints:
    """For each word that begins an entity the position of its last word, and -1 for all others, (w,)."""
    is_inside = tag_set.types[tags] >= 0
    is_first = _is_first(tags, offsets, tag_set)
    goes_on = is_inside & ~is_first  # never true of the very first word
    is_last = is_inside & ~np.roll(goes_on, -1)
    ends = np.full(len(tags), -1)
    ends[is_first] = np.flatnonzero(is_last)
    return ends


def count_entities(tags: Ints, offsets: Ints, labels: Sequence[str]) -> int:
    """How many entities the sentences hold."""
    return int(_is_first(tags, offsets, TagSet.of(labels)).sum())


def count_repairs(tags: Ints, offsets: Ints, labels: Sequence[str]) -> int:
    """How many entities begin without the B that their type has among `labels`, and are read as if it were there."""
    tag_set = TagSet.of(labels)
    has_beginning = np.isin(tag_set.types, tag_set.types[tag_set.begins])
    is_repaired = has_beginning & ~tag_set.begins
    return int((_is_first(tags, offsets, tag_set) & is_repaired[tags]).sum())


def compare_entities(predicted: Ints, actual: Ints, offsets: Ints, labels: Sequence[str]) -> tuple[Ints, Ints, Ints]:
    """How many entities of each sentence are in both, in `predicted`, and in `actual`, (n,) each.

    The same means same type, first and last word.
    """
    tag_set = TagSet.of(labels)
    found, real = (_ends(tags, offsets, tag_set) for tags in (predicted, actual))
    is_same = (found >= 0) & (found == real) & (tag_set.types[predicted] == tag_set.types[actual])
    return per_sentence(is_same, offsets), per_sentence(found >= 0, offsets), per_sentence(real >= 0, offsets)


def per_sentence(flags: Flags, offsets: Ints) -> Ints:
    """How many words of each sentence have the flag, (n,)."""
    return np.diff(np.concatenate([[0], np.cumsum(flags)])[offsets])
