"""The folder of a released model: what Hugging Face reads of it, and beside that what `predict` needs to know."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.paths import fault_of_folder, read_file
from blurb_tune.tasks.examples import WORD
from blurb_tune.tasks.kinds import find_kind
from blurb_tune.tasks.task import ScoreScale, Task

FACTS = "blurb_tune.json"
_FORMAT = 1


@dataclass(frozen=True)
class Facts:
    """What a model was trained to do.

    kind, fields, labels, label_range, markers: of the task (`tasks.task.Task`). max_length: in tokens. precision: in which it
    was trained. temperature: by which logits are divided so that probabilities fit dev; 1 where there are none. trial: the
    run, or what is made of which runs. members: of an ensemble, whose models lie in folders of these names and whose outputs
    are averaged; none for one model.
    """

    task: str
    kind: str
    fields: tuple[str, ...]
    labels: tuple[str, ...]
    label_range: tuple[float, float] | None
    markers: tuple[str, ...]
    max_length: int
    precision: str
    temperature: float
    sweep: str
    trial: str
    members: tuple[str, ...] = ()
    format: int = _FORMAT

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises InputError where the folder holds no model that was exported, or one of a later version."""
        file = folder / FACTS
        try:
            found = json.loads(read_file(file))
        except OSError as error:
            expected = (
                f"this is no exported model ({FACTS}: {error.strerror}); expected a folder that `blurb-tune export` wrote"
            )
            raise InputError([Problem(str(folder), expected)]) from None
        except (ValueError, RecursionError) as error:
            raise InputError([Problem(str(file), f"cannot be read: {error}")]) from None
        try:
            return cls._checked(found)
        except (TypeError, ValueError, KeyError, BlurbTuneError) as error:
            raise InputError([Problem(str(file), f"is not what `blurb-tune export` wrote: {error}")]) from None

    @classmethod
    def _checked(cls, found: Any) -> Self:
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise ValueError(f"expected an object of format {_FORMAT}")
        for name in ("fields", "labels", "markers", "members"):
            texts = found.get(name, []) if name == "members" else found[name]
            if not isinstance(texts, list) or not all(isinstance(part, str) for part in texts):
                raise ValueError(f"{name}: expected a list of texts")
            found[name] = tuple(texts)
        if any(Path(member).name != member for member in found["members"]):
            raise ValueError("members: expected names of folders in this one")
        if found["label_range"] is not None:
            low, high = map(float, found["label_range"])
            found["label_range"] = low, high
        found["max_length"], found["temperature"] = int(found["max_length"]), float(found["temperature"])
        if found["max_length"] < 1 or not found["temperature"] > 0:
            raise ValueError("max_length and temperature must be above 0")
        find_kind(str(found["kind"]))
        return cls(**found)

    def write(self, folder: Path) -> None:
        (folder / FACTS).write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def as_task(self) -> Task:
        """The task as far as predictions need it; its scores are in the unit that the data have."""
        return Task(
            name=self.task,
            kind=find_kind(self.kind),
            metric="",
            description="",
            max_length=self.max_length,
            labels=self.labels,
            scores=ScoreScale(self.label_range),
            fields=self.fields,
            markers=self.markers,
        )

    def example(self) -> dict[str, str | list[str]]:
        """A row that the model reads. It is nobody's: a model's example goes wherever the model goes."""
        task = self.as_task()
        *texts, _ = task.kind.rows[0]
        if self.markers:
            texts = [f"{' and '.join(self.markers)} are named here."]
        listed = task.kind.word_list_fields(task)
        return {
            field: WORD.findall(text) if field in listed else text
            for field, text in zip(self.fields, itertools.cycle(texts), strict=False)
        }


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` when all is written to it, and vanishes where that fails.

    Raises InputError where `target` is there already, and is not empty, or cannot be written to.
    """
    if fault := fault_of_folder(target.parent):
        raise InputError([Problem("--to", fault)])
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError([Problem("--to", f"{target} is there already; name a new folder")])
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield made
        made.chmod(0o755)
        for path in made.rglob("*"):  # safetensors are written for their owner's eyes alone
            path.chmod(0o755 if path.is_dir() else 0o644)
        if target.exists():
            target.rmdir()
        made.replace(target)
    except OSError as error:
        raise BlurbTuneError(f"the model cannot be written: {error.strerror or error} ({error.filename or target})") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
