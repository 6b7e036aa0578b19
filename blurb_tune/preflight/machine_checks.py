"""Whether this machine, and what it reaches, has what a spec asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError, Problem
from blurb_tune.core.secrets import faults_of, holds_secret, resolve
from blurb_tune.core.storage import fault_of_storage, fault_of_uri, open_storage
from blurb_tune.spec import LoadedSpec, SweepSpec
from blurb_tune.spec.earlier import STUDIES
from blurb_tune.tracking.server import check_server


def check_storage(loaded: LoadedSpec, check_machine: bool) -> Iterator[Problem]:
    uri = loaded.spec.storage
    if uri is None:
        return
    if (fault := fault_of_uri(uri)) or (check_machine and (fault := fault_of_storage(open_storage(uri)))):
        yield loaded.source.problem(("storage",), fault)


def check_addresses(loaded: LoadedSpec, warnings: list[str], *, check_machine: bool) -> Iterator[Problem]:
    """Of the study and of the tracking server; without a look at the machine, only where they name no variable of it."""
    tracking = loaded.spec.tracking
    for key, address in {"study_url": tracking.study_url, "uri": tracking.uri}.items():
        path = ("tracking", key)
        if address is None or ("${" in address and not check_machine):
            continue
        if faults := faults_of(address):
            yield from (loaded.source.problem(path, fault) for fault in faults)
        elif key == "study_url" and not resolve(address).startswith(STUDIES):
            yield loaded.source.problem(path, f"expected a URL that starts with one of {', '.join(STUDIES)}")
        elif key == "uri" and check_machine:
            try:
                warnings.append(check_server(resolve(address)))
            except BlurbTuneError as error:
                yield loaded.source.problem(path, str(error))


def notes_on_secrets(spec: SweepSpec) -> Iterator[str]:
    for key, address in {"study_url": spec.tracking.study_url, "uri": spec.tracking.uri}.items():
        if address is not None and holds_secret(address):
            yield (
                f"tracking.{key} holds a password; better write ${{NAME}} in its place, which stands for the environment "
                "variable NAME: spec and sweep are free of it then"
            )


def check_gpus(loaded: LoadedSpec) -> Iterator[Problem]:
    wanted, here = loaded.spec.resources.gpus, local_gpus()
    if loaded.spec.cluster is None and wanted > here:
        yield loaded.source.problem(("resources", "gpus"), f"a trial asks for {wanted:g} GPU, but this machine has {here}")


def local_gpus() -> int:
    """NVIDIA devices of this machine that CUDA_VISIBLE_DEVICES lets through, counted without CUDA."""
    devices = sum(path.name[6:].isdigit() for path in Path("/dev").glob("nvidia[0-9]*"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return devices
    return min(devices, len([entry for entry in visible.split(",") if entry.strip() not in ("", "-1")]))
