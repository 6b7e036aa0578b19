"""From examples to padded batches of token ids, in plain numpy.

`Encoded` is flat, so that it crosses Ray's object store without a copy: all trials of a node share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.task import Kind, Task


class Tokenizer(Protocol):
    """A fast Hugging Face tokenizer (transformers' `PreTrainedTokenizerFast`), as far as it is used here."""

    def __call__(self, text: list[str], text_pair: list[str] | None = None, **options: Any) -> Any: ...


@dataclass(frozen=True, eq=False)
class Encoded:
    """n tokenised examples, one after the other.

    input_ids: int32, (tokens,). token_type_ids: int8, (tokens,), or None when the tokenizer has none. offsets: int64,
    (n + 1,); example i has the tokens offsets[i] to offsets[i + 1]. labels: (n,), float32 scores or int64 class indices.
    truncated: how many examples lost tokens to the maximum length.
    """

    input_ids: NDArray[np.int32]
    token_type_ids: NDArray[np.int8] | None
    offsets: NDArray[np.int64]
    labels: NDArray[np.float32] | NDArray[np.int64]
    truncated: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens per example, (n,)."""
        return np.diff(self.offsets)


def encode(examples: Sequence[Example], tokenizer: Tokenizer, max_length: int, task: Task) -> Encoded:
    """Tokenise `examples`, of which there is at least one; the longer text of a pair is truncated first.

    `max_length` is in tokens, special ones included.
    """
    pairs = len(task.fields) > 1
    tokens = tokenizer(
        [example.text_a for example in examples],
        [example.text_b or "" for example in examples] if pairs else None,
        truncation="longest_first",
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
    )
    types = tokens.get("token_type_ids")
    lengths = [len(ids) for ids in tokens["input_ids"]]
    label_type = np.float32 if task.kind is Kind.REGRESSION else np.int64
    labels: NDArray[Any] = np.array([example.label for example in examples], dtype=label_type)
    return Encoded(
        input_ids=np.concatenate(tokens["input_ids"], dtype=np.int32, casting="unsafe"),
        token_type_ids=None if types is None else np.concatenate(types, dtype=np.int8, casting="unsafe"),
        offsets=np.cumsum([0, *lengths], dtype=np.int64),
        labels=labels,
        truncated=sum(bool(encoding.overflowing) for encoding in tokens.encodings),
    )


def collate(encoded: Encoded, rows: Sequence[int] | NDArray[np.int64], pad_token_id: int) -> dict[str, NDArray[np.int64]]:
    """The model's inputs for the examples `rows`, of which there is at least one: (len(rows), longest of them), int64.

    `input_ids` and `attention_mask`, and `token_type_ids` when the tokenizer has them; padding is on the right.
    """
    rows = np.asarray(rows)
    starts, lengths = encoded.offsets[rows], encoded.lengths[rows]
    columns = np.arange(lengths.max())
    mask = columns < lengths[:, None]
    tokens = (starts[:, None] + columns)[mask]
    batch = {"input_ids": np.full(mask.shape, pad_token_id, dtype=np.int64), "attention_mask": mask.astype(np.int64)}
    batch["input_ids"][mask] = encoded.input_ids[tokens]
    if encoded.token_type_ids is not None:
        batch["token_type_ids"] = np.zeros(mask.shape, dtype=np.int64)
        batch["token_type_ids"][mask] = encoded.token_type_ids[tokens]
    return batch
