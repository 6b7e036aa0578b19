"""What lies in a storage, in a folder and on a real S3 server, and how it is found and asked."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.core.lease import Lease
from blurb_tune.core.storage import Storage
from blurb_tune.service.agent import answer
from blurb_tune.service.kept_sweeps import DRIVER_LOG, End, KeptSweep, Request, Submission, Sweeps, shorten


def submitted(storage: Storage, sweep_id: str, when: float = 1000.0) -> KeptSweep:
    sweep = KeptSweep(storage, sweep_id)
    sweep.submit(Submission(sweep_id, sweep_id.rpartition("-")[0], "ada", when))
    return sweep


def known(sweep: KeptSweep, **values: Any) -> None:
    sweep.storage.write("status.json", json.dumps({"state": "running", "progress": 0.25} | values).encode())


def test_the_state_follows_from_what_its_driver_left(storage: Storage) -> None:
    sweep = submitted(storage, "demo-1")
    assert sweep.status()["state"] == "pending"
    with Lease(sweep.storage.child("claims"), patience=5):
        assert sweep.status()["state"] == "starting"
        known(sweep)
        assert (sweep.status()["state"], sweep.status()["progress"]) == ("running", 0.25)
        sweep.ask(Request("stop", "eve"))
        assert sweep.status()["state"] == "stopping"
        for name, _ in list(sweep.requests()):
            sweep.answer(name)
        for logged in ("finished", "no result", "interrupted"):
            known(sweep, state=logged)
            assert sweep.status()["state"] == "ending", "there are tables to write"
    assert sweep.status()["state"] == "lost", "its driver wrote no end"
    for code, reason, state in (
        (0, "", "finished"),
        (3, "", "no result"),
        (1, "", "failed"),
        (130, "", "interrupted"),
        (130, "stop", "stopped"),
        (130, "pause", "paused"),
    ):
        sweep.end(End(code, "said", reason, time.time()))
        assert (sweep.status()["state"], sweep.status()["message"]) == (state, "said")
    known(sweep, progress=0.5)
    with Lease(sweep.storage.child("claims"), patience=5):
        sweep.begin()
        found = sweep.status()
        assert (found["state"], found["progress"], found["code"]) == ("starting", 0.5, None)
    assert sweep.status()["state"] == "lost"


@pytest.mark.parametrize(("command", "state"), [("stop", "stopped"), ("pause", "paused")])
def test_a_pending_sweep_that_is_called_off_is_so_whatever_else_was_asked(storage: Storage, command: str, state: str) -> None:
    sweep = submitted(storage, "demo-1")
    sweep.ask(Request("change", "ada", {"seeds": 9}))
    assert sweep.status()["state"] == "pending"
    sweep.ask(Request(command, "eve"))
    assert sweep.status()["state"] == state


def test_requests_come_in_their_order_and_once_and_strangers_are_passed_over(storage: Storage) -> None:
    sweep = submitted(storage, "demo-1")
    control = sweep.storage.child("control")
    for name, data in (("0", b"\xff"), ("1", b"[]"), ("2", b'{"command": "rm", "by": "eve"}'), ("3", b'{"by": 1}')):
        control.write(name, data)
    sweep.ask(Request("change", "ada", {"seeds": 9}))
    sweep.ask(Request("stop", "eve"))
    assert [request for _, request in sweep.requests()] == [Request("change", "ada", {"seeds": 9}), Request("stop", "eve")]
    for name, _ in list(sweep.requests()):
        sweep.answer(name)
    assert list(sweep.requests()) == []


def test_sweeps_are_found_by_the_beginning_of_their_id_and_listed_newest_first(storage: Storage) -> None:
    for number, name in enumerate(("demo-1a", "demo-1b", "demo")):
        submitted(storage, name, when=float(number))
    storage.child("not-a-sweep").write("notes.txt", b"")
    sweeps = Sweeps(storage)
    assert [status["id"] for status in sweeps.list()] == ["demo", "demo-1b", "demo-1a"]
    assert sweeps.find("demo-1b").id == "demo-1b"
    assert sweeps.find("demo").id == "demo", "a whole id is no prefix"
    for prefix, message in (
        ("demo-", "several sweeps begin so: demo-1a, demo-1b"),
        ("dem0", "did you mean"),
        ("", "no sweep"),
    ):
        with pytest.raises(InputError, match=message):
            sweeps.find(prefix)


def test_logs_of_the_driver_and_of_trials_with_all_their_attempts(storage: Storage) -> None:
    sweep = submitted(storage, "demo-1")
    assert sweep.log() == ("", 0)
    sweep.storage.write(DRIVER_LOG, "zwölf\n".encode())
    assert sweep.log() == ("zwölf\n", 7)
    assert sweep.log(start=7) == ("", 7)
    sweep.storage.write("logs/trials/c000-s1.log", b"one\n")
    sweep.storage.write("logs/trials/c000-s1-a2.log", b"two\n")
    sweep.storage.write("logs/trials/c000-s10.log", b"other\n")
    sweep.storage.write("logs/trials/c000-s1-a10.log", b"ten\n")
    assert sweep.log("c000-s1")[0].split() == ["one", "two", "ten"]
    with pytest.raises(BlurbTuneError, match="did you mean 'c000-s1'"):
        sweep.log("c000-s11")


def test_what_is_damaged_in_the_storage_is_no_traceback(storage: Storage) -> None:
    sweep = submitted(storage, "demo-1")
    for name in ("status.json", "ended.json", "sweep.json"):
        sweep.storage.write(name, b"{cut off")
    assert sweep.status()["state"] == "pending"
    sweep.storage.write("events.jsonl", b"\xff\n{}\n")
    assert sweep.events() == []


def test_what_others_write_into_the_storage_breaks_no_view(storage: Storage) -> None:
    sweep = submitted(storage, "demo-1")
    values = ("\x1b[31mred", [], {}, None, True, 1e999, {"a": "b"}, -5)
    for value in values:
        fields = ("progress", "best", "trials", "slots", "seconds_left", "metric", "waiting_for", "tracking", "state", "name")
        sweep.storage.write("status.json", json.dumps(dict.fromkeys(fields, value)).encode())
        sweep.storage.write("sweep.json", json.dumps(dict.fromkeys(("id", "name", "owner", "submitted"), value)).encode())
        sweep.storage.write("ended.json", json.dumps({"code": value, "message": value, "reason": value}).encode())
        status = sweep.status()
        assert "\x1b" not in json.dumps(status, ensure_ascii=False)
        assert status["progress"] is None or isinstance(status["progress"], int | float)
        assert status["best"] is None or set(status["best"]) == {"configuration", "strategy", "objective", "mean", "n"}
        Sweeps(storage).list()


def test_the_agent_answers_what_the_client_asks(storage: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "payload"
    (folder / "data").mkdir(parents=True)
    (folder / "spec.yaml").write_text("task: demo")
    (folder / "data" / "train.csv").write_text("a,b")
    submission = {"id": "demo-1", "name": "demo", "owner": "ada", "submitted": 1.0}

    def ask(what: str, **arguments: Any) -> dict[str, Any]:
        return answer({"do": what, "storage": storage.uri, **arguments})

    assert ask("submit", submission=submission, folder=str(folder))["id"] == "demo-1"
    assert ask("files", id="demo")["files"] == ["submitted/data/train.csv", "submitted/spec.yaml", "sweep.json"]
    assert ask("file", id="demo", name="submitted/spec.yaml") == {"data": "dGFzazogZGVtbw=="}
    assert ask("ask", id="demo", command="pause", by="eve")["state"] == "paused"
    assert ask("forget", id="demo")["state"] == "pending"
    assert list(Sweeps(storage).find("demo").requests()) == []
    with pytest.raises(InputError):
        ask("status", id="nothing")


def test_a_log_that_is_shortened_is_read_on_where_one_stood(storage: Storage) -> None:
    sweep = submitted(storage, "demo-1")
    whole = b"".join(b"line %d\n" % number for number in range(300))
    read, start, kept_here = "", 0, b""
    for at in range(0, len(whole), 53):
        if at == 53 * 30:  # a driver on another machine goes on with what the storage has
            kept_here = storage.child("demo-1").read(DRIVER_LOG)
        kept_here += whole[at : at + 53]
        sweep.storage.write(DRIVER_LOG, shorten(kept_here, 500))
        text, start = sweep.log(start=start)
        read += text
    assert read.encode() == whole
    assert len(sweep.storage.read(DRIVER_LOG)) == 500
    assert sweep.log()[0].startswith(f"[{len(whole) - 500 + 46:012d} bytes before this are left out]\n")


@pytest.mark.parametrize(
    ("code", "known_as"), [(2, "failed"), (4, "failed"), (0, "finished"), ("x", "failed"), ([], "failed")]
)
def test_the_exit_code_is_the_driver_s_own(storage: Storage, code: Any, known_as: str) -> None:
    sweep = submitted(storage, "demo-1")
    assert (sweep.status()["code"], sweep.status()["ended"]) == (None, None)
    sweep.end(End(code, "", "", 7.0))
    assert (sweep.status()["state"], sweep.status()["ended"]) == (known_as, 7.0)
    assert sweep.status()["code"] == (code if isinstance(code, int) else None)
