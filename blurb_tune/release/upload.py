"""An exported model on the Hugging Face hub.

The token comes from the environment or from `hf auth login`, and stands in no message. `huggingface_hub` is imported inside
the functions, as in `core.hub`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.secrets import HIDDEN, redact
from blurb_tune.release.folder import Facts

_OPTION = "--push"
_OF_A_NEW_REPOSITORY = {".gitattributes"}
_PUBLIC = "public: make it private there, or name another"


def check_upload(name: str) -> None:
    """Ask the hub whether a model can be uploaded as `owner/name`, before one is made.

    Raises InputError for a name that cannot be, or that has a model already or is public, and where nobody is logged in;
    BlurbTuneError where the hub cannot be reached or refuses the token.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
        if name.count("/") != 1:
            raise HFValidationError(f"it has {name.count('/')} slashes")
    except HFValidationError as error:
        raise InputError([Problem(_OPTION, f"expected owner/name, but got {name!r}: {error}")]) from None
    if get_token() is None:
        raise InputError([Problem(_OPTION, "nobody is logged in to the hub: run `hf auth login`, or set HF_TOKEN")])
    with _clear_errors(name):
        HfApi().whoami()
        try:
            found = HfApi().model_info(name)
        except RepositoryNotFoundError:
            return
    if taken := {file.rfilename for file in found.siblings or ()} - _OF_A_NEW_REPOSITORY:
        what = f"there is {name} already, with {len(taken)} files; name another, or remove it there"
        raise InputError([Problem(_OPTION, what)])
    if not found.private:
        raise InputError([Problem(_OPTION, f"there is {name} already, and it is {_PUBLIC}")])


def upload(folder: Path, name: str) -> str:
    """Upload an exported model as the private repository `owner/name`, which is made; returns its address.

    Raises InputError for a folder that is no exported model, and BlurbTuneError where the hub does not take it, or has a
    public repository of that name, which it leaves public.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    facts = Facts.read(folder)
    was_quiet = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        with _clear_errors(name):
            HfApi().create_repo(name, private=True, exist_ok=True)
            if not HfApi().model_info(name).private:
                raise BlurbTuneError(f"{_OPTION} {name}: it is {_PUBLIC}")
            message = f"Run {facts.trial} of the sweep {facts.sweep}"
            HfApi().upload_folder(repo_id=name, folder_path=folder, commit_message=message)
            return f"{HfApi().endpoint}/{name}"
    finally:
        if not was_quiet:
            enable_progress_bars()


@contextmanager
def _clear_errors(name: str) -> Iterator[None]:
    """Translate hub and network errors into messages for the user."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]  # httpx's or httpx2's

    try:
        yield
    except HfHubHTTPError as error:
        code = error.response.status_code
        advice = {
            401: "the hub does not know this token: run `hf auth login --force`, or correct HF_TOKEN",
            403: f"this token may not write there: it needs the right to write, and you a part in {name.partition('/')[0]}",
        }.get(code, f"the hub answers {code}: {_plain(error)}")
        raise BlurbTuneError(f"{_OPTION} {name}: {advice}") from None
    except (OSError, TransportError) as error:
        raise BlurbTuneError(f"{_OPTION} {name}: the hub cannot be reached ({_plain(error)})") from None
    except (RuntimeError, ValueError) as error:  # of one file, or of what the hub says of the card
        said = ": ".join(_plain(part) for part in (error, error.__cause__) if part is not None)
        raise BlurbTuneError(f"{_OPTION} {name}: the upload failed: {said}") from None


def _plain(error: BaseException) -> str:
    """In one line, without the token, in whatever form the hub has repeated it."""
    from huggingface_hub import get_token

    text, token = " ".join(str(error).split()) or type(error).__name__, get_token()
    return redact(text.replace(token, HIDDEN) if token else text)
