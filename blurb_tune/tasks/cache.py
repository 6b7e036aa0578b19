"""Encoded examples on disk, so that they are tokenised once and all processes of a machine share their memory.

An entry is a folder of .npy files, named by a digest of all that it was made from, with a manifest of their digests: so it is
never out of date, and never used when damaged. Entries can be deleted at any time; those that nobody has asked for in three
months are, when another is made. Whatever else lies in the cache's folder stays as it is.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.features import Encoded, Tokenizer, Words, encode
from blurb_tune.tasks.task import Task

CACHE_VARIABLE = "BLURB_CACHE_DIR"
# To be raised whenever `encode` gives other tokens, or the files another meaning.
_FORMAT = 1
_MANIFEST = "manifest.json"
_ENTRY_NAME = re.compile(r"[0-9a-f]{64}")
_MAKING = ".making."
_MADE, _DAMAGED = "made", "damaged"
_ROWS_AT_A_TIME = 1000
_SECONDS_UNUSED = 90 * 24 * 3600.0


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
    fault = _write(made, entry)
    found = _read(entry)
    if found is not None:
        return found
    warnings.warn(f"encoded examples cannot be kept in {cache}, so they are made anew each time: {fault}", stacklevel=2)
    return made


def _key(examples: Sequence[Example], tokenizer: Tokenizer, max_length: int, task: Task) -> str:
    """In hex; it changes with everything that `encode` depends on."""
    # The settings of truncation and padding stand before the added tokens. `encode` sets its own, and calls change them.
    settings, _, rest = tokenizer.backend_tokenizer.to_str().partition('"added_tokens":')
    facts = [
        _FORMAT,
        [version("tokenizers"), rest or settings, tokenizer.model_input_names, tokenizer.truncation_side],
        max_length,
        [task.kind, task.fields, task.labels, task.markers, task.label_center, task.label_scale],
    ]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for start in range(0, len(examples), _ROWS_AT_A_TIME):
        part = examples[start : start + _ROWS_AT_A_TIME]
        digest.update(json.dumps([[example.texts, example.label] for example in part]).encode())
    return digest.hexdigest()


def _read(entry: Path) -> Encoded | None:
    """The entry, or None where it is missing, incomplete or damaged."""
    try:
        digests = json.loads((entry / _MANIFEST).read_text(encoding="utf-8"))
        if any(_digest(entry / name) != digest for name, digest in digests.items()):
            return None
        with suppress(OSError):  # somebody else's cache may be read all the same
            os.utime(entry)
        return _from_arrays({Path(name).stem: _load(entry / name) for name in digests})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _load(file: Path) -> NDArray[Any]:
    """Mapped from the file, as a plain array, which pickle can hand over without a copy."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _write(encoded: Encoded, entry: Path) -> str | None:
    """Write the entry beside its place and rename it into it, unless another process was faster. What went wrong, or None."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        _forget_unused(entry.parent)
        with tempfile.TemporaryDirectory(dir=entry.parent, prefix=_MAKING, ignore_cleanup_errors=True) as folder:
            made = Path(folder) / _MADE
            made.mkdir()
            files = {f"{name}.npy": _npy(array) for name, array in _as_arrays(encoded).items()}
            digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
            for name, content in {**files, _MANIFEST: json.dumps(digests).encode()}.items():
                (made / name).write_bytes(content)
            if _read(entry) is None:
                # A damaged entry goes out of the way first: a folder cannot be renamed onto a full one.
                with suppress(FileNotFoundError):
                    entry.rename(Path(folder) / _DAMAGED)
                made.rename(entry)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _forget_unused(cache: Path) -> None:
    """Remove entries, and what a killed process left half made, that have long been of no use; nothing that is not ours."""
    for folder in cache.iterdir():
        with suppress(OSError):  # gone already, or not ours to look into
            if time.time() - folder.stat().st_mtime > _SECONDS_UNUSED and _is_ours(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is an entry or a half-made one, by its name and by the names of all that it holds.

    The cache may have been pointed at a folder that holds other things. An entry has no file that its manifest does not list.
    """
    names = {path.name for path in folder.iterdir()}
    if folder.name.startswith(_MAKING):
        return names <= {_MADE, _DAMAGED}
    if not _ENTRY_NAME.fullmatch(folder.name) or _MANIFEST not in names:
        return False
    try:
        return names <= {_MANIFEST, *json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))}
    except (ValueError, TypeError, RecursionError):
        return False


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
