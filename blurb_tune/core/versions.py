"""What is installed here, to be compared with what is installed there."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("blurb-tune", "ray", "torch", "transformers", "peft", "optuna", "mlflow-skinny", "numpy")
# Those that a trial's process computes with.
OF_A_TRIAL = ("blurb-tune", "ray", "torch", "transformers", "peft", "numpy")
_IMAGE = "BLURB_TUNE_IMAGE"


def versions() -> dict[str, str]:
    """Of this process: Python, packages, and the container's image where `BLURB_TUNE_IMAGE` names it."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    if image := os.environ.get(_IMAGE):
        found["image"] = image
    return found


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Ours and theirs, by package that both know of.

    Builds of one version are the same: a head has PyTorch for its CPU, a worker for its GPU.
    """
    shared = {name: (ours[name], theirs[name]) for name in ours if name in theirs}
    return {name: pair for name, pair in shared.items() if _release(pair[0]) != _release(pair[1])}


def _release(version: str) -> str:
    return version.partition("+")[0]
