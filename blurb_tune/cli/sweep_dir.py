"""The folder of a sweep, as a command is given it."""

from __future__ import annotations

from pathlib import Path

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.core.paths import SweepPaths


def paths_of(folder: Path) -> SweepPaths:
    """Raises InputError where the folder is no sweep's."""
    paths = SweepPaths(folder)
    if not paths.events.is_file() or not paths.spec.is_file():
        raise InputError([Problem(str(folder), "this is no sweep's folder; expected one with events.jsonl and spec.yaml")])
    return paths
