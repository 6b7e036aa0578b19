from __future__ import annotations

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.tracking.backlog import Backlog
from tests.tracking.conftest import Sweep


@pytest.fixture
def boundaries(sweep: Sweep) -> list[int]:
    """The bytes behind each line of a small sweep's log."""
    sweep.small()
    offsets = [0]
    for line in sweep.paths.events.read_bytes().splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    return offsets


def test_what_was_skipped_does_not_come_again(sweep: Sweep, boundaries: list[int]) -> None:
    """From every line on: the pieces hold each value behind it, and none before it."""
    times = [round(event.time * 1000) for event in sweep.written]
    for number, offset in enumerate(boundaries):
        backlog = Backlog(sweep.paths.events)
        assert backlog.skip_to(offset)
        assert (backlog.offset, backlog.count()) == (offset, len(times) - number)
        piece = backlog.next_piece()
        assert (piece is None) == (number == len(times))
        points = [point for update in piece or [] for point in update.points]
        assert all(point.timestamp in times[number:] for point in points)
        assert {update.trial for update in piece or [] if update.is_new}.isdisjoint(backlog.delivered_runs())


def test_a_place_that_is_no_end_of_a_line_is_not_skipped_to(sweep: Sweep, boundaries: list[int]) -> None:
    backlog = Backlog(sweep.paths.events)
    for offset in (boundaries[3] - 1, boundaries[3] + 1, boundaries[-1] + 1):
        assert not backlog.skip_to(offset)
        assert (backlog.offset, backlog.count()) == (0, len(boundaries) - 1)


def test_a_piece_stays_the_next_one_until_it_has_arrived(sweep: Sweep, boundaries: list[int]) -> None:
    backlog = Backlog(sweep.paths.events)
    piece = backlog.next_piece()
    assert piece
    assert backlog.next_piece() is piece
    assert (backlog.offset, backlog.delivered_runs()) == (0, {})
    backlog.advance()
    assert (backlog.offset, backlog.next_piece()) == (boundaries[-1], None)
    assert backlog.delivered_runs() == {None: 1, "c000-s0": 1, "c000-s1": 1, "c001-s0": 1, "c001-s1": 1}


def test_a_run_that_began_just_now_waits_and_the_log_counts_as_delivered_up_to_it(sweep: Sweep) -> None:
    sweep.start()
    sweep.suggest("c000")
    before = sweep.paths.events.stat().st_size
    young = sweep.begin("c000", 0)
    other = sweep.begin("c000", 1)
    sweep.measure(young, 10)
    sweep.end(other, Outcome.COMPLETED)
    backlog = Backlog(sweep.paths.events)
    piece = backlog.next_piece(lambda _: True)
    assert [update.trial for update in piece or []] == [None, other]
    backlog.advance()
    assert (backlog.offset, backlog.delivered_runs().keys()) == (before, {None, other})
    assert backlog.next_piece(lambda _: True) is None
    sweep.end(young, Outcome.COMPLETED)
    whole = backlog.next_piece(lambda _: True)
    (update,) = [update for update in whole or [] if update.trial == young]
    assert (update.is_new, update.status, bool(update.points)) == (True, "FINISHED", True)
    backlog.advance()
    assert (backlog.offset, backlog.count()) == (sweep.paths.events.stat().st_size, 0)


def test_a_run_that_waited_comes_without_news_once_it_is_not_early_any_more(sweep: Sweep) -> None:
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    backlog = Backlog(sweep.paths.events)
    backlog.next_piece(lambda _: True)
    backlog.advance()
    assert [update.trial for update in backlog.next_piece() or []] == [trial]
    backlog.advance()
    assert backlog.offset == sweep.paths.events.stat().st_size
