"""From examples to padded batches of token ids, in plain numpy.

`Encoded` is flat, so that it crosses Ray's object store without a copy: all trials of a node share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.tasks.encoding.tokenizing import tokenize
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.ragged import Words, boundaries, ranges
from blurb_tune.tasks.task import Task


class Tokenizer(Protocol):
    """A fast Hugging Face tokenizer, as far as it is used here. backend_tokenizer: its `tokenizers.Tokenizer`."""

    backend_tokenizer: Any
    model_input_names: list[str]
    truncation_side: str
    pad_token_id: int


@dataclass(frozen=True, eq=False)
class Encoded:
    """n tokenized examples, one after the other, and their m labels: one per example, or one per word where there are words.

    input_ids: int32, (tokens,). token_type_ids: int8, (tokens,), or None when the tokenizer has none. offsets: int64, (n +
    1,); example i has the tokens offsets[i] to offsets[i + 1]. labels: float32 scores (m,) by the task's scale, int64 class
    or tag indices (m,), or float32 flags (m, labels). words: of a token classification, else None. truncated: how many
    examples lost tokens to the maximum length.
    """

    input_ids: NDArray[np.int32]
    token_type_ids: NDArray[np.int8] | None
    offsets: NDArray[np.int64]
    labels: NDArray[np.float32] | NDArray[np.int64]
    words: Words | None
    truncated: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens per example, (n,)."""
        return np.diff(self.offsets)

    def units(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The indices of the labels that the model can predict for the examples `rows`: the examples, or their read words."""
        if self.words is None:
            return rows
        indices, words = self.words.take(rows)
        return indices[words.is_read]

    def sizes(self, rows: NDArray[np.int64]) -> list[int] | None:
        """How many of `units(rows)` belong to each of the examples `rows`; None where each has one."""
        if self.words is None:
            return None
        _, words = self.words.take(rows)
        sizes: list[int] = np.diff(boundaries(words.is_read)[words.offsets]).tolist()
        return sizes

    def positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Where in the collated batch of `rows`, flattened to (batch x longest,), the model says something of `units(rows)`.

        None where it says one thing of each example.
        """
        if self.words is None:
            return None
        _, words = self.words.take(rows)
        line = np.repeat(np.arange(len(rows)), np.diff(words.offsets))
        return (line * int(self.lengths[rows].max()) + words.tokens)[words.is_read]

    def with_ids(self, ids: NDArray[np.int32]) -> Encoded:
        """The same examples, whose tokens have other numbers, (tokens,)."""
        return replace(self, input_ids=ids)

    def take(self, rows: NDArray[np.int64]) -> Encoded:
        """The examples `rows` alone, in that order; `truncated` stays that of all."""
        tokens = ranges(self.offsets[rows], self.lengths[rows])
        labels, words = (rows, None) if self.words is None else self.words.take(rows)
        return Encoded(
            input_ids=self.input_ids[tokens],
            token_type_ids=None if self.token_type_ids is None else self.token_type_ids[tokens],
            offsets=boundaries(self.lengths[rows]),
            labels=self.labels[labels],
            words=words,
            truncated=self.truncated,
        )


def encode(examples: Sequence[Example], tokenizer: Tokenizer, max_length: int, task: Task) -> Encoded:
    """Tokenize `examples`, of which there is at least one.

    `max_length` is in tokens, special ones included. Texts that are too long lose their end, of a pair the longer text first;
    where a text holds the task's markers, `windows.keep_markers` says what is cut off, and no marker is. The label of a word
    sits on its first token.

    Raises BlurbTuneError where the special tokens, or the markers of an example, take up more than `max_length`.
    """
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise BlurbTuneError(f"{type(tokenizer).__name__} is not a fast tokenizer; expected one with a tokenizer.json")
    tokens = tokenize(examples, tokenizer.backend_tokenizer, max_length, tokenizer.truncation_side, task)
    plain = task.kind.word_field
    sizes = None if plain is None else [len(example.texts) - plain for example in examples]
    return Encoded(
        input_ids=tokens.ids,
        token_type_ids=tokens.types if "token_type_ids" in tokenizer.model_input_names else None,
        offsets=boundaries(tokens.lengths),
        labels=task.kind.arrays(task, [example.label for example in examples], sizes),
        words=None if sizes is None else Words(boundaries(sizes), tokens.first),
        truncated=tokens.truncated,
    )


def collate(
    encoded: Encoded, rows: Sequence[int] | NDArray[np.int64], pad_token_id: int, length: int | None = None
) -> dict[str, NDArray[np.int64]]:
    """The model's inputs for the examples `rows`, of which there is at least one: (len(rows), length), int64.

    length: None for that of the longest of them. `input_ids` and `attention_mask`, and `token_type_ids` when the tokenizer has
    them; padding is on the right.
    """
    rows = np.asarray(rows)
    starts, lengths = encoded.offsets[rows], encoded.lengths[rows]
    columns = np.arange(lengths.max() if length is None else length)
    mask = columns < lengths[:, None]
    tokens = (starts[:, None] + columns)[mask]
    batch = {"input_ids": np.full(mask.shape, pad_token_id, dtype=np.int64), "attention_mask": mask.astype(np.int64)}
    batch["input_ids"][mask] = encoded.input_ids[tokens]
    if encoded.token_type_ids is not None:
        batch["token_type_ids"] = np.zeros(mask.shape, dtype=np.int64)
        batch["token_type_ids"][mask] = encoded.token_type_ids[tokens]
    return batch
