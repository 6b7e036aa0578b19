"""The driver of a sweep, the actor that runs its trials, and what both need of Ray."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def _show_token_to_clusters() -> None:
    """Have Ray show its token where there is one: `ray start` asks for it, and `ray.init` does not look of its own.

    Ray reads the variable when it is first imported; set later, it would only put Ray's processes at odds with each other.
    """
    if "ray" in sys.modules:
        return
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if named or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


_show_token_to_clusters()
