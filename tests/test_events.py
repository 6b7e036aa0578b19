from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune import events as ev
from blurb_tune.errors import BlurbTuneError
from blurb_tune.events import EventLog, from_line, read_events, to_line
from blurb_tune.paths import SweepPaths
from blurb_tune.trial import Measurement

NUMBERS = st.floats(allow_nan=False)


@st.composite
def measured(draw: st.DrawFn) -> ev.Measured:
    names = ("epoch", "dev_score", "dev_loss", "train_loss", "grad_norm", "prediction_spread", "learning_rate")
    values = {name: draw(NUMBERS) for name in names}
    extra = draw(st.dictionaries(st.text(min_size=1), NUMBERS, max_size=3))
    measurement = Measurement(step=draw(st.integers(0, 10**9)), **values, train_seconds=1.0, eval_seconds=2.0, extra=extra)
    return ev.Measured(trial=draw(st.text()), measurement=measurement, time=draw(st.floats(0, 1e10)))


@given(measured())
def test_an_event_survives_the_round_trip(event: ev.Measured) -> None:
    line = to_line(event)
    assert "\n" not in line
    assert from_line(line) == event
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_undefined_numbers_survive_the_round_trip() -> None:
    measurement = Measurement(1, 1.0, math.nan, math.inf, -math.inf, 0.0, 0.0, 0.0, 0.0, 0.0)
    event = from_line(to_line(ev.Measured(trial="t", measurement=measurement)))
    assert isinstance(event, ev.Measured)
    assert math.isnan(event.measurement.dev_score)
    assert (event.measurement.dev_loss, event.measurement.train_loss) == (math.inf, -math.inf)


def test_a_log_from_before_there_were_several_models_is_read() -> None:
    started = ev.SweepStarted(
        sweep_id="s-1", name="s", spec_digest="d", task="demo", metric="pearson", models={"minilm": 6}, objective="mean",
        score="final", seeds=[0], configurations=1, trivial_score=0.0, slots=1, versions={}, time=1.0,
    )  # fmt: skip
    older = json.loads(to_line(started))
    del older["models"], older["folds"], older["notes"]
    assert from_line(json.dumps(older | {"model": "minilm", "blocks": 6})) == started


@pytest.fixture
def paths(tmp_path: Path) -> SweepPaths:
    return SweepPaths(tmp_path)


def fill(paths: SweepPaths, count: int) -> list[ev.Event]:
    events: list[ev.Event] = [
        ev.TrialStarted(trial=f"t{index}", configuration="c000", seed=index, attempt=1) for index in range(count)
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
        log.subscribe(lambda event: seen.append([e for e, _ in read_events(paths.events)][-1] == event))
        log.append(ev.SweepResumed(slots=1))
        log.append(ev.SweepResumed(slots=2))
    assert seen == [True, True]
