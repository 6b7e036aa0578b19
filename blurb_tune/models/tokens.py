"""Tokens of the task's own, such as the names that stand for masked entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from transformers import AddedToken, PreTrainedTokenizerBase

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.encoder import Pretrained
from blurb_tune.models.families import family_of


def add_tokens(pretrained: Pretrained, tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]) -> Pretrained:
    """Have the tokenizer, which is changed in place, keep each of `tokens` (such as `@GENE$`) in one piece wherever it stands.

    They are found in the text as they are written, before any lower-casing, next to letters too; text without them is
    tokenized as before. Returns the encoder with a row for each new token: the mean of the rows of the pieces that it was
    split into until now. All other rows stay as they are, and so does a token that the tokenizer has already. Frozen
    embeddings leave the new rows at their means.

    Raises BlurbTuneError for a token that the tokenizer makes nothing of, where it has more tokens than the encoder, and where
    it gives a new token the number of another one.
    """
    name = f"{family_of(pretrained.family).token_table}.weight"
    table = pretrained.weights[name]
    known = tokenizer.get_vocab()
    if max(known.values()) >= len(table):
        raise BlurbTuneError(f"the tokenizer has tokens up to number {max(known.values())}, the encoder {len(table)} rows")
    tokens = list(dict.fromkeys(tokens))
    means = {token: _mean_of_pieces(token, tokenizer, table) for token in tokens if token not in known}
    _keep_whole(tokenizer, tokens)
    if not means:
        return pretrained
    numbers = tokenizer.convert_tokens_to_ids(list(means))
    if taken := set(numbers) & set(known.values()):
        raise BlurbTuneError(f"the tokenizer's numbers have gaps: a new token gets number {min(taken)}, which another one has")
    # A table is often padded to a round number of rows: new tokens take those first.
    grown = np.zeros((max(len(table), *(number + 1 for number in numbers)), table.shape[1]), dtype=table.dtype)
    grown[: len(table)] = table
    grown[numbers] = list(means.values())
    return replace(
        pretrained,
        config={**pretrained.config, "vocab_size": len(grown)},
        weights={**pretrained.weights, name: grown},
    )


def _mean_of_pieces(token: str, tokenizer: PreTrainedTokenizerBase, table: np.ndarray) -> np.ndarray:
    pieces = tokenizer(token, add_special_tokens=False)["input_ids"]
    if not pieces:
        raise BlurbTuneError(f"the tokenizer makes nothing of the token {token!r}: expected at least one visible character")
    mean: np.ndarray = table[pieces].mean(axis=0, dtype=np.float64)
    return mean.astype(table.dtype)


def _keep_whole(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]) -> None:
    """Also a token in the vocabulary is split at its punctuation unless it is added."""
    whole = tokenizer.added_tokens_encoder
    tokenizer.add_tokens(
        [
            # Blanks on the left go with the token: BPE would make a token of them. Those on the right begin the next word.
            AddedToken(token, single_word=False, lstrip=True, rstrip=False, normalized=False)
            for token in tokens
            if token not in whole
        ]
    )
