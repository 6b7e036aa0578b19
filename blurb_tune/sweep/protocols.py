"""What a sweep needs of its surroundings: a log, and a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from blurb_tune.core.trial import Configuration
from blurb_tune.log import events as ev
from blurb_tune.search.study import Suggestion


class Log(Protocol):
    """Where events go: a file that one driver writes, or a list."""

    def append(self, event: ev.Event) -> None: ...

    def follow(self, follower: Callable[[ev.Event], None]) -> None: ...


class Study(Protocol):
    """Where configurations come from."""

    planned: int
    is_exhausted: bool

    def knows(self, configuration_id: str) -> bool: ...

    def ask(self) -> Suggestion | None: ...

    def learn(self, configuration: Configuration, values: Sequence[float], failed_share: float) -> None: ...

    def replay(self, parameters: dict[str, object]) -> Suggestion: ...

    def tell(self, configuration_id: str, values: Sequence[float], failed_share: float) -> None: ...
