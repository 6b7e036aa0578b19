"""What to try next after a sweep without a result, or most of whose runs failed, from what these did."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from blurb_tune.core.numbers import compact
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.techniques.registry import TECHNIQUES

_FEW_STEPS = 200
_HARDLY_LEARNED = 0.9
_MOST_UNTRIED = 3


def failed_runs(record: SweepRecord) -> tuple[int, int]:
    """How many runs failed, and how many have ended, errored ones left out."""
    counts = {Outcome(name): count for name, count in record.outcome_counts().items()}
    failed = sum(count for outcome, count in counts.items() if outcome.is_failed)
    return failed, sum(counts.values()) - counts[Outcome.ERRORED]


def what_to_try(record: SweepRecord) -> list[str]:
    """Sentences, the most promising first; empty where the sweep has a winner and most of its runs did not fail.

    A single run that learned is no reason to believe that the others could not.
    """
    failed, ended = failed_runs(record)
    if record.no_result is None and 2 * failed <= ended:
        return []
    runs = [trial for trial in record.trials.values() if trial.is_final and trial.outcome is not Outcome.ERRORED]
    return [*_rates_and_epochs(record, runs), *_untried_techniques(record)] if runs else []


def _rates_and_epochs(record: SweepRecord, runs: list[TrialRecord]) -> Iterator[str]:
    settings = [configuration.configuration for configuration in record.configurations.values()]
    rates, epochs = [setting.learning_rate for setting in settings], max(setting.epochs for setting in settings)
    unsteady = sum(trial.outcome is Outcome.DIVERGED or any(p.rule == "exploding" for p in trial.prunes) for trial in runs)
    if 3 * unsteady >= len(runs):
        yield (
            f"{unsteady} of {len(runs)} runs diverged or had exploding gradients: try learning rates below "
            f"{compact(min(rates))}."
        )
        return
    ends = [trial.last for trial in runs if trial.last is not None]
    steps = max((end.step for end in ends), default=0)
    losses = [end.train_loss for end in ends]
    if losses and median(losses) > _HARDLY_LEARNED * record.header.trivial_loss:
        few = f", and {steps} steps at most are few" if steps < _FEW_STEPS else ""
        yield (
            f"Training has hardly begun (train loss {median(losses):.3g}, {record.header.trivial_loss:.3g} for constant "
            f"predictions{few}): try more epochs than {epochs}, or rates above {compact(max(rates))}."
        )
    elif any(trial.outcome is Outcome.COMPLETED for trial in runs):
        yield f"Some runs learned, most did not: try more epochs than {epochs}, other rates, or a strategy that steadies them."
    else:
        yield (
            "The runs fit the training set and not dev: look at the data (`validate` shows its notes on them), and try fewer "
            f"epochs than {epochs} or a model pretrained on such texts."
        )


def _untried_techniques(record: SweepRecord) -> Iterator[str]:
    values = [of.configuration.values() for of in record.configurations.values()]
    left = [f"{of.doing} (`{of.example}`)" for of in TECHNIQUES if not any(map(of.is_active, values))]
    if left:
        yield f"Not tried: {', '.join(left[:_MOST_UNTRIED])}."
