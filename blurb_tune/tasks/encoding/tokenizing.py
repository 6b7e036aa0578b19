"""Examples in tokens: their texts cut to length, with the tokenizer's special tokens around them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.tasks.encoding.pieces import Pieces, Ragged, read_texts, read_words
from blurb_tune.tasks.encoding.windows import keep_markers, share_room
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.ragged import boundaries, ranges
from blurb_tune.tasks.task import Task

# Examples that are put together at a time, for the sake of memory.
_CHUNK = 1000


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of n examples, one after the other.

    ids, types: (tokens,). lengths: tokens per example, (n,). first: of each word of the examples its first token's position in
    its example, -1 where that was cut off or there is none; empty for texts that are not split into words. truncated: how many
    examples lost tokens.
    """

    ids: NDArray[np.int32]
    types: NDArray[np.int8]
    lengths: NDArray[np.int64]
    first: NDArray[np.int32]
    truncated: int

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        return cls(
            ids=np.concatenate([part.ids for part in parts]),
            types=np.concatenate([part.types for part in parts]),
            lengths=np.concatenate([part.lengths for part in parts]),
            first=np.concatenate([part.first for part in parts]),
            truncated=sum(part.truncated for part in parts),
        )


def tokenize(examples: Sequence[Example], backend: Any, max_length: int, side: str, task: Task) -> Tokens:
    """`backend` is a `tokenizers.Tokenizer`, which stays as it is; `side` is where texts are cut, "right" or "left".

    Raises BlurbTuneError where the special tokens, or the markers of an example, take up more than `max_length`.
    """
    backend = copy.deepcopy(backend)
    backend.no_padding()
    backend.no_truncation()
    plain = len(task.fields) if task.kind.word_field is None else task.kind.word_field
    texts = [read_texts([e.texts[index] for e in examples], backend, task.markers) for index in range(plain)]
    if task.per_token:
        texts.append(read_words([example.texts[plain:] for example in examples], backend))
    layout = _Layout.of(backend, max_length, side, task)
    return Tokens.join([layout.put(examples, texts, start) for start in range(0, len(examples), _CHUNK)])


@dataclass(frozen=True)
class _Layout:
    """How texts become an example.

    specials: ids and types of the special tokens before each text and behind the last. types: of each text's own tokens.
    room: the most tokens of the texts together. is_split: the last text is words of its own.
    """

    specials: tuple[tuple[list[int], list[int]], ...]
    types: tuple[int, ...]
    room: int
    side: str
    is_split: bool

    @classmethod
    def of(cls, backend: Any, max_length: int, side: str, task: Task) -> Self:
        texts = len(task.fields)
        probe = backend.encode(*["a"] * texts)
        places = [[i for i, number in enumerate(probe.sequence_ids) if number == text] for text in range(texts)]
        starts, ends = [0, *(place[-1] + 1 for place in places)], [*(place[0] for place in places), len(probe)]
        specials = tuple((probe.ids[i:j], probe.type_ids[i:j]) for i, j in zip(starts, ends, strict=True))
        special = sum(len(ids) for ids, _ in specials)
        if max_length <= special:
            raise BlurbTuneError(f"max_length must be above {special}, the special tokens of an example, but got {max_length}")
        return cls(specials, tuple(probe.type_ids[place[0]] for place in places), max_length - special, side, task.per_token)

    def put(self, examples: Sequence[Example], pieces: Sequence[Pieces], start: int) -> Tokens:
        """The examples from `start` on, up to the size of a chunk."""
        end = min(start + _CHUNK, len(examples))
        texts, starts = zip(*(text.read(start, end) for text in pieces), strict=True)
        lengths = np.stack([text.lengths for text in texts])
        shares = share_room(lengths, self.room)
        kept = [self._plain(text, share) for text, share in zip(texts, shares, strict=True)]
        too_long = np.flatnonzero(lengths.sum(axis=0) > self.room)
        for row in too_long.tolist():
            spans = [slice(*text.offsets[row : row + 2]) for text in texts]
            in_marker = [text.in_marker[span] for text, span in zip(texts, spans, strict=True)]
            if any(mask.any() for mask in in_marker):
                self._check(examples[start + row], sum(int(mask.sum()) for mask in in_marker))
                windows = keep_markers(in_marker, shares[:, row].tolist(), self.room)
                for mask, span, window in zip(kept, spans, windows, strict=True):
                    mask[span] = window
        ids, types, total = self._fill(texts, kept)
        first = np.empty(0, np.int32)
        if self.is_split:
            before = total - len(self.specials[-1][0]) - np.diff(boundaries(kept[-1])[texts[-1].offsets])
            first = self._first_tokens(texts[-1], kept[-1], starts[-1], before)
        return Tokens(ids, types, total, first, len(too_long))

    def _plain(self, text: Ragged, shares: NDArray[np.int64]) -> NDArray[np.bool_]:
        """What plain truncation keeps of each row."""
        skipped = text.lengths - shares if self.side == "left" else np.zeros_like(shares)
        kept = np.zeros(len(text.ids), dtype=np.bool_)
        kept[ranges(text.offsets[:-1] + skipped, shares)] = True
        return kept

    def _check(self, example: Example, needed: int) -> None:
        if needed > self.room:
            special = sum(len(ids) for ids, _ in self.specials)
            raise BlurbTuneError(
                f"example {example.id!r} has masked entities of {needed} tokens, which are never cut off, but max_length "
                f"{self.room + special} leaves room for {self.room}; expected a max_length of at least {needed + special}"
            )

    def _fill(
        self, texts: Sequence[Ragged], kept: Sequence[NDArray[np.bool_]]
    ) -> tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64]]:
        """Ids, types and lengths of the examples that the kept tokens of the texts' rows make."""
        lengths = [np.diff(boundaries(mask)[text.offsets]) for mask, text in zip(kept, texts, strict=True)]
        total = np.sum(lengths, axis=0) + sum(len(ids) for ids, _ in self.specials)
        ids, types = np.empty(total.sum(), np.int32), np.empty(total.sum(), np.int8)
        place = boundaries(total)[:-1]
        for number, (special_ids, special_types) in enumerate(self.specials):
            where = place[:, None] + np.arange(len(special_ids))
            ids[where], types[where] = special_ids, special_types
            place = place + len(special_ids)
            if number < len(texts):
                where = ranges(place, lengths[number])
                ids[where], types[where] = texts[number].ids[kept[number]], self.types[number]
                place = place + lengths[number]
        return ids, types, total

    def _first_tokens(
        self, text: Ragged, kept: NDArray[np.bool_], starts: NDArray[np.int64], ahead: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """Where in its example the first token of each word stands, -1 for none; `starts` says where it is in the text.

        ahead: how many tokens of each example stand before the text.
        """
        first = np.full(len(starts) - 1, -1, dtype=np.int32)
        words = np.flatnonzero(np.diff(starts))
        words = words[kept[starts[words]]]
        row = np.searchsorted(text.offsets, starts[words], side="right") - 1
        before = boundaries(kept)
        first[words] = before[starts[words]] - before[text.offsets[row]] + ahead[row]
        return first
