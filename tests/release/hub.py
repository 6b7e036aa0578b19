"""A small server that speaks the protocol of the Hugging Face hub and keeps what it is sent."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml
from huggingface_hub import constants

NAME, TOKEN = "lab/notes", "hf_m4rkedTokenOfATest"
Answer = tuple[int, dict[str, str], Any]


@dataclass
class Hub:
    """repositories: by name, its files; `private` says which are, as they were made. refusal: the status that writing is
    answered with.

    stored: large files by their SHA-256.
    """

    address: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    stored: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    refusal: int | None = None

    def answer(self, method: str, path: str, token: str, body: bytes) -> Answer:
        path = path.partition("?")[0]
        if path.startswith("/stored/"):
            oid = path.rpartition("/")[2]
            assert hashlib.sha256(body).hexdigest() == oid
            self.stored[oid] = body
            return 200, {}, ""
        if token != f"Bearer {TOKEN}":
            return 401, {"X-Error-Message": f"Invalid credentials in Authorization header: {token}"}, {"error": token}
        if path == "/api/whoami-v2":
            return 200, {}, {"name": "me", "type": "user"}
        if path == "/api/validate-yaml":
            head = json.loads(body)["content"].split("---")[1]
            return (
                (200, {}, {}) if yaml.safe_load(head)["library_name"] else (400, {}, {"errors": [{"message": "no library"}]})
            )
        if method == "POST" and self.refusal:
            return self.refusal, {}, {"error": f"refused to {token}"}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            is_there = name in self.repositories
            self.repositories.setdefault(name, {".gitattributes": b""})
            if asked.get("visibility") == "private" and not is_there:
                self.private.add(name)
            return 409 if is_there else 200, {}, {"url": f"{self.address}/{name}"}
        if NAME not in self.repositories:
            return 404, {"X-Error-Code": "RepoNotFound"}, {"error": "Repository not found"}
        return self.of_repository(path, body)

    def of_repository(self, path: str, body: bytes) -> Answer:
        files = self.repositories[NAME]
        if path == f"/api/models/{NAME}":
            return 200, {}, {"id": NAME, "private": NAME in self.private, "siblings": [{"rfilename": name} for name in files]}
        if path == f"/api/models/{NAME}/preupload/main":
            asked = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "lfs" if "safetensors" in f["path"] else "regular"} for f in asked]
            return 200, {}, {"files": [mode | {"shouldIgnore": False} for mode in modes]}
        if path == f"/{NAME}.git/info/lfs/objects/batch":
            objects = [
                {**of, "actions": {"upload": {"href": f"{self.address}/stored/{of['oid']}"}}}
                for of in json.loads(body)["objects"]
            ]
            return 200, {}, {"transfer": "basic", "objects": objects}
        assert path == f"/api/models/{NAME}/commit/main"
        for line in body.decode().splitlines():
            part = json.loads(line)
            if part["key"] == "header":
                self.messages.append(part["value"]["summary"])
            elif part["key"] == "lfsFile":
                files[part["value"]["path"]] = self.stored[part["value"]["oid"]]
            else:
                files[part["value"]["path"]] = base64.b64decode(part["value"]["content"])
        return 200, {}, {"commitUrl": f"{self.address}/{NAME}/commit/{'a' * 40}", "commitOid": "a" * 40, "success": True}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b"".join(iter(self.chunk, b""))
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = self.headers.get("Authorization", "")
            status, headers, found = hub.answer(self.command, self.path, token, body)
            content = found.encode() if isinstance(found, str) else json.dumps(found).encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST  # noqa: N815

        def chunk(self) -> bytes:
            content = self.rfile.read(int(self.rfile.readline(), 16))
            self.rfile.readline()
            return content

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the server speaks LFS alone
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path_factory.mktemp("home") / "token"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield hub
    server.shutdown()
    server.server_close()
