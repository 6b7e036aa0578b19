"""The files of cluster/ against the schemas of those who read them."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import start

from blurb_tune import __version__
from blurb_tune.core.errors import ExitCode
from tests.conftest import require
from tests.stack import ROOT

CLUSTER = ROOT / "cluster"
KUBERNETES = {path.name: list(yaml.safe_load_all(path.read_text())) for path in (CLUSTER / "kubernetes").glob("*.yaml")}
SCHEMAS = ROOT.parent / "shared" / "schemas" / "kuberay"


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml", "on-premise.yaml"])
def test_launcher_files_are_what_ray_up_takes(name: str) -> None:
    config = yaml.safe_load((CLUSTER / name).read_text())
    schema = Path(ray.autoscaler.__file__).with_name("ray-schema.json")
    jsonschema.Draft7Validator(json.loads(schema.read_text())).validate(config)
    validate_config(prepare_config(config))
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    for key, command in (("setup", "setup"), ("head_start_ray", "head"), ("worker_start_ray", "worker")):
        assert config[f"{key}_commands"] == [f"~/blurb-tune/cluster/node.sh {command}"]


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_all_workers_of_the_launcher_are_there_before_a_sweep_counts_its_slots(name: str) -> None:
    config = prepare_config(yaml.safe_load((CLUSTER / name).read_text()))
    workers = [node for kind, node in config["available_node_types"].items() if kind != config["head_node_type"]]
    assert sum(node["min_workers"] for node in workers) == config["max_workers"] > 0
    assert all(node["min_workers"] == node["max_workers"] for node in workers)


def _ray_starts() -> list[str]:
    """Every `ray start ...` in the files that are shipped."""
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    commands = [str(service["command"]) for service in compose["services"].values() if "ray start" in str(service["command"])]
    return commands + re.findall(r"^ +(ray start .*)$", (CLUSTER / "node.sh").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", _ray_starts())
def test_ray_knows_the_options_that_nodes_start_with(command: str) -> None:
    options = re.sub(r"\$\w+", "1.2.3.4", command)
    context = start.make_context("start", shlex.split(options)[2:])
    assert bool(context.params["head"]) != bool(context.params["address"])


def test_nodes_of_the_launcher_start_with_the_token() -> None:
    assert re.search(r"^export .*RAY_AUTH_MODE=token", (CLUSTER / "node.sh").read_text(), re.MULTILINE)
    assert len(_ray_starts()) == 4


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A CRD's schema that refuses names that it does not know, as the API server warns of them."""
    strict = {key: _strict(value) if isinstance(value, dict) else value for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict["additionalProperties"] = False
    strict["properties"] = (
        {key: _strict(value) for key, value in schema["properties"].items()} if "properties" in schema else {}
    )
    return strict


@pytest.fixture(scope="module")
def crds() -> dict[str, dict[str, Any]]:
    require(SCHEMAS.is_dir(), f"KubeRay's resource definitions ({SCHEMAS})")
    found = {}
    for kind in ("RayCluster", "RayJob"):
        text = (SCHEMAS / f"ray.io_{kind.lower()}s.yaml").read_text()
        definition = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        version = next(version for version in definition["spec"]["versions"] if version["name"] == "v1")
        schema = version["schema"]["openAPIV3Schema"]
        schema["properties"]["metadata"] = {"type": "object"}
        found[kind] = _strict(schema)
    return found


def test_kubernetes_files_follow_the_definitions_of_kuberay(crds: dict[str, dict[str, Any]]) -> None:
    [cluster], [job] = KUBERNETES["raycluster.yaml"], KUBERNETES["rayjob.yaml"]
    jsonschema.Draft202012Validator(crds["RayCluster"]).validate(cluster)
    jsonschema.Draft202012Validator(crds["RayJob"]).validate(job)
    pod = crds["RayCluster"]["properties"]["spec"]["properties"]["headGroupSpec"]["properties"]["template"]
    deployment = next(document for document in KUBERNETES["mlflow.yaml"] if document["kind"] == "Deployment")
    jsonschema.Draft202012Validator(pod).validate({"spec": deployment["spec"]["template"]["spec"]})


def test_a_name_that_kuberay_does_not_know_is_found(crds: dict[str, dict[str, Any]]) -> None:
    [cluster] = yaml.safe_load_all((CLUSTER / "kubernetes" / "raycluster.yaml").read_text().replace("mountPath", "mountpath"))
    with pytest.raises(jsonschema.ValidationError, match="mountpath"):
        jsonschema.Draft202012Validator(crds["RayCluster"]).validate(cluster)


def test_a_job_has_the_same_cluster() -> None:
    [cluster], [job] = KUBERNETES["raycluster.yaml"], KUBERNETES["rayjob.yaml"]
    assert job["spec"]["rayClusterSpec"] == cluster["spec"]
    assert cluster["spec"]["authOptions"] == {"mode": "token", "secretName": "blurb-tune"}
    assert cluster["spec"]["rayVersion"] == ray.__version__


def test_no_cluster_of_kuberay_waits_for_trials_to_grow() -> None:
    """A sweep counts its slots when it starts."""
    [cluster] = KUBERNETES["raycluster.yaml"]
    assert not cluster["spec"].get("enableInTreeAutoscaling")
    for group in cluster["spec"]["workerGroupSpecs"]:
        assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] > 0


def _pods(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [pod for item in node for pod in _pods(item)]
    if not isinstance(node, dict):
        return []
    return [node] * ("containers" in node) + _pods(list(node.values()))


def test_no_pod_runs_as_root_and_no_secret_stands_in_a_file() -> None:
    pods = _pods(list(KUBERNETES.values()))
    assert len(pods) == 5
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 0
        for container in pod["containers"]:
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
            assert container["image"].endswith(f":{__version__}")
            for variable in container["env"]:
                if re.search("PASSWORD|TOKEN|SECRET", variable["name"]):
                    assert "secretKeyRef" in variable["valueFrom"]
    assert not [document for documents in KUBERNETES.values() for document in documents if document["kind"] == "Secret"]


def test_the_unit_restarts_what_can_go_on_and_nothing_else(tmp_path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign, assignment]
    unit.read(CLUSTER / "blurb-tune@.service")
    service = unit["Service"]
    assert service["Restart"] == "on-failure"
    assert int(service["RestartForceExitStatus"]) == ExitCode.INTERRUPTED
    assert service["RestartPreventExitStatus"] == f"{ExitCode.BAD_INPUT:d} {ExitCode.NO_RESULT:d}"
    assert service["User"] != "root"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """All but the program, which is on no developer's machine."""
    text = (CLUSTER / "blurb-tune@.service").read_text()
    (tmp_path / "blurb-tune@.service").write_text(text.replace("/opt/blurb-tune/bin/blurb-tune", "/bin/true"))
    try:
        verified = subprocess.run(
            ["systemd-analyze", "verify", tmp_path / "blurb-tune@.service"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        require(False, "systemd-analyze")
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("script", ["cluster/node.sh", "cluster/slurm.sh", "docker/secrets.sh"])
def test_scripts_can_be_read_by_their_shell_and_started(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = path.read_text().splitlines()[0].removeprefix("#!")
    subprocess.run([shell, "-n", path], check=True)
