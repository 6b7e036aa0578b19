"""Models of the hub: the local cache first, then the hub; safetensors only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.hub import Repository, first_line, readable_errors
from blurb_tune.models.conversion import WEIGHTS, conversion_advice
from blurb_tune.models.model_folder import CONFIG, WEIGHTS_INDEX, check_folder, has_model

# The hub's own bot, which offers a safetensors copy of pickled weights as a pull request.
_CONVERSION_AUTHOR = "SFconvertbot"
# What its request is called in the cache, where those of others may lie, too.
_CONVERSION = "blurb-tune-conversion"
_FILES = [
    CONFIG,
    "model*.safetensors",
    WEIGHTS_INDEX,
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.model",
]


def hub_config(hub_id: str) -> Path:
    """The config.json of a model, downloaded when it is not in the cache. Raises BlurbTuneError when it cannot be had."""
    with _model(hub_id) as repository:
        return repository.download_file(CONFIG)


def check_hub_weights(hub_id: str) -> None:
    """Raise BlurbTuneError unless usable weights are in the cache, or safetensors on the hub. Downloads nothing."""
    cached = _cached_snapshot(hub_id)
    if cached is None:
        _weights_revision(hub_id)
    else:
        check_folder(cached)


def hub_snapshot(hub_id: str) -> Path:
    """The folder with a model's config, weights and tokenizer, downloaded when a file of them is not in the cache.

    Raises BlurbTuneError when the hub does not answer, has no such model, has it in pickled form only, or not complete.
    """
    folder = _cached_snapshot(hub_id)
    if folder is None:
        revision = _weights_revision(hub_id)
        with _model(hub_id) as repository:
            folder = repository.download(_FILES, revision)
            if revision != "main":
                repository.remember(folder, _CONVERSION)
    check_folder(folder)
    return folder


def _cached_snapshot(hub_id: str) -> Path | None:
    """The main branch, or its conversion, in the cache, if every file of the weights, and a tokenizer, are there."""
    repository = Repository(hub_id, "model")
    folders = (repository.find_cached(_FILES, revision) for revision in ("main", _CONVERSION))
    return next((folder for folder in folders if folder is not None and has_model(folder)), None)


def _weights_revision(hub_id: str) -> str:
    """The revision that holds safetensors: the main branch, or the pull request of the hub's own conversion bot."""
    with _model(hub_id) as repository:
        if {WEIGHTS, WEIGHTS_INDEX} & set(repository.files()):
            return "main"
        for revision, title in repository.pull_requests(_CONVERSION_AUTHOR):
            if "safetensors" in title:
                return revision
    raise BlurbTuneError(
        f"model {hub_id!r} has no safetensors weights on the hub. Pickled ones are never loaded; fetch it with\n"
        f"  hf download {hub_id} --local-dir model\n"
        f"then, {conversion_advice(Path('model'))}\nand name the folder `model` instead"
    )


@contextmanager
def _model(hub_id: str) -> Iterator[Repository]:
    repository, what = Repository(hub_id, "model"), f"model {hub_id!r}"
    missing = f"{what} is neither a folder here nor on the hub (a private model needs `hf auth login`)"
    try:
        with readable_errors(
            repository, what, missing=missing, without_hub="the path of a model folder works without the hub"
        ):
            yield repository
    except OSError as error:
        raise BlurbTuneError(f"{what} cannot be fetched: {first_line(error)}") from None
