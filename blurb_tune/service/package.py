"""What goes to the cluster with a submitted sweep: its spec, and the data that only this machine has."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.execution.sweep_folder import resolve_spec
from blurb_tune.models.catalog import KNOWN_MODELS
from blurb_tune.preflight import Plan
from blurb_tune.spec.documents import dump
from blurb_tune.tasks.sources.splits import SPLITS

_MOST_BYTES = 50 << 20
_DATA = "data"


@contextmanager
def package(plan: Plan) -> Iterator[Path]:
    """A folder with `spec.yaml`, every default written out, and `data/`, to which the spec points.

    Raises InputError where the data are too many to be sent: they belong in a place that the cluster reaches.
    """
    with tempfile.TemporaryDirectory(prefix="blurb-tune-") as name:
        folder = Path(name)
        spec = resolve_spec(plan)
        spec["base"] = spec["cluster"] = spec["storage"] = None  # which the driver knows better
        spec["model"] = _models(plan, spec["model"])
        _take_data(plan, spec, folder)
        text = f"# {plan.spec.name}, as it was submitted\n" + dump(spec)
        (folder / "spec.yaml").write_text(text, encoding="utf-8")
        yield folder


def _models(plan: Plan, written: str | dict[str, list[str]]) -> str | dict[str, list[str]]:
    """Folders by their whole paths, at which all nodes must reach them."""
    if isinstance(written, dict):
        return {"choice": [str(_models(plan, name)) for name in written["choice"]]}
    path = plan.models[written].path
    return written if path is None or written in KNOWN_MODELS else str(path)


def _take_data(plan: Plan, spec: dict[str, Any], folder: Path) -> None:
    if not isinstance(spec["task"], dict):
        return
    total = 0
    for split in SPLITS:
        name = spec["task"].get(split)
        if name is None or "://" in name:
            continue
        file = Path(name)
        if not file.exists():
            continue  # it may be there on the cluster, which says so if not
        total += file.stat().st_size
        if total > _MOST_BYTES:
            what = (
                f"{name} and what comes before it are {total / 1e6:.0f} MB, and {_MOST_BYTES / 1e6:.0f} MB can be sent along"
            )
            raise InputError([Problem(f"task.{split}", f"{what}; name files of a folder that all nodes reach")])
        (folder / _DATA).mkdir(exist_ok=True)
        target = folder / _DATA / f"{split}{file.suffix}"
        shutil.copyfile(file, target)
        spec["task"][split] = f"{_DATA}/{target.name}"
