"""A task that the tiny model learns within three epochs, whatever the seed: what a sweep must have to name a winner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# Beside the task: what it is learned with. Every one of 60 runs ended with a score of 1 and a loss below 0.08.
SPACE: dict[str, Any] = {"epochs": 3, "batch_size": 8, "learning_rate": 0.002}


def easy_task(folder: Path) -> dict[str, Any]:
    """Write train, dev and test of two classes that one word tells apart into `folder`; the spec's task."""
    for split, rows in (("train", range(384)), ("dev", range(384, 416)), ("test", range(416, 436))):
        words = ("good", "bad")
        lines = [f"{words[k % 2]} {words[k % 2]} {k // 2},{k % 2}" for k in rows]
        (folder / f"{split}.csv").write_text("\n".join(["note,ill", *lines]) + "\n")
    files = {split: f"{split}.csv" for split in ("train", "dev", "test")}
    return {**files, "text": "note", "label": "ill", "kind": "classification", "max_length": 16}


def write_spec(folder: Path, **settings: Any) -> None:
    """A small sweep of it in `small.yaml`."""
    space = {"strategy": ["vanilla", {"freeze_depth": 1}, {"reinit_count": 2}], **SPACE} | settings.pop("space", {})
    spec = {"task": easy_task(folder), "model": "tiny", "seeds": 2, "space": space, "search": {"sampler": "grid"}}
    (folder / "small.yaml").write_text(yaml.safe_dump(spec | settings))
