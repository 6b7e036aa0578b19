"""The services of compose.yaml as processes: they come up, ask for a login, and leave nothing behind."""

from __future__ import annotations

import base64
import http.client
import shutil
import socket
import ssl
from contextlib import closing
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import psutil
import pytest

from tests.conftest import require

pytestmark = pytest.mark.service


def _status(url: str, authorization: str | None = None, data: bytes | None = None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    try:
        with urlopen(Request(url, data, headers, method="PUT" if data else "GET"), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def _basic(stack: dict[str, str], password: str | None = None) -> str:
    login = f"{stack['MLFLOW_TRACKING_USERNAME']}:{password or stack['MLFLOW_TRACKING_PASSWORD']}"
    return "Basic " + base64.b64encode(login.encode()).decode()


def test_mlflow_wants_a_login_and_keeps_artifacts_in_s3(stack: dict[str, str]) -> None:
    runs = stack["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert _status(runs) == 401
    assert _status(runs, _basic(stack, "password1234")) == 401
    assert _status(runs, _basic(stack)) == 200
    artifact = stack["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow-artifacts/artifacts/here.txt"
    assert _status(artifact, _basic(stack), b"kept") == 200
    s3 = boto3.client(
        "s3",
        endpoint_url=stack["AWS_ENDPOINT_URL"],
        aws_access_key_id=stack["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack["AWS_SECRET_ACCESS_KEY"],
        region_name=stack["AWS_DEFAULT_REGION"],
    )
    assert s3.get_object(Bucket="blurb-tune", Key="mlflow/here.txt")["Body"].read() == b"kept"


def test_ray_wants_its_token(stack: dict[str, str]) -> None:
    jobs = stack["RAY_ADDRESS"] + "/api/jobs/"
    assert _status(jobs) == 401
    assert _status(jobs, "Bearer 0123456789abcdef") == 403
    assert _status(jobs, f"Bearer {stack['RAY_AUTH_TOKEN']}") == 200


@pytest.mark.parametrize(
    ("host", "path", "status", "text"),
    [
        ("ray", "/api/jobs/", 401, "Missing authentication token"),
        ("mlflow", "/health", 200, "OK"),
        ("mlflow", "/", 401, "You are not authenticated"),
        ("s3", "/", 404, "NoSuchBucket"),  # moto takes the first word of the host for a bucket
    ],
)
def test_the_proxy_speaks_tls_for_each_of_them(stack: dict[str, str], host: str, path: str, status: int, text: str) -> None:
    require(shutil.which("caddy") is not None, "Caddy")
    address, port = stack["HTTPS_ADDRESS"].split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its own authority
    name = f"{host}.{stack['DOMAIN']}"
    connection = http.client.HTTPConnection(name, int(port), timeout=30)
    connection.sock = context.wrap_socket(socket.create_connection((address, int(port))), server_hostname=name)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == status
        assert text in answer.read().decode()


def test_no_secret_is_on_a_command_line(stack: dict[str, str]) -> None:
    secrets = {value for name, value in stack.items() if any(word in name for word in ("PASSWORD", "SECRET", "TOKEN"))}
    assert len(secrets) >= 5
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if any(secret in line for secret in secrets)]
