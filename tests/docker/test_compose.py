"""The files of docker/: valid, and safe to start."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from blurb_tune import __version__
from tests.conftest import require
from tests.stack import ROOT

DOCKER = ROOT / "docker"
SCHEMA = ROOT.parent / "shared" / "schemas" / "compose-spec.json"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN")
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w-]+)?")


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_compose_files_follow_the_specification(name: str) -> None:
    require(SCHEMA.is_file(), f"the schema of Compose ({SCHEMA})")
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(yaml.safe_load((DOCKER / name).read_text()))


def test_the_example_has_every_variable_of_the_compose_file_and_no_secret() -> None:
    example = dict(re.findall(r"^([A-Z]\w*)=(.*)$", (DOCKER / ".env.example").read_text(), re.MULTILINE))
    used = set(re.findall(r"\$\{?(\w+)", re.sub(r"\$\$", "", (DOCKER / "compose.yaml").read_text())))
    assert used <= example.keys()
    assert {name for name, value in example.items() if not value} == {name for name in example if SECRET.search(name)}


def test_what_is_secret_comes_from_a_variable_and_has_no_default() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name}: {key}"
        # On a command line everyone on the machine would read it.
        assert not SECRET.search(json.dumps(service["command"])), name


def test_a_secret_without_a_value_does_not_start_anything() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", (DOCKER / "compose.yaml").read_text()))
    assert required == set(re.findall(r"^(\w+)=$", (DOCKER / ".env.example").read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_unprivileged_and_checked(name: str) -> None:
    service = SERVICES[name]
    assert int(service["user"].partition(":")[0]) > 0
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert service["healthcheck"]["test"][0] == "CMD"
    for port in service.get("ports", []):
        assert re.match(r"127\.0\.0\.1:|\$\{HTTPS_ADDRESS\}:", port), "only the proxy is open to the network"


def test_every_image_is_pinned() -> None:
    images = [service["image"].replace("${BLURB_TUNE_VERSION}", __version__) for service in SERVICES.values()]
    inline = "\n".join(service["build"].get("dockerfile_inline", "") for service in SERVICES.values() if "build" in service)
    dockerfile = (DOCKER / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (?!\$)(\S+)", inline, re.MULTILINE) + re.findall(r"^ARG BASE=(\S+)", dockerfile, re.MULTILINE)
    assert len(bases) == 3
    for image in images + bases:
        assert PINNED.fullmatch(image), image


def test_the_versions_are_those_of_the_package() -> None:
    assert f"BLURB_TUNE_VERSION={__version__}\n" in (DOCKER / ".env.example").read_text()


def test_the_image_does_not_run_as_root_and_holds_no_secret() -> None:
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["1000:1000"]
    assert not [line for line in lines if line.startswith(("ARG", "ENV", "COPY", "ADD")) and SECRET.search(line.upper())]
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert not [line for line in ignored if line.startswith("!") and ".env" in line]


def test_secrets_are_fresh_hidden_and_never_replaced(tmp_path: Path) -> None:
    files = [tmp_path / "one.env", tmp_path / "two.env"]
    for file in files:
        subprocess.run([DOCKER / "secrets.sh", file], check=True)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    one, two = (dict(re.findall(r"^(\w+)=(.*)$", file.read_text(), re.MULTILINE)) for file in files)
    secret = {name for name in one if SECRET.search(name)}
    assert all(re.fullmatch("[0-9a-f]{48}", one[name]) and one[name] != two[name] for name in secret)
    assert len({one[name] for name in secret}) == len(secret) >= 5
    assert all(one[name] == two[name] != "" for name in one.keys() - secret)
    before = files[0].read_bytes()
    assert subprocess.run([DOCKER / "secrets.sh", files[0]], stderr=subprocess.DEVNULL).returncode == 1
    assert files[0].read_bytes() == before
