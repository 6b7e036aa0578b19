"""The spec that a sweep keeps in its folder, as earlier versions wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STUDIES = ("sqlite:///", "postgresql", "mysql")


def modernize(data: dict[str, Any]) -> None:
    """Bring it into the present form, in place.

    `weights` was a folder of its own for what `storage` keeps now, and `storage` the database of `tracking.study_url`.
    Relative paths began at the folder in which the sweep was started, and is resumed.
    """
    data.setdefault("base", str(Path.cwd()))
    data.pop("weights", None)
    storage = data.get("storage")
    if isinstance(storage, str) and storage.startswith(STUDIES):
        data["storage"] = None
        if isinstance(tracking := data.setdefault("tracking", {}), dict):
            tracking["study_url"] = storage
