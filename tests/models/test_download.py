"""Models by hub id, against a small server that speaks the hub's protocol, through the real client in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

OWNER_MODEL = "lab/encoder"
MAIN, CONVERTED = "a" * 40, "b" * 40


@dataclass
class FakeHub:
    """`revisions`: files by commit. `requests`: the pull requests of `lab/encoder`, as (number, author, title)."""

    address: str = ""
    revisions: dict[str, dict[str, bytes]] = field(default_factory=dict)
    requests: list[tuple[int, str, str]] = field(default_factory=list)
    is_gated: bool = False
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a GET."""
        self.asked.append(path)
        path, _, query = path.partition("?")
        if OWNER_MODEL not in path:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if self.is_gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b""
        if path.startswith("/api/"):
            body = json.dumps(self.answer_api(path.removeprefix(f"/api/models/{OWNER_MODEL}"), query)).encode()
            return 200, {"Content-Type": "application/json"}, body
        commit, _, name = path.removeprefix(f"/{OWNER_MODEL}/resolve/").partition("/")
        commit = MAIN if commit == "main" else commit
        if name not in self.revisions[commit]:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        content = self.revisions[commit][name]
        return 200, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}, content

    def answer_api(self, path: str, query: str) -> object:
        if path == "/discussions":
            assert "author=SFconvertbot" in query
            return {"discussions": [self.request(*r) for r in self.requests], "count": len(self.requests), "start": 0}
        commit = CONVERTED if "pr" in path or CONVERTED in path else MAIN
        files = self.revisions[commit]
        if path.startswith("/tree/"):
            return [{"type": "file", "path": name, "size": len(c), "oid": commit} for name, c in files.items()]
        return {"id": OWNER_MODEL, "sha": commit, "siblings": [{"rfilename": name} for name in files]}

    def request(self, number: int, author: str, title: str) -> dict[str, object]:
        repo = {"name": OWNER_MODEL, "type": "model"}
        common = {"createdAt": "2023-01-01T00:00:00.000Z", "status": "open", "isPullRequest": True, "repo": repo}
        return common | {"num": number, "title": title, "author": {"name": author}}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    fake = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, body = fake.answer(self.path)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fake.address = f"http://127.0.0.1:{server.server_port}"
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(hub, tmp_path):
    """Run an expression over `model` in a fresh process with an own cache; its repr, or the message of the error."""

    def run(expression: str, name: str = OWNER_MODEL, **environment: str) -> str:
        code = (
            "from pathlib import Path\n"
            "from blurb_tune.core.errors import BlurbTuneError\n"
            "from blurb_tune.models.catalog import check_weights, describe_model\n"
            "from blurb_tune.models.download import hub_snapshot\n"
            f"try:\n    model = describe_model({name!r})\n    print({expression})\n"
            "except BlurbTuneError as error:\n    print('refused:', error)\n"
        )
        settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1", **environment}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **settings})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def files(random_model, save) -> dict[str, bytes]:
    folder = save(random_model("bert")).path
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def sharded(random_model, save) -> dict[str, bytes]:
    folder = save(random_model("bert"), max_shard_size="20KB").path
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def without_weights(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name != "model.safetensors"} | {"pytorch_model.bin": b"x"}


def test_a_model_is_described_checked_and_fetched_once(hub, ask, files):
    hub.revisions = {MAIN: files | {"pytorch_model.bin": b"pickled", "README.md": b"hello"}}
    assert ask("(model.family, model.blocks, model.max_length, model.hub_id)") == "('bert', 3, 40, 'lab/encoder')"
    assert ask("check_weights(model)") == "None"
    assert not any("resolve" in path and "safetensors" in path for path in hub.asked), "a check downloads no weights"
    fetched = "sorted(p.name for p in hub_snapshot(model.hub_id).iterdir())"
    assert ask(fetched) == str(sorted(files)), "neither pickled weights nor a readme"
    hub.asked.clear()
    assert ask(f"(check_weights(model), {fetched})") == f"(None, {sorted(files)})"
    assert hub.asked == [], "a complete cache asks nobody"


def test_the_hub_s_own_conversion_stands_in_for_pickled_weights(hub, ask, files):
    hub.revisions = {MAIN: without_weights(files), CONVERTED: files}
    hub.requests = [(3, "SFconvertbot", "Adding `safetensors` variant of this model")]
    assert ask("check_weights(model)") == "None"
    assert ask("(hub_snapshot(model.hub_id) / 'model.safetensors').stat().st_size") == str(len(files["model.safetensors"]))
    assert any("refs%2Fpr%2F3" in path for path in hub.asked)
    hub.asked.clear()
    assert "snapshots" in ask("(check_weights(model), hub_snapshot(model.hub_id))", HF_HUB_OFFLINE="1")
    assert hub.asked == [], "a complete cache asks nobody"


