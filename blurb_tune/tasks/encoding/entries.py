"""What is kept on disk under the digest of all that it was made from: never out of date, and never used when damaged.

An entry is a folder of files with a manifest of their digests. Entries can be deleted at any time; those that nobody has asked
for in three months are, when another is made. Whatever else lies in the cache's folder stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_MANIFEST = "manifest.json"
_ENTRY_NAME = re.compile(r"[0-9a-f]{64}")
_MAKING = ".making."
_MADE, _DAMAGED = "made", "damaged"
_SECONDS_UNUSED = 90 * 24 * 3600.0


def read_entry(entry: Path) -> dict[str, Path] | None:
    """The files of an entry by their names, or None where it is missing, incomplete or damaged."""
    try:
        digests = json.loads((entry / _MANIFEST).read_text(encoding="utf-8"))
        if any(_digest(entry / name) != digest for name, digest in digests.items()):
            return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    with suppress(OSError):  # somebody else's cache may be read all the same
        os.utime(entry)
    return {name: entry / name for name in digests}


def write_entry(entry: Path, files: Mapping[str, bytes]) -> str | None:
    """Write an entry beside its place and rename it into it, unless another process was faster. What went wrong, or None."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        _forget_unused(entry.parent)
        with tempfile.TemporaryDirectory(dir=entry.parent, prefix=_MAKING, ignore_cleanup_errors=True) as folder:
            made = Path(folder) / _MADE
            made.mkdir()
            manifest = json.dumps({name: hashlib.sha256(content).hexdigest() for name, content in files.items()}).encode()
            for name, content in {**files, _MANIFEST: manifest}.items():
                (made / name).write_bytes(content)
            if read_entry(entry) is None or (entry / _MANIFEST).read_bytes() != manifest:
                # A damaged entry goes out of the way first: a folder cannot be renamed onto a full one.
                with suppress(FileNotFoundError):
                    entry.rename(Path(folder) / _DAMAGED)
                made.rename(entry)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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
