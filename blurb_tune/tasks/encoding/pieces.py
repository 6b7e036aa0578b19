"""Texts in tokens, where each distinct piece of text is tokenized once.

The same words come again and again, and between two blanks most tokenizers look at nothing else.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from blurb_tune.tasks.ragged import boundaries, ranges

# Pieces that are tokenized in one call: enough to keep all cores busy, few enough to take little memory.
_CHUNK = 1000
_BLANK = re.compile(r"\s")


@dataclass(frozen=True, eq=False)
class Ragged:
    """n rows of tokens, one after the other: row i has the tokens offsets[i] to offsets[i + 1].

    ids: int32, (tokens,). in_marker: whether a token has a character of a marker, (tokens,). offsets: (n + 1,).
    """

    ids: NDArray[np.int32]
    in_marker: NDArray[np.bool_]
    offsets: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    def take(self, rows: NDArray[np.int32]) -> Ragged:
        tokens = ranges(self.offsets[rows], self.lengths[rows])
        return Ragged(self.ids[tokens], self.in_marker[tokens], boundaries(self.lengths[rows]))


@dataclass(frozen=True, eq=False)
class Pieces:
    """Texts cut into pieces: text i has those of offsets[i] to offsets[i + 1] in `rows`, which are rows of `table`."""

    table: Ragged
    rows: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def read(self, start: int, end: int) -> tuple[Ragged, NDArray[np.int64]]:
        """The texts `start` to `end`, a row for each; and where each of their pieces starts among their tokens, and ends."""
        pieces = self.table.take(self.rows[self.offsets[start] : self.offsets[end]])
        texts = pieces.offsets[self.offsets[start : end + 1] - self.offsets[start]]
        return Ragged(pieces.ids, pieces.in_marker, texts), pieces.offsets


def read_words(sentences: Sequence[Sequence[str]], backend: Any) -> Pieces:
    """Each word is a piece. `backend` is a `tokenizers.Tokenizer` that does not truncate."""
    # Byte-level tokenizers have other tokens for a word behind a blank, as nearly all words of a text are.
    needs_blank = backend.encode("a").ids != backend.encode(" a").ids
    return _pieces_of(sentences, lambda word: f" {word}" if needs_blank and not word.startswith(" ") else word, backend, ())


def read_texts(texts: Sequence[str], backend: Any, markers: Sequence[str]) -> Pieces:
    """As the tokenizer reads them. `backend` is a `tokenizers.Tokenizer` that does not truncate."""
    if _reads_between_blanks(backend) and not any(map(_BLANK.search, markers)):
        return _pieces_of([text.split(" ") for text in texts], str, backend, markers)
    return _pieces_of([[text] for text in texts], str, backend, markers)


def _reads_between_blanks(backend: Any) -> bool:
    """Whether a text has the tokens of its parts between blanks, one after the other.

    So it is with BERT's pre-tokenizer, which drops blanks, and its normalizer, where no character counts across a blank.
    """
    added = (token.content for token in backend.get_added_tokens_decoder().values())
    return (
        isinstance(backend.pre_tokenizer, BertPreTokenizer)
        and isinstance(backend.normalizer, BertNormalizer | None)
        and not any(map(_BLANK.search, added))
    )


def _pieces_of(texts: Sequence[Sequence[str]], spell: Callable[[str], str], backend: Any, markers: Sequence[str]) -> Pieces:
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    rows = np.fromiter(chain.from_iterable(map(numbers.__getitem__, pieces) for pieces in texts), np.int32)
    return Pieces(_tokenize([spell(piece) for piece in numbers], backend, markers), rows, boundaries(list(map(len, texts))))


def _tokenize(pieces: Sequence[str], backend: Any, markers: Sequence[str]) -> Ragged:
    pattern = re.compile("|".join(map(re.escape, sorted(markers, key=len, reverse=True))) or r"(?!)")
    ids: list[NDArray[np.int32]] = []
    in_marker: list[NDArray[np.bool_]] = []
    for start in range(0, len(pieces), _CHUNK):
        chunk = pieces[start : start + _CHUNK]
        for piece, encoding in zip(chunk, backend.encode_batch(chunk, add_special_tokens=False), strict=True):
            ids.append(np.array(encoding.ids, dtype=np.int32))
            in_marker.append(_overlaps(encoding, [match.span() for match in pattern.finditer(piece)]))
    return Ragged(np.concatenate(ids), np.concatenate(in_marker), boundaries(list(map(len, ids))))


def _overlaps(encoding: Any, spans: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which tokens have a character within one of the spans."""
    touched = np.zeros(len(encoding), dtype=np.bool_)
    if spans:
        starts, ends = np.array(encoding.offsets).reshape(-1, 2).T
        for start, end in spans:
            touched |= (starts < end) & (ends > start)
    return touched
