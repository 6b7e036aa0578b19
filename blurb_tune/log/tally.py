"""How the final trials of a sweep ended, and how long they took."""

from __future__ import annotations

from collections import Counter

from blurb_tune.core.trial import Outcome
from blurb_tune.log.trial_record import TrialRecord


class Tally:
    """Kept as trials end, so that nobody counts through all of them; trials that are not final are not counted."""

    def __init__(self) -> None:
        self._outcomes: Counter[Outcome] = Counter()
        self._seconds: dict[str, float] = {}
        self._total_seconds = 0.0

    def add(self, trial: TrialRecord) -> None:
        if trial.is_final and trial.outcome is not None:
            self._outcomes[trial.outcome] += 1
            if trial.outcome is not Outcome.ERRORED and trial.ended is not None:
                self._seconds[trial.trial_id] = trial.ended - trial.started
                self._total_seconds += self._seconds[trial.trial_id]

    def remove(self, trial: TrialRecord) -> None:
        """Before it changes."""
        if trial.is_final and trial.outcome is not None:
            self._outcomes[trial.outcome] -= 1
            self._total_seconds -= self._seconds.pop(trial.trial_id, 0.0)

    def outcomes(self) -> dict[str, int]:
        """How many ended in each way, every outcome named."""
        return {str(outcome): self._outcomes[outcome] for outcome in Outcome}

    def seconds(self) -> tuple[float, int]:
        """What they took from start to end, errored ones left out, and how many they are."""
        return self._total_seconds, len(self._seconds)
