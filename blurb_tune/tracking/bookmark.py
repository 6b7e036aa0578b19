"""The mark in a sweep's folder that says how far its log has been delivered to MLflow."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from blurb_tune.core.paths import read_file, write_atomically


@dataclass(frozen=True)
class Bookmark:
    """Where to, and how far: the log up to byte `offset`, and files by name with their SHA-256. `uri` is without secrets.

    view: the name under which the experiment has our view of its runs.
    """

    uri: str
    experiment: str
    sweep_id: str = ""
    experiment_id: str = ""
    offset: int = 0
    files: dict[str, str] = field(default_factory=dict)
    view: str = ""

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """The bookmark at `path`, None where there is none that can be read: what it says can be found out again."""
        try:
            data = json.loads(read_file(path))
            mark = cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})
            texts = (mark.uri, mark.experiment, mark.sweep_id, mark.experiment_id, mark.view, *mark.files.values())
            return mark if type(mark.offset) is int and all(isinstance(text, str) for text in texts) else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def is_for(self, other: Bookmark, sweep_id: str) -> bool:
        """Whether it marks the log of the sweep `sweep_id` on its way to where `other` leads."""
        return (self.uri, self.experiment, self.sweep_id) == (other.uri, other.experiment, sweep_id)

    def save(self, path: Path) -> None:
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n")
