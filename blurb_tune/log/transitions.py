"""Whether an event can follow from those before it: the one place that says what a log's record must be able to rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blurb_tune.log import events as ev
from blurb_tune.log.shapes import short_repr

if TYPE_CHECKING:
    from blurb_tune.log.record import SweepRecord
    from blurb_tune.log.trial_record import TrialRecord

_OF_A_TRIAL = ev.Measured | ev.PruneDecided | ev.TrialEnded | ev.Tested
_OF_A_CONFIGURATION = ev.TrialStarted | ev.ConfigurationStopped | ev.ConfigurationReopened | ev.ConfigurationEnded


def why_impossible(record: SweepRecord, event: ev.Event) -> str | None:
    """What contradicts the record of all events before it, which lacks some or has some twice; None where nothing does."""
    if isinstance(event, ev.SweepStarted):
        return "the sweep has started already" if record.started is not None else None
    if record.started is None:
        return "the event log does not start with sweep_started"
    if isinstance(event, _OF_A_TRIAL) and event.trial not in record.trials:
        return f"trial {short_repr(event.trial)} has not started"
    if isinstance(event, _OF_A_CONFIGURATION) and event.configuration not in record.configurations:
        return f"configuration {short_repr(event.configuration)} was not suggested"
    match event:
        case ev.ConfigurationSuggested():
            is_known = event.configuration in record.configurations
            return f"configuration {short_repr(event.configuration)} was suggested already" if is_known else None
        case ev.TrialStarted():
            before = record.trials.get(event.trial)
            has_ended = record.configurations[event.configuration].state is not None
            if has_ended and before is None and event.seed not in record.started.confirmation_seeds:
                return f"configuration {short_repr(event.configuration)} has ended already"
            return _why_no_start(record.started, before, event)
        case ev.Measured() | ev.TrialEnded():
            return _why_not_running(record.trials[event.trial], event)
        case ev.Tested():
            has_score = not event.metrics or record.started.metric in event.metrics
            return (
                None
                if has_score
                else f"the test of trial {short_repr(event.trial)} has no {short_repr(record.started.metric)}"
            )
        case ev.CombinationTested():
            if record.selection is None:
                return "runs are combined before a winner was named"
            stranger = next((name for name in event.members if name not in record.trials), None)
            return None if stranger is None else f"trial {short_repr(stranger)} has not started"
        case ev.SelectionMade():
            named = [name for name in (event.configuration, event.reference) if name is not None]
            unknown = next((name for name in named if name not in record.configurations), None)
            return None if unknown is None else f"configuration {short_repr(unknown)} was not suggested"
    return None


def _why_no_start(header: ev.SweepStarted, before: TrialRecord | None, event: ev.TrialStarted) -> str | None:
    is_fold = event.fold in range(header.folds) if header.folds else event.fold is None
    if not is_fold:
        return f"the sweep has no fold {event.fold}"
    if before is None:
        return None
    if (before.configuration_id, before.seed, before.fold) != (event.configuration, event.seed, event.fold):
        return f"trial {short_repr(event.trial)} was another run before"
    is_new = event.attempt > before.attempt
    return None if is_new else f"attempt {event.attempt} of trial {short_repr(event.trial)} has started already"


def _why_not_running(trial: TrialRecord, event: ev.Measured | ev.TrialEnded) -> str | None:
    if not trial.is_running:
        return f"trial {short_repr(event.trial)} has ended already"
    if isinstance(event, ev.TrialEnded) and event.attempt != trial.attempt:
        return f"attempt {event.attempt} of trial {short_repr(event.trial)} ends, but attempt {trial.attempt} runs"
    return None
