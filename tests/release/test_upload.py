"""The hub's protocol, by the real client, against a small server that keeps what it is sent."""

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

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.release.loading import load_model
from blurb_tune.release.onward import Onward
from blurb_tune.release.upload import check_upload, upload
from tests.release.conftest import MakeModel

NAME, TOKEN = "lab/notes", "hf_m4rkedTokenOfATest"
Answer = tuple[int, dict[str, str], Any]


@dataclass
class Hub:
    """repositories: by name, its files; `private` says which are. refusal: the status that writing is answered with.

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
            if asked.get("visibility") == "private":
                self.private.add(name)
            return 409 if is_there else 200, {}, {"url": f"{self.address}/{name}"}
        if NAME not in self.repositories:
            return 404, {"X-Error-Code": "RepoNotFound"}, {"error": "Repository not found"}
        return self.of_repository(path, body)

    def of_repository(self, path: str, body: bytes) -> Answer:
        files = self.repositories[NAME]
        if path == f"/api/models/{NAME}/tree/main":
            return 200, {}, [{"type": "file", "path": name, "size": len(c), "oid": "0"} for name, c in files.items()]
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


def test_what_is_uploaded_is_the_folder_for_its_owner_s_eyes(hub: Hub, make_model: MakeModel) -> None:
    folder = make_model()
    check_upload(NAME)
    assert upload(folder, NAME) == f"{hub.address}/{NAME}"
    assert hub.private == {NAME}
    assert hub.messages == ["Run c1-s0 of the sweep ab12cd"]
    files = hub.repositories[NAME]
    assert {name: content for name, content in files.items() if name != ".gitattributes"} == {
        file.name: file.read_bytes() for file in folder.iterdir()
    }
    assert list(hub.stored.values()) == [files["model.safetensors"]], "weights go the way of large files"
    again = make_model(name="again")
    for name, content in files.items():
        (again / name).write_bytes(content)
    load_model(again)


def test_a_repository_with_files_is_left_alone_and_an_empty_one_is_filled(hub: Hub, make_model: MakeModel) -> None:
    hub.repositories[NAME] = {".gitattributes": b""}
    check_upload(NAME)
    upload(make_model(), NAME)
    before = dict(hub.repositories[NAME])
    with pytest.raises(InputError, match=f"there is {NAME} already, with {len(before) - 1} files; name another"):
        check_upload(NAME)
    assert hub.repositories[NAME] == before


@pytest.mark.parametrize(("status", "said"), [(403, "this token may not write there"), (402, "the hub answers 402")])
def test_what_the_hub_refuses_is_said_without_the_token(hub: Hub, make_model: MakeModel, status: int, said: str) -> None:
    hub.refusal = status
    with pytest.raises(BlurbTuneError, match=said) as error:
        upload(make_model(), NAME)
    assert TOKEN not in str(error.value)
    assert hub.repositories == {}


@pytest.mark.parametrize("place", ["environment", "login"])
def test_a_token_that_is_not_known(hub: Hub, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    wrong = "hf_m4rkedWrongToken"
    if place == "environment":
        monkeypatch.setenv("HF_TOKEN", wrong)
    else:
        monkeypatch.delenv("HF_TOKEN")
        with open(constants.HF_TOKEN_PATH, "w") as file:  # noqa: PTH123
            file.write(wrong)
    with pytest.raises(BlurbTuneError, match="the hub does not know this token: run `hf auth login --force`") as error:
        check_upload(NAME)
    assert wrong not in str(error.value)


def test_nobody_is_logged_in_or_the_name_cannot_be(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("notes", "a/b/c", "lab/no tes", "lab/../x", ""):
        with pytest.raises(InputError, match="expected owner/name"):
            check_upload(name)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match="run `hf auth login`, or set HF_TOKEN"):
        check_upload(NAME)


def test_a_hub_that_is_away(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BlurbTuneError, match="the hub cannot be reached"):
        check_upload(NAME)


def test_all_that_keeps_a_model_from_leaving_is_said_at_once(hub: Hub) -> None:
    with pytest.raises(InputError) as error:
        Onward(register="a/b", push="notes").check()
    assert [problem.where for problem in error.value.problems] == ["--register", "--push"]
