"""The Hugging Face hub, for models and data sets: short timeouts, the local cache, and errors in messages for users.

`huggingface_hub` is imported inside the functions: it takes longer to import than everything else that describing a model or a
data set needs, and most names need no hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blurb_tune.core.errors import BlurbTuneError

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Repository:
    """A model or a data set on the hub, `owner/name`.

    Its methods raise the errors of `huggingface_hub`, which `readable_errors` translates.
    """

    name: str
    kind: Literal["model", "dataset"]

    @property
    def page(self) -> str:
        return f"https://huggingface.co/{'datasets/' if self.kind == 'dataset' else ''}{self.name}"

    def files(self, revision: str = "main") -> list[str]:
        """The names of a revision's files. Where the hub cannot be reached this fails at once; downloads retry for minutes."""
        from huggingface_hub import HfApi

        ask = HfApi().model_info if self.kind == "model" else HfApi().dataset_info
        return [file.rfilename for file in ask(self.name, revision=revision, timeout=TIMEOUT_SECONDS).siblings or ()]

    def find_cached(self, patterns: Sequence[str], revision: str = "main") -> Path | None:
        """The folder of a revision in the local cache, whichever of its files are there; None where the revision is not."""
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return self._snapshot(patterns, revision, local_files_only=True)
        except LocalEntryNotFoundError:
            return None

    def download(self, patterns: Sequence[str], revision: str = "main") -> Path:
        """The folder with a revision's files of these patterns; those in the cache already are not fetched again."""
        return self._snapshot(patterns, revision, local_files_only=False)

    def newest(
        self, wanted: Callable[[Sequence[str]], Sequence[str]], revision: str = "main"
    ) -> tuple[Path, list[str]] | None:
        """A revision's folder and the names of all its files, as the hub has it now, or where it does not answer the cache.

        wanted: which patterns are fetched, by the names of all files. None where there is no such revision.
        """
        from huggingface_hub.errors import (  # type: ignore[attr-defined]
            GatedRepoError,
            HTTPError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        try:  # the download itself would wait for minutes
            files = self.files(revision)
        except RevisionNotFoundError:
            return None
        except (GatedRepoError, RepositoryNotFoundError):
            raise
        except (HTTPError, OSError):
            folder = self.find_cached([], revision)
            if folder is None:
                raise
            files = [str(file.relative_to(folder)) for file in folder.rglob("*.*")]
            return folder, files
        return self.download(wanted(files), revision), files

    def remember(self, folder: Path, revision: str) -> None:
        """Have the snapshot in `folder` found in the cache as a revision of another name. The hub need not know it."""
        reference = folder.parent.parent / "refs" / revision
        reference.parent.mkdir(exist_ok=True)
        reference.write_text(folder.name)

    def download_file(self, name: str) -> Path:
        """A file of the main branch: from the cache, whatever the hub has by now, else downloaded."""
        from huggingface_hub import hf_hub_download, try_to_load_from_cache

        cached = try_to_load_from_cache(self.name, name, repo_type=self.kind)
        if isinstance(cached, str):
            return Path(cached)
        if name not in self.files():
            raise BlurbTuneError(f"{self.kind} {self.name!r} has no {name} on the hub")
        return Path(hf_hub_download(self.name, name, repo_type=self.kind, etag_timeout=TIMEOUT_SECONDS))

    def pull_requests(self, author: str) -> Iterator[tuple[str, str]]:
        """The revision and the title of each open pull request of one author."""
        from huggingface_hub import HfApi

        requests = HfApi().get_repo_discussions(
            self.name, repo_type=self.kind, author=author, discussion_type="pull_request", discussion_status="open"
        )
        yield from ((f"refs/pr/{request.num}", request.title) for request in requests if request.author == author)

    def _snapshot(self, patterns: Sequence[str], revision: str, *, local_files_only: bool) -> Path:
        from huggingface_hub import snapshot_download

        return Path(
            snapshot_download(
                self.name,
                repo_type=self.kind,
                revision=revision,
                allow_patterns=list(patterns),
                etag_timeout=TIMEOUT_SECONDS,
                local_files_only=local_files_only,
            )
        )


@contextmanager
def readable_errors(repository: Repository, what: str, *, missing: str, without_hub: str) -> Iterator[None]:
    """Translate hub and network errors into a BlurbTuneError for the user.

    what: how messages call the repository. missing: the message where the hub has no such one. without_hub: what works where
    the hub cannot be reached.
    """
    from huggingface_hub.errors import GatedRepoError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError
    from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]  # httpx's or httpx2's

    try:
        yield
    except GatedRepoError:
        raise BlurbTuneError(f"{what} is gated: accept its terms at {repository.page}, then run `hf auth login`") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise BlurbTuneError(missing) from None
    except (ConnectionError, TimeoutError, LocalEntryNotFoundError, TransportError) as error:
        reason = first_line(error.__cause__ or error)
        raise BlurbTuneError(
            f"{what} is not complete in the local cache and the hub cannot be reached ({reason}); {without_hub}"
        ) from None


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
