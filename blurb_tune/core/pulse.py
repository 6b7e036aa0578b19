"""What a driver and its trials do between two events: shown while it is true, written nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pulse:
    """What one attempt of a trial does at the moment.

    doing: `loading the model`, `training` or `evaluating`. step and steps: optimizer steps so far and in all; 0 before them.
    """

    trial: str
    attempt: int
    doing: str
    step: int = 0
    steps: int = 0


class Onlooker:
    """Hears what happens between two events of the log. This one ignores it; a view shows it. Called from any thread."""

    def on_phase(self, text: str) -> None:
        """The driver begins something that takes a while, such as `starting Ray`; empty when trials run."""

    def on_waiting(self, text: str) -> None:
        """What trials have waited for for a while; empty when none waits any more."""

    def on_pulses(self, pulses: Sequence[Pulse]) -> None:
        """What running trials do, all or some of them."""
