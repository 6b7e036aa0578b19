"""Many requests side by side, in threads that keep no process from ending."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def for_each(items: Iterable[T], work: Callable[[T], None], *, threads: int, give_up: Callable[[], bool]) -> bool:
    """Call `work` with each of the items, in order but up to `threads` at a time; False when `give_up` ended it before.

    After an exception no further item is begun, and the first one is raised when all that were begun are through. (Executors
    of the standard library wait at the end of the process for whatever they have begun.)
    """
    waiting = deque(items)
    errors: list[Exception] = []

    def run() -> None:
        while waiting and not errors and not give_up():
            try:
                item = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                work(item)
            except Exception as error:  # it is raised where all threads have ended
                errors.append(error)

    helpers = [threading.Thread(target=run, daemon=True) for _ in range(min(threads, len(waiting)) - 1)]
    for helper in helpers:
        helper.start()
    run()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
    return not waiting
