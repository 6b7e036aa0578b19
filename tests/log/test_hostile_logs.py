"""Logs that nobody's driver wrote: each is refused with its line and how to go on, and never by a traceback."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.trial import Outcome
from blurb_tune.log import event_log
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import find_events, read_events
from blurb_tune.log.lines import from_line, to_line
from blurb_tune.log.record import SweepRecord
from tests.report.sweeps import SweepWriter

Lines = list[bytes]


def whole() -> Lines:
    """Two configurations with two seeds each, the winner tested."""
    sweep = SweepWriter(seeds=(0, 1), configurations=2)
    for name in ("c000", "c001"):
        sweep.configuration(name)
        for seed in (0, 1):
            sweep.trial(name, seed, [0.1, 0.2])
        sweep.end_configuration(name)
    sweep.configuration("c002")
    sweep.select("c000", "c001")
    sweep.test("c000-s0", 0.2, (0.1, 0.3))
    sweep.combine("ensemble", ["c000-s0", "c000-s1"], 0.3)
    sweep.finish()
    return [to_line(event).encode() + b"\n" for event in sweep.events]


def index_of(lines: Lines, kind: str, number: int = 0) -> int:
    return [i for i, line in enumerate(lines) if line.startswith(b'{"kind": "%s"' % kind.encode())][number]


def changed(line: bytes, path: str, value: Any) -> bytes:
    """The line with another value, and a checksum that fits."""
    data = json.loads(line)
    data.pop("crc")
    *above, key = path.split(".")
    holder = data
    for name in above:
        holder = holder[name]
    if value is ...:
        del holder[key]
    else:
        holder[key] = value
    text = json.dumps(data).encode()
    return text[:-1] + f', "crc": "{zlib.crc32(text):08x}"}}\n'.encode()


def refused(folder: Path, lines: Lines) -> str:
    file = folder / "events.jsonl"
    file.write_bytes(b"".join(lines))
    with pytest.raises(BlurbTuneError) as error:
        SweepRecord.read(file)
    message = str(error.value)
    assert len(message) < 1_000
    return message.removeprefix(str(file))


VALUES: dict[str, tuple[str, str, Any, str]] = {
    "text for a number": ("measured", "measurement.dev_score", "0.5", "dev_score: expected a number, but got '0.5'"),
    "a list for a number": ("measured", "measurement.step", [1], "step: expected a whole number of at most 63 bits"),
    "part of a step": ("measured", "measurement.step", 1.5, "step: expected a whole number"),
    "a step before the first": ("measured", "measurement.step", -1, "step: expected 0 or more, but got -1"),
    "truth for a number": ("trial_started", "seed", True, "seed: expected a whole number"),
    "a number of no end": ("measured", "measurement.epoch", 10**400, "epoch: expected a number, but got 1000"),
    "an endless score": ("measured", "measurement.dev_score", {"float": "inf"}, "dev_score: expected a number or none"),
    "no float": ("measured", "measurement.dev_score", {"float": "x"}, "could not convert string to float"),
    "no measurement": ("measured", "measurement", 5, "measurement: expected an object, but got 5"),
    "half a measurement": ("measured", "measurement.step", ..., "measurement: lacks 'step'"),
    "a metric of text": ("measured", "measurement.extra", {"mse": "x"}, "extra: mse: expected a number, but got 'x'"),
    "time given back": ("measured", "resumed_seconds", -1.0, "resumed_seconds: expected 0 or more, but got -1.0"),
    "no trial": ("measured", "trial", ..., "lacks 'trial'"),
    "a trial of numbers": ("measured", "trial", 5, "trial: expected text, but got 5"),
    "no moment": ("measured", "time", {"float": "nan"}, "time: expected seconds since the epoch, but got nan"),
    "a moment after all": ("measured", "time", 1e300, "time: expected seconds since the epoch"),
    "no such outcome": ("trial_ended", "outcome", "won", "outcome: expected one of completed, collapsed,"),
    "an outcome of numbers": ("trial_ended", "outcome", 7, "outcome: expected text, but got 7"),
    "no truth": ("trial_ended", "retry", 1, "retry: expected true or false, but got 1"),
    "no such state": ("configuration_ended", "state", "WON", "state: expected one of COMPLETE,"),
    "no such setting": ("configuration_suggested", "values.color", 1, "values: unknown 'color'"),
    "no number of epochs": ("configuration_suggested", "values.epochs", "3", "epochs: expected a whole number"),
    "no epochs": ("configuration_suggested", "values.epochs", 0, "values: epochs: expected 1 or more, but got 0"),
    "values of text": ("configuration_suggested", "values", "x", "values: expected an object, but got 'x'"),
    "what no sampler draws": ("configuration_suggested", "parameters", {"x": {}}, "expected a value that a sampler draws"),
    "models in a list": ("sweep_started", "models", ["tiny"], "models: expected an object"),
    "no models": ("sweep_started", "models", {}, "models: expected at least one"),
    "no seeds": ("sweep_started", "seeds", [], "seeds: expected at least one"),
    "seeds of text": ("sweep_started", "seeds", ["0"], "seeds: expected a whole number"),
    "no such objective": ("sweep_started", "objective", "luck", "unknown objective 'luck'"),
    "no such score": ("sweep_started", "score", "middle", "score: expected final or best"),
    "folds below none": ("sweep_started", "folds", -1, "folds: expected 0 or more"),
    "a log of tomorrow": ("sweep_started", "log_version", 99, "it is of version 99 of the format"),
    "one bound": ("tested", "interval", [0.5], "interval: expected two numbers"),
    "an endless test": ("tested", "metrics", {"pearson": {"float": "-inf"}}, "metrics: expected numbers"),
    "an unknown method": ("combination_tested", "method", "soup", "method: expected one of best single run, greedy soup,"),
    "a combination of none": ("combination_tested", "members", [], "members: expected at least one"),
    "less than no bytes": ("combination_tested", "size", -1, "size, examples: expected 0 or more"),
    "three bounds": ("combination_tested", "interval", [0.1, 0.2, 0.3], "interval: expected two numbers"),
    "an endless gain": ("combination_tested", "difference", {"float": "inf"}, "expected numbers, but got an infinity"),
    "another run's name": ("trial_started", "trial", "c000-s1", "trial: expected 'c000-s0', but got 'c000-s1'"),
    "no such event": ("measured", "kind", "sneezed", "not an event of this version"),
    "an event of lists": ("measured", "kind", ["measured"], "not an event of this version"),
    "much text": ("measured", "measurement.step", "x" * 100_000, "63 bits, but got 'xxx"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value", "expected"), VALUES.values(), ids=list(VALUES))
def test_a_value_that_its_field_cannot_have(tmp_path: Path, kind: str, path: str, value: Any, expected: str) -> None:
    lines = whole()
    place = index_of(lines, kind)
    lines[place] = changed(lines[place], path, value)
    message = refused(tmp_path, lines)
    assert message.startswith(f":{place + 1}: this line of the event log cannot be read: ")
    assert expected in message
    assert ("head -n" if place else "name another folder") in message


def twice(kind: str, number: int = 0) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        place = index_of(lines, kind, number)
        lines.insert(place + 1, lines[place])

    return change


def without(kind: str, number: int = 0) -> Callable[[Lines], None]:
    return lambda lines: lines.__delitem__(index_of(lines, kind, number))


def with_value(kind: str, path: str, value: Any) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        place = index_of(lines, kind)
        lines[place] = changed(lines[place], path, value)

    return change


def behind_all(event: ev.Event) -> Callable[[Lines], None]:
    return lambda lines: lines.append(to_line(event).encode() + b"\n")


UNKNOWN = {"trial": "c009-s0", "time": 1.0}
ORDERS: dict[str, tuple[Callable[[Lines], None], str]] = {
    "no beginning": (without("sweep_started"), "the event log does not start with sweep_started"),
    "two beginnings": (twice("sweep_started"), "the sweep has started already"),
    "a suggestion twice": (twice("configuration_suggested"), "configuration 'c000' was suggested already"),
    "no suggestion": (without("configuration_suggested"), "configuration 'c000' was not suggested"),
    "a start twice": (twice("trial_started"), "attempt 1 of trial 'c000-s0' has started already"),
    "no start": (without("trial_started"), "trial 'c000-s0' has not started"),
    "an end twice": (twice("trial_ended"), "trial 'c000-s0' has ended already"),
    "the end of another attempt": (with_value("trial_ended", "attempt", 2), "attempt 2 of trial 'c000-s0' ends, but"),
    "an unknown winner": (with_value("selection_made", "configuration", "c007"), "configuration 'c007' was not suggested"),
    "an unknown reference": (with_value("selection_made", "reference", "c007"), "configuration 'c007' was not suggested"),
    "another metric": (with_value("tested", "metrics", {"f1": 0.5}), "the test of trial 'c000-s0' has no 'pearson'"),
    "a run of what has ended": (
        behind_all(ev.TrialStarted(trial="c001-s7", configuration="c001", seed=7, attempt=1, time=1.0)),
        "configuration 'c001' has ended already",
    ),
    "a fold of none": (
        behind_all(ev.TrialStarted(trial="c002-s0-f1", configuration="c002", seed=0, attempt=1, fold=1, time=1.0)),
        "the sweep has no fold 1",
    ),
    "a measurement of nothing": (with_value("measured", "trial", "c009-s0"), "trial 'c009-s0' has not started"),
    "a stop of nothing": (
        behind_all(ev.PruneDecided(step=1, rule="r", reason="r", outcome=str(Outcome.PRUNED_UNSTABLE), **UNKNOWN)),
        "trial 'c009-s0' has not started",
    ),
    "a combination of nothing": (
        with_value("combination_tested", "members", ["c009-s0"]),
        "trial 'c009-s0' has not started",
    ),
    "a combination before its time": (without("selection_made"), "runs are combined before a winner was named"),
    "a test of nothing": (behind_all(ev.Tested(examples=1, metrics={"pearson": 0.5}, **UNKNOWN)), "trial 'c009-s0' has not"),
    "a lost stranger": (
        behind_all(ev.ConfigurationStopped(configuration="c009", rule="r", reason="r", replicates=1, time=1.0)),
        "configuration 'c009' was not suggested",
    ),
    "an opened stranger": (behind_all(ev.ConfigurationReopened(configuration="c009", reason="r", time=1.0)), "'c009' was not"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), ORDERS.values(), ids=list(ORDERS))
def test_what_cannot_follow(tmp_path: Path, change: Callable[[Lines], None], expected: str) -> None:
    lines = whole()
    change(lines)
    message = refused(tmp_path, lines)
    assert "does not follow from those before it, of which some are missing, or stand twice" in message
    assert expected in message


FOREIGN = {
    "nothing that is JSON": (b"PK\x03\x04\n", ":1:"),
    "no object": (b"[]\n", "not an event of this version"),
    "no character": (b'{"kind": "\xff"}\n', ":1:"),
    "zeros": (b"\0" * 1_000 + b"\n", ":1:"),
    "a deep list": (b"[" * 100_000 + b"\n", "it is nested too deep"),
    "a deep object": (b'{"a":' * 100_000 + b"\n", "it is nested too deep"),
    "a deep value": (b'{"kind": "measured", "trial": ' + b"[" * 900 + b"]" * 900 + b"}\n", ":1:"),
    "a number without end": (b"1" * 5_000 + b"\n", ":1:"),
}


@pytest.mark.parametrize(("line", "expected"), FOREIGN.values(), ids=list(FOREIGN))
def test_what_is_no_event(tmp_path: Path, line: bytes, expected: str) -> None:
    message = refused(tmp_path, [line, *whole()])
    assert message.startswith(":1: this line of the event log ")
    assert expected in message


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "MAX_LINE", 10_000)
    assert "has more than 10,000 bytes" in refused(tmp_path, [*whole(), b"x" * 20_000])


@pytest.mark.parametrize("content", [b"", b"x", b'{"kind": "sweep_started"', b"\0" * 100])
def test_a_log_that_holds_no_whole_line_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "events.jsonl").write_bytes(content)
    assert SweepRecord.read(tmp_path / "events.jsonl").started is None


def test_a_device_in_the_place_of_a_log_is_told(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").symlink_to("/dev/zero")
    for read in (lambda path: list(read_events(path)), lambda path: find_events(path, ev.SweepExtended)):
        with pytest.raises(BlurbTuneError, match="it is a pipe or a device"):
            read(tmp_path / "events.jsonl")


def test_a_search_passes_over_what_cannot_be_read(tmp_path: Path) -> None:
    lines = [b'{"kind": "tested", "trial": ' + b"[" * 100_000 + b"\n", *whole()]
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines))
    assert [event.trial for event in find_events(tmp_path / "events.jsonl", ev.Tested)] == ["c000-s0"]


def test_texts_of_a_log_steer_no_terminal_and_can_be_encoded() -> None:
    raw = ev.TrialEnded(trial="t", attempt=1, outcome="errored", error="\x1b]0;x\x07 \x9b2J \r\n\tok é", reason="file \udcff")
    line = to_line(raw)
    line.encode("utf-8")
    event = from_line(line)
    assert isinstance(event, ev.TrialEnded)
    assert event.error == "\\x1b]0;x\\x07 \\x9b2J \\r\n\tok é"
    assert event.reason == "file \\udcff"


def test_an_event_that_is_refused_changes_nothing() -> None:
    events = [from_line(line.decode()) for line in whole()]
    record = SweepRecord.of(events)
    before = json.dumps([record.outcome_counts(), record.train_seconds, record.searched, record.status])
    for event in events[:-1]:
        if isinstance(event, ev.SweepStarted | ev.ConfigurationSuggested | ev.TrialStarted | ev.Measured | ev.TrialEnded):
            with pytest.raises(LookupError):
                record.apply(event)
    assert json.dumps([record.outcome_counts(), record.train_seconds, record.searched, record.status]) == before
