"""Models on the Hugging Face hub: the local cache first, then the hub with short timeouts, safetensors only.

`huggingface_hub` is imported inside the functions: it takes longer to import than everything else that describing a model
needs, and most names need no hub.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.conversion import WEIGHTS, conversion_advice
from blurb_tune.models.model_folder import CONFIG, WEIGHTS_INDEX, check_folder, has_model

TIMEOUT_SECONDS = 5.0
# The hub's own bot, which offers a safetensors copy of pickled weights as a pull request.
_CONVERSION_AUTHOR = "SFconvertbot"
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
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    with _clear_errors(hub_id):
        cached = try_to_load_from_cache(hub_id, CONFIG)
        if isinstance(cached, str):
            return Path(cached)
        if CONFIG not in _files_on_hub(hub_id):
            raise BlurbTuneError(f"model {hub_id!r} has no {CONFIG} on the hub")
        return Path(hf_hub_download(hub_id, CONFIG, etag_timeout=TIMEOUT_SECONDS))


def check_hub_weights(hub_id: str) -> None:
    """Raise BlurbTuneError unless the weights are in the cache or on the hub as safetensors. Downloads nothing."""
    if _cached_snapshot(hub_id) is None:
        _weights_revision(hub_id)


def hub_snapshot(hub_id: str) -> Path:
    """The folder with a model's config, weights and tokenizer, downloaded when a file of them is not in the cache.

    Raises BlurbTuneError when the hub does not answer, has no such model, has it in pickled form only, or not complete.
    """
    from huggingface_hub import snapshot_download

    cached = _cached_snapshot(hub_id)
    if cached is not None:
        return cached
    revision = _weights_revision(hub_id)
    with _clear_errors(hub_id):
        folder = Path(snapshot_download(hub_id, revision=revision, allow_patterns=_FILES, etag_timeout=TIMEOUT_SECONDS))
    check_folder(folder)
    return folder


def _cached_snapshot(hub_id: str) -> Path | None:
    """The main branch as it lies in the cache, if every file of the weights, and a tokenizer, are there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=_FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if has_model(folder) else None


def _files_on_hub(hub_id: str) -> set[str]:
    """The files of the main branch. This fails at once where the hub cannot be reached; downloads retry for half a minute."""
    from huggingface_hub import HfApi

    return {file.rfilename for file in HfApi().model_info(hub_id, timeout=TIMEOUT_SECONDS).siblings or ()}


def _weights_revision(hub_id: str) -> str:
    """The revision that holds safetensors: the main branch, or the pull request of the hub's own conversion bot."""
    from huggingface_hub import HfApi

    with _clear_errors(hub_id):
        if _files_on_hub(hub_id) & {WEIGHTS, WEIGHTS_INDEX}:
            return "main"
        requests = HfApi().get_repo_discussions(
            hub_id, author=_CONVERSION_AUTHOR, discussion_type="pull_request", discussion_status="open"
        )
        for request in requests:
            if request.author == _CONVERSION_AUTHOR and "safetensors" in request.title:
                return f"refs/pr/{request.num}"
    raise BlurbTuneError(
        f"model {hub_id!r} has no safetensors weights on the hub. Pickled ones are never loaded; fetch it with\n"
        f"  hf download {hub_id} --local-dir model\n"
        f"then, {conversion_advice(Path('model'))}\nand name the folder `model` instead"
    )


@contextmanager
def _clear_errors(hub_id: str) -> Iterator[None]:
    """Translate hub and network errors into messages for the user."""
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError
    from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]  # httpx's or httpx2's

    try:
        yield
    except GatedRepoError:
        raise BlurbTuneError(
            f"model {hub_id!r} is gated: accept its terms at https://huggingface.co/{hub_id}, then run `hf auth login`"
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise BlurbTuneError(
            f"model {hub_id!r} is neither a folder here nor on the hub (a private model needs `hf auth login`)"
        ) from None
    except (OSError, TransportError) as error:
        reason = str(error.__cause__ or error).strip().split("\n")[0]
        raise BlurbTuneError(
            f"model {hub_id!r} is not complete in the local cache and the hub cannot be reached ({reason}); "
            "the path of a model folder works without the hub"
        ) from None