def test_a_conversion_by_anybody_else_is_not_trusted(hub, ask, files):
    hub.revisions = {MAIN: without_weights(files), CONVERTED: files}
    hub.requests = [(3, "somebody", "Adding `safetensors` variant of this model")]
    message = ask("check_weights(model)")
    assert message.startswith("refused: model 'lab/encoder' has no safetensors weights on the hub")
    assert "hf download lab/encoder --local-dir model" in message
    assert ask("hub_snapshot(model.hub_id)") == message
    fetch = "__import__('huggingface_hub').snapshot_download(model.hub_id, revision='refs/pr/3') and check_weights(model)"
    assert ask(fetch) == message, "nor where somebody has it in the cache"


def test_what_is_refused_is_refused_in_the_cache_too(hub, ask, files, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(files["model.safetensors"])
    weights = load_file(tmp_path / "model.safetensors")
    name = next(name for name, tensor in weights.items() if name.endswith("query.weight"))
    hub.revisions = {MAIN: files | {"model.safetensors": to_bytes({**weights, name: weights[name].to(torch.int8)})}}
    expected = f"the weights are quantized ({name} is I8)"
    assert expected in ask("hub_snapshot(model.hub_id)")
    hub.asked.clear()
    assert expected in ask("hub_snapshot(model.hub_id)")
    assert expected in ask("check_weights(model)")
    assert not any("safetensors" in path for path in hub.asked)


def test_no_such_model(ask):
    message = ask("model", "lab/nothing")
    assert message.startswith("refused: model 'lab/nothing' is neither a folder here nor on the hub")


def test_a_model_without_config(hub, ask):
    hub.revisions = {MAIN: {"README.md": b"hello"}}
    assert ask("model") == "refused: model 'lab/encoder' has no config.json on the hub"


def test_a_gated_model_says_where_to_ask(hub, ask):
    hub.is_gated = True
    assert "is gated: accept its terms at https://huggingface.co/lab/encoder" in ask("model")


@pytest.mark.parametrize("environment", [{"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}])
def test_no_hub_at_hand_is_said_at_once(ask, environment):
    message = ask("model", **environment)
    assert "is not complete in the local cache and the hub cannot be reached" in message
    message = ask("check_weights(model)", "pubmedbert-base", **environment)
    assert "the path of a model folder works without the hub" in message


@pytest.mark.parametrize(("missing", "is_listed"), [(0, True), (-1, False)])
def test_a_download_that_was_cut_off_is_completed(hub, ask, sharded, tmp_path, missing, is_listed):
    """Whichever shard is missing, index and all else being there; old clients of the hub leave no list of a model's files."""
    hub.revisions = {MAIN: sharded}
    fetched = "sorted(p.name for p in hub_snapshot(model.hub_id).iterdir())"
    assert ask(fetched) == str(sorted(sharded))
    shards = [name for name in sharded if name.endswith(".safetensors")]
    assert len(shards) > 2
    name = shards[missing]
    (link,) = (tmp_path / "cache").rglob(f"snapshots/*/{name}")
    link.resolve().unlink()
    link.unlink()
    for folder in [] if is_listed else [*(tmp_path / "cache").rglob("trees")]:
        shutil.rmtree(folder)
    assert "is not complete in the local cache" in ask("check_weights(model)", HF_HUB_OFFLINE="1")
    hub.asked.clear()
    assert ask(f"(check_weights(model), {fetched})") == f"(None, {sorted(sharded)})"
    assert {path.rpartition("/")[2] for path in hub.asked if path.endswith(".safetensors")} == {name}
    hub.asked.clear()
    assert ask(f"(check_weights(model), {fetched})") == f"(None, {sorted(sharded)})"
    assert hub.asked == [], "a complete cache asks nobody"


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (b'{"metadata": {}, "weight_map": {"a": 5}}', "model.safetensors.index.json is no index of weights: "),
        (b'{"metadata": {}, "weight_map": {"a": "model-9.safetensors"}}', "model-9.safetensors is no complete safetensors"),
    ],
)
def test_a_model_that_is_not_complete_on_the_hub_is_refused(hub, ask, sharded, index, expected):
    hub.revisions = {MAIN: sharded | {"model.safetensors.index.json": index}}
    message = ask("hub_snapshot(model.hub_id)")
    assert message.startswith("refused: ")
    assert expected in message


def test_without_the_hub_a_complete_cache_is_enough(hub, ask, files, tmp_path):
    hub.revisions = {MAIN: files}
    assert "snapshots" in ask("hub_snapshot(model.hub_id)")
    loaded = "__import__('blurb_tune.models.encoder').models.encoder.load_pretrained(model).family"
    assert ask(loaded, HF_HUB_OFFLINE="1") == "bert"
    weights = next(Path(tmp_path / "cache").rglob("snapshots/*/model.safetensors"))
    weights.unlink()
    assert "is not complete in the local cache" in ask("check_weights(model)", HF_HUB_OFFLINE="1")
