"""The names by which a dashboard is reached, as MLflow's server itself judges them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from mlflow.server.security_utils import get_default_allowed_hosts, is_allowed_host_header, should_block_cors_request

from blurb_tune.core.paths import SweepPaths
from blurb_tune.tracking.addresses import tracking_uri
from blurb_tune.tracking.dashboard_hosts import host_settings
from blurb_tune.tracking.server import dashboard_command

HERE = socket.gethostname().lower()


@pytest.mark.parametrize(
    ("host", "port", "pages"),
    [
        ("127.0.0.1", 5000, ["http://127.0.0.1:5000", "http://localhost:8080"]),  # the second one through a tunnel
        ("GPU-node-7", 5000, ["http://gpu-node-7:5000"]),
        ("10.0.0.7", 5000, ["http://10.0.0.7:5000"]),
        ("203.0.113.9", 80, ["http://203.0.113.9"]),
        ("2001:db8::9", 5000, ["http://[2001:db8::9]:5000"]),
        ("0.0.0.0", 5000, ["http://0.0.0.0:5000", f"http://{HERE}:5000"]),
        ("::", 5000, [f"http://{HERE}:5000"]),
    ],
)
def test_pages_are_shown_and_may_ask_for_runs(host: str, port: int, pages: list[str]) -> None:
    hosts, origins = (value.split(",") for value in host_settings(host, port).values())
    assert set(get_default_allowed_hosts()) <= set(hosts)
    for page in pages:
        assert is_allowed_host_header(hosts, page.removeprefix("http://"))
        assert not should_block_cors_request(page, "POST", origins)
    assert not is_allowed_host_header(hosts, "other.example:5000")
    assert should_block_cors_request("http://other.example:5000", "POST", origins)


def test_what_the_user_has_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "mlflow.example")
    paths = SweepPaths(tmp_path)
    paths.mlflow_store.touch()
    command = dashboard_command(paths, tracking_uri(paths, None), "gpu-node-7", 5000)
    assert "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS=http://gpu-node-7:5000" in command
    assert not [word for word in command if word.startswith("MLFLOW_SERVER_ALLOWED_HOSTS=")]
