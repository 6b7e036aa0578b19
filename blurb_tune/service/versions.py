"""What is installed here, to be compared with what is installed there."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("blurb-tune", "ray", "torch", "transformers", "optuna", "mlflow")


def versions() -> dict[str, str]:
    """Of this process."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found
