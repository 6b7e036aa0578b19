from __future__ import annotations

import resource
from pathlib import Path

import pytest

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog, read_events


@pytest.fixture
def paths(tmp_path: Path) -> SweepPaths:
    return SweepPaths(tmp_path)


def fill(paths: SweepPaths, count: int) -> list[ev.Event]:
    events: list[ev.Event] = [
        ev.TrialStarted(trial=f"c000-s{index}", configuration="c000", seed=index, attempt=1) for index in range(count)
    ]
    with EventLog(paths.events, paths.lock) as log:
        for event in events:
            log.append(event)
    return events


def test_what_is_appended_is_read_back_from_any_offset(paths: SweepPaths) -> None:
    events = fill(paths, 4)
    found = list(read_events(paths.events))
    assert [event for event, _ in found] == events
    for index, (_, offset) in enumerate(found):
        assert [event for event, _ in read_events(paths.events, offset)] == events[index + 1 :]


def test_a_log_torn_anywhere_gives_its_whole_lines_and_goes_on(paths: SweepPaths) -> None:
    events = fill(paths, 3)
    whole = paths.events.read_bytes()
    ends = [offset for _, offset in read_events(paths.events)]
    for cut in range(len(whole) + 1):
        paths.events.write_bytes(whole[:cut])
        kept = events[: sum(end <= cut for end in ends)]
        assert [event for event, _ in read_events(paths.events)] == kept
        with EventLog(paths.events, paths.lock) as log:
            log.append(events[0])
        assert [event for event, _ in read_events(paths.events)] == [*kept, events[0]]


def test_damage_in_the_middle_is_told_with_its_line(paths: SweepPaths) -> None:
    fill(paths, 3)
    lines = paths.events.read_text().splitlines(keepends=True)
    paths.events.write_text(lines[0] + "{broken\n" + lines[2])
    with pytest.raises(BlurbTuneError, match=r"events\.jsonl:2"):
        list(read_events(paths.events))


def test_a_second_writer_is_refused(paths: SweepPaths) -> None:
    with EventLog(paths.events, paths.lock), pytest.raises(BlurbTuneError, match="another process"):
        EventLog(paths.events, paths.lock)
    EventLog(paths.events, paths.lock).close()


def test_an_event_is_on_disk_before_a_listener_hears_of_it(paths: SweepPaths) -> None:
    seen = []
    with EventLog(paths.events, paths.lock) as log:
        log.observe(lambda event: seen.append([e for e, _ in read_events(paths.events)][-1] == event))
        log.append(ev.SweepResumed(slots=1))
        log.append(ev.SweepResumed(slots=2))
    assert seen == [True, True]


def test_a_full_disk_is_told_and_nobody_hears_of_what_is_not_written(paths: SweepPaths) -> None:
    events = fill(paths, 2)
    heard: list[ev.Event] = []
    with EventLog(paths.events, paths.lock) as log:
        log.follow(heard.append)
        with Path("/dev/full").open("r+b", buffering=0) as full:
            log._file, kept = full, log._file
            with pytest.raises(BlurbTuneError, match=r"events.jsonl: .*cannot be written \(No space left"):
                log.append(events[0])
            log._file = kept
    assert heard == []
    assert [event for event, _ in read_events(paths.events)] == events


def test_a_line_that_the_disk_takes_in_part_is_taken_back_and_none_follows_it(paths: SweepPaths) -> None:
    """Even when there is room again: what comes after it would follow from a state that the log does not have."""
    events = fill(paths, 2)
    size = paths.events.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with EventLog(paths.events, paths.lock) as log:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
        try:
            with pytest.raises(BlurbTuneError, match="cannot be written"):
                log.append(events[0])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert paths.events.stat().st_size == size
        with pytest.raises(BlurbTuneError, match="cannot be written"):
            log.append(events[1])
    with EventLog(paths.events, paths.lock) as log:
        log.append(events[0])
    assert [event for event, _ in read_events(paths.events)] == [*events, events[0]]


def test_an_observer_that_fails_stops_nothing_and_is_dropped_after_several_faults(
    paths: SweepPaths, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[str] = []

    def broken(event: ev.Event) -> None:
        called.append("broken")
        raise OSError("No space left on device")

    with EventLog(paths.events, paths.lock) as log:
        log.observe(broken)
        log.observe(lambda event: called.append("sound"))
        for index in range(8):
            log.append(ev.TrialStarted(trial=f"c000-s{index}", configuration="c000", seed=index, attempt=1))
    assert called.count("sound") == 8
    assert called.count("broken") == 5
    assert [record.message.split(" and ")[-1] for record in caplog.records] == [
        "the sweep goes on: OSError('No space left on device')", "is left out from now on"
    ]  # fmt: skip


def test_a_follower_that_fails_is_heard(paths: SweepPaths) -> None:
    def broken(event: ev.Event) -> None:
        raise RuntimeError("state and log differ")

    with EventLog(paths.events, paths.lock) as log:
        log.follow(broken)
        with pytest.raises(RuntimeError, match="differ"):
            log.append(ev.TrialStarted(trial="c000-s0", configuration="c000", seed=0, attempt=1))
