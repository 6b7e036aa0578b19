"""Where the cluster and the sweeps are: options, then the environment, then the user's file of settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from blurb_tune.core.errors import InputError, Problem, did_you_mean
from blurb_tune.core.paths import expand_home
from blurb_tune.core.storage import fault_of_uri
from blurb_tune.service.agent import STORAGE

_NAMES = ("address", "storage")


@dataclass(frozen=True)
class Settings:
    """address: of the cluster's job server, http://HEAD:8265. storage: where its sweeps are kept."""

    address: str | None = None
    storage: str | None = None


def settings_file() -> Path:
    """`BLURB_TUNE_CONFIG`, else `~/.config/blurb-tune/config.yaml`."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or expand_home("~/.config"))
    return Path(os.environ.get("BLURB_TUNE_CONFIG") or home / "blurb-tune" / "config.yaml")


def settings(address: str | None = None, storage: str | None = None) -> Settings:
    """What holds. Raises InputError with all that is wrong with the file and the names."""
    written, problems = _read_settings_file()
    found = Settings(
        address or os.environ.get("RAY_ADDRESS") or written.get("address"),
        storage or os.environ.get(STORAGE) or written.get("storage"),
    )
    if found.address is not None and not found.address.startswith(("http://", "https://")):
        problems.append(Problem("address", f"expected the job server, such as http://HEAD:8265, but got {found.address!r}"))
    if found.storage is not None and (fault := fault_of_uri(found.storage)):
        problems.append(Problem("storage", fault))
    if problems:
        raise InputError(problems)
    return found


def _read_settings_file() -> tuple[dict[str, str], list[Problem]]:
    file = settings_file()
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError, yaml.YAMLError) as error:
        return {}, [Problem(str(file), f"this cannot be read as YAML: {error}")]
    if data is None:
        return {}, []
    if not isinstance(data, dict):
        return {}, [Problem(str(file), "expected settings, such as `address: http://HEAD:8265`")]
    problems = [
        Problem(str(file), f"unknown setting {name!r}{did_you_mean(str(name), _NAMES)}") for name in data.keys() - _NAMES
    ]
    problems += [
        Problem(str(file), f"{name}: expected text, but got {value!r}")
        for name, value in data.items()
        if name in _NAMES and not isinstance(value, str)
    ]
    return {name: value for name, value in data.items() if name in _NAMES and isinstance(value, str)}, problems
