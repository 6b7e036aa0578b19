"""What the files of a tokenizer say before it is loaded: whether it is whole, and goes with the encoder."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import read_file
from blurb_tune.models.conversion import is_pointer

VOCABULARY = "vocab.txt"
TOKENIZER = "tokenizer.json"
TOKENIZERS = (TOKENIZER, VOCABULARY, "vocab.json", "*.model")
_UNKNOWN = "[UNK]"


def has_tokenizer(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in TOKENIZERS)


def check_tokenizer(folder: Path, rows: int | None) -> None:
    """Raise BlurbTuneError unless the folder has a tokenizer, as far as its files tell.

    rows: of the encoder's token table, None where they are not known.
    """
    if not has_tokenizer(folder):
        raise BlurbTuneError(f"{folder} has no tokenizer: expected one of {', '.join(TOKENIZERS)}")
    for pattern in TOKENIZERS:
        for file in folder.glob(pattern):
            if is_pointer(file):
                raise BlurbTuneError(
                    f"{file} is a pointer of Git LFS and not the file itself; run `git lfs pull` in its folder"
                )
    if (folder / TOKENIZER).is_file():
        largest, lacks_unknown = _of_tokenizer(folder / TOKENIZER)
    elif (folder / VOCABULARY).is_file():
        text = read_file(folder / VOCABULARY).decode("utf-8", "replace")
        tokens = list(io.StringIO(text, newline=None))  # str.splitlines would split tokens such as U+2028, too
        largest, lacks_unknown = len(tokens) - 1, _UNKNOWN not in map(str.strip, tokens)
    else:
        return
    if lacks_unknown:
        raise BlurbTuneError(
            f"{folder}: the tokenizer has no token for unknown words, such as {_UNKNOWN}; is it another model's?"
        )
    if rows is not None and largest >= rows:
        what = f"the tokenizer has tokens up to number {largest}, but the weights have {rows} rows for them"
        raise BlurbTuneError(f"{folder}: {what}; is the tokenizer another model's?")


def unknown_share(folder: Path, texts: Sequence[str]) -> float:
    """The share of the words of texts that the tokenizer in a folder has nothing for; 0 where its files alone do not tell.

    Raises BlurbTuneError for a tokenizer.json that the installed `tokenizers` cannot read.
    """
    from tokenizers import Tokenizer  # which describing a model does not need

    if not (folder / TOKENIZER).is_file():
        return 0.0
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # it raises bare exceptions
        raise BlurbTuneError(f"{folder / TOKENIZER} is no tokenizer that can be read: {error}") from None
    names = (getattr(tokenizer.model, "unk_token", None), _UNKNOWN, "<unk>")
    unknown: int | None = next(
        (number for name in names if name and (number := tokenizer.token_to_id(name)) is not None), None
    )
    pieces = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    words = sum(len(text.split()) for text in texts)
    if not words or unknown is None:
        return 0.0
    return min(1.0, sum(ids.count(unknown) for ids in pieces) / words)


def _of_tokenizer(file: Path) -> tuple[int, bool]:
    """The largest number of a token, and whether words that it does not know have none."""
    try:
        values = json.loads(read_file(file).decode("utf-8"))
        model = values["model"]
        vocabulary, added = model["vocab"], values.get("added_tokens") or []
        numbers = vocabulary.values() if isinstance(vocabulary, Mapping) else range(len(vocabulary))
        return max([*numbers, *(token["id"] for token in added)], default=-1), _lacks_unknown(model)
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise BlurbTuneError(f"{file} is no tokenizer that can be read: {error!r}") from None


def _lacks_unknown(model: Mapping[str, Any]) -> bool:
    """Of models that know words or pieces; one that knows bytes needs no such token."""
    if model.get("type") == "Unigram":
        return model.get("unk_id") is None and not model.get("byte_fallback")
    return model.get("type") in ("WordPiece", "WordLevel") and model.get("unk_token") not in model["vocab"]
