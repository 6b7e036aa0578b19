from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blurb_tune.core.lease import Lease
from blurb_tune.core.storage import open_storage
from blurb_tune.service.kept_sweeps import End, KeptSweep, Submission
from blurb_tune.service.notify import notify

END = End(0, "", "", 1.0)


def sweep_that_notifies(folder: Path, address: str) -> KeptSweep:
    sweep = KeptSweep(open_storage(str(folder)), "demo-1")
    sweep.submit(Submission("demo-1", "demo", "ada", 0.0))
    sweep.storage.write("submitted/spec.yaml", f"notify: '{address}'\n".encode())
    sweep.end(END)
    return sweep


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server that takes one request, and what it took."""
    taken: list[bytes] = []

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
            length = int(
                next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
            )
            while len(body) < length:
                body += connection.recv(1 << 16)
            taken.append(body)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", taken
        thread.join(30)


def test_the_end_is_sent_while_the_driver_still_holds_the_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (address, taken):
        sweep = sweep_that_notifies(tmp_path, address)
        with Lease(sweep.storage.child("claims"), patience=5):
            assert sweep.status()["state"] != "finished"
            notify(sweep, END)
    sent = json.loads(taken[0])
    assert (sent["state"], sent["code"], sent["end"]["code"]) == ("finished", 0, 0)
    assert capsys.readouterr().out == ""


def test_what_speaks_no_http_is_told_and_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(b"220 mail.example ESMTP\r\n") as (address, _):
        notify(sweep_that_notifies(tmp_path, address), END)
    assert "nobody could be notified: 220 mail.example" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "http://a b/", "http://x:port/", "no address", "http://[/"])
def test_an_address_that_is_none_is_told_and_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    notify(sweep_that_notifies(tmp_path, address), END)
    assert "nobody could be notified" in capsys.readouterr().out
