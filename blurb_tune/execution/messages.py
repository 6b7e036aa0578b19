"""What goes between the driver and the processes of trials."""

from __future__ import annotations

from dataclasses import dataclass

from blurb_tune.core.trial import Outcome, TrialConfig, TrialReport

TRIAL = "trial"
REPORT = "report"


class TrialFailedError(Exception):
    """A trial went wrong, and takes its process along: what a GPU is in after a fault cannot be trusted."""

    def __init__(self, report: TrialReport):
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return self.report.reason


@dataclass(frozen=True)
class EndedTrial:
    """A trial whose model is to be tested, and how many evaluations it had when it ended."""

    trial: TrialConfig
    outcome: Outcome | None
    evaluations: int
