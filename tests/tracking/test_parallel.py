from __future__ import annotations

import threading

import pytest

from blurb_tune.tracking.parallel import for_each


def never() -> bool:
    return False


@pytest.mark.parametrize("threads", [1, 3])
def test_every_item_is_done_once(threads: int) -> None:
    done: list[int] = []
    assert for_each(range(50), done.append, threads=threads, give_up=never)
    assert sorted(done) == list(range(50))
    assert for_each([], done.append, threads=threads, give_up=never)


def test_so_many_at_a_time() -> None:
    """Each waits until all three are at work, which one after the other they never are."""
    meeting = threading.Barrier(3, timeout=30)
    assert for_each(range(6), lambda _: meeting.wait() and None, threads=3, give_up=never)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_error_ends_it_when_all_that_began_are_through(threads: int) -> None:
    begun: list[int] = []
    through: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        if item == 4:
            raise ValueError("four")
        through.append(item)

    with pytest.raises(ValueError, match="four"):
        for_each(range(1000), work, threads=threads, give_up=never)
    assert set(begun) - set(through) == {4}
    assert len(begun) < 1000


def test_what_is_given_up_is_told() -> None:
    done: list[int] = []
    assert not for_each(range(9), done.append, threads=1, give_up=lambda: len(done) == 4)
    assert done == [0, 1, 2, 3]
