"""Where a sweep comes from and where its runs went: what stands beside its log, fit for everybody's eyes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from blurb_tune.core.errors import InputError
from blurb_tune.core.paths import SweepPaths, read_file
from blurb_tune.core.secrets import redact
from blurb_tune.spec.source import read_source


@dataclass(frozen=True)
class Provenance:
    """spec: the kept spec, without secrets; empty where there is none. settings: the same as plain data. runs_address: of the
    sweep's runs in an MLflow server's dashboard, empty where they are on none."""

    spec: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    runs_address: str = ""


def provenance_of(paths: SweepPaths, runs_address: str = "") -> Provenance:
    """What the sweep's folder says. A spec that cannot be read is left out."""
    spec, settings = "", {}
    with suppress(OSError, InputError, UnicodeDecodeError):
        spec = redact(read_file(paths.spec).decode("utf-8"))
        settings = read_source(paths.spec).data
    return Provenance(spec, settings if isinstance(settings, dict) else {}, runs_address)
