"""Encoded examples on disk, so that they are tokenized once and all processes of a machine share their memory."""

from __future__ import annotations

import hashlib
import io
import json
import os
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurb_tune.tasks.encoding.entries import read_entry, write_entry
from blurb_tune.tasks.encoding.features import Encoded, Tokenizer, encode
from blurb_tune.tasks.encoding.known import digest_of
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.task import Task

CACHE_VARIABLE = "BLURB_CACHE_DIR"
# To be raised whenever `encode` gives other tokens, or the files another meaning.
_FORMAT = 2


def cache_folder() -> Path | None:
    """Where entries lie: $BLURB_CACHE_DIR, or else ~/.cache/blurb-tune/encoded; None for a user without a home."""
    with suppress(RuntimeError):
        return Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/blurb-tune/encoded").expanduser()
    return None


def states_folder() -> Path | None:
    """Where hidden states of frozen blocks lie: `states` in $BLURB_CACHE_DIR, or else ~/.cache/blurb-tune/states."""
    folder = cache_folder()
    if folder is None or os.environ.get(CACHE_VARIABLE):
        return folder and folder / "states"
    return folder.with_name("states")


def cached_encode(
    examples: Sequence[Example], tokenizer: Tokenizer, max_length: int, task: Task, *, cache: Path | None
) -> Encoded:
    """`encode`, from the entry in the folder `cache` where there is one, else leaving one there; None for no cache.

    Arrays from an entry are read-only and mapped from its files. A cache that cannot be written costs a warning.
    """
    if cache is None:
        return encode(examples, tokenizer, max_length, task)
    entry = cache / _key(examples, tokenizer, max_length, task)
    found = _read(entry)
    if found is not None:
        return found
    made = encode(examples, tokenizer, max_length, task)
    fault = write_entry(entry, {f"{name}.npy": _npy(array) for name, array in _as_arrays(made).items()})
    found = _read(entry)
    if found is not None:
        return found
    warnings.warn(f"encoded examples cannot be kept in {cache}, so they are tokenized again each time: {fault}", stacklevel=2)
    return made


def _key(examples: Sequence[Example], tokenizer: Tokenizer, max_length: int, task: Task) -> str:
    """In hex; it changes with everything that `encode` depends on."""
    # The settings of truncation and padding stand before the added tokens. `encode` sets its own, and calls change them.
    settings, _, rest = tokenizer.backend_tokenizer.to_str().partition('"added_tokens":')
    facts = [
        _FORMAT,
        [version("tokenizers"), rest or settings, tokenizer.model_input_names, tokenizer.truncation_side],
        max_length,
        [task.kind.name, task.fields, task.labels, task.markers, task.scores.center, task.scores.unit],
    ]
    return hashlib.sha256(json.dumps([*facts, digest_of(examples)]).encode()).hexdigest()


def _read(entry: Path) -> Encoded | None:
    """The entry, or None where it is missing, incomplete or damaged."""
    try:
        return _from_arrays({name.removesuffix(".npy"): _load(file) for name, file in (read_entry(entry) or {}).items()})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _load(file: Path) -> NDArray[Any]:
    """Mapped from the file, as a plain array, which pickle can hand over without a copy."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _npy(array: NDArray[Any]) -> bytes:
    """The content of an .npy file. Writing one straight away, numpy says nothing of a disk that is full."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _as_arrays(encoded: Encoded) -> dict[str, NDArray[Any]]:
    arrays = {
        "input_ids": encoded.input_ids,
        "token_type_ids": encoded.token_type_ids,
        "offsets": encoded.offsets,
        "labels": encoded.labels,
        "word_offsets": encoded.words.offsets if encoded.words else None,
        "word_tokens": encoded.words.tokens if encoded.words else None,
        "truncated": np.array(encoded.truncated),
    }
    return {name: array for name, array in arrays.items() if array is not None}


def _from_arrays(arrays: dict[str, NDArray[Any]]) -> Encoded:
    return Encoded(
        input_ids=arrays["input_ids"],
        token_type_ids=arrays.get("token_type_ids"),
        offsets=arrays["offsets"],
        labels=arrays["labels"],
        words=Words(arrays["word_offsets"], arrays["word_tokens"]) if "word_tokens" in arrays else None,
        truncated=int(arrays["truncated"]),
    )
