"""A sweep at a glance, as plain data: what `list` and `status` show, and what is kept beside the log for those who come by."""

from __future__ import annotations

import math
from typing import Any

from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.progress import Progress


def status_of(progress: Progress, now: float) -> dict[str, Any]:
    """state, progress (share of the trials, 0 to 1, None where their number is not known), best, counts, seconds_left, ...

    now: in seconds since the epoch.
    """
    record, counts, total = progress.record, progress.counts(), progress.total()
    header = record.started
    if header is None:
        return {"state": "pending", "progress": 0.0}
    best = record.best_configuration() if record.trials else None
    left = progress.seconds_left(now) if record.status == "running" else None
    return {
        "sweep_id": header.sweep_id,
        "name": header.name,
        "state": state_of(record),
        "progress": min(1.0, counts.done / total) if total else None,
        "started": header.time,
        "task": header.task,
        "metric": header.metric,
        "models": sorted(header.models),
        "trials": {
            "total": total,
            "running": counts.running,
            "ended": counts.done,
            **{str(outcome): count for outcome, count in record.outcome_counts().items()},
        },
        "best": None
        if best is None or not best.n
        else {
            "configuration": best.name,
            "strategy": record.configurations[best.name].configuration.strategy.label,
            "objective": _number(best.objective),
            "n": best.n,
            "mean": _number(best.summary.mean),
        },
        "slots": record.slots,
        "seconds_left": _number(left) if left is not None else None,
        "wall_seconds": record.wall_seconds,
    }


def state_of(record: SweepRecord) -> str:
    """running, interrupted, finished or no result, by what the log says last."""
    if record.status == "finished" and record.no_result is not None:
        return "no result"
    return record.status


def last_events(events: list[ev.Event], most: int) -> list[dict[str, Any]]:
    """The newest, but for measurements, in a line each."""
    told = [event for event in events if not isinstance(event, ev.Measured)][-most:]
    return [{"time": event.time, "event": event.kind, "text": _line(event)} for event in told]


def _line(event: ev.Event) -> str:
    match event:
        case ev.TrialStarted():
            return f"{event.trial} started" + (f", attempt {event.attempt}" if event.attempt > 1 else "")
        case ev.TrialEnded():
            reason = f": {event.reason}" if event.reason else ""
            return f"{event.trial} {event.outcome}{reason}" + (", tried again" if event.retry else "")
        case ev.ConfigurationStopped() | ev.ConfigurationReopened():
            verb = "stopped" if isinstance(event, ev.ConfigurationStopped) else "reopened"
            return f"{event.configuration} {verb}: {event.reason}"
        case ev.ConfigurationEnded():
            return f"{event.configuration} {event.state}, objective {event.value:.4g}"
        case ev.BudgetSpent() | ev.NoResultFound():
            return event.reason
        case ev.SelectionMade():
            return f"winner {event.configuration}"
        case ev.SweepEnded():
            return f"sweep {event.status}"
        case _:
            return event.kind.replace("_", " ")


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
