"""From events to what MLflow shall hold: the runs of a sweep, as plain data, without MLflow."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.trial import Measurement, Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.final_scores import final_results
from blurb_tune.results.groups import GroupResult
from blurb_tune.tracking.description import describe

PREFIX = "blurb_tune."
USER, NOTE = "mlflow.user", "mlflow.note.content"
SWEEP_ID, TRIAL_ID, ATTEMPT, ROLE = (PREFIX + name for name in ("sweep_id", "trial_id", "attempt", "role"))
_MAX_REASON = 2000
_LONGEST_NAME = 200  # MLflow takes 250 characters, the part before the separator included
_NOT_DESCRIBED = (ev.Measured, ev.ConfigurationSuggested)  # most events, which change no line of it
_STATUS = {
    Outcome.COMPLETED: "FINISHED",
    Outcome.COLLAPSED: "FINISHED",
    Outcome.DIVERGED: "FAILED",
    Outcome.ERRORED: "FAILED",
    Outcome.PRUNED_UNSTABLE: "KILLED",
    Outcome.PRUNED_UNDERPERFORMING: "KILLED",
}


@dataclass(frozen=True)
class Point:
    """One value of a metric. `timestamp` is in milliseconds since the epoch; it is the event's, so a replay repeats it."""

    name: str
    value: float
    timestamp: int
    step: int


@dataclass
class RunUpdate:
    """What the events say about one run: the sweep's own (`trial` is None) or one attempt of a trial.

    started and ended are in milliseconds since the epoch. is_new: these events begin the run; otherwise it exists already.
    status is None while nothing changes it.
    """

    trial: str | None
    attempt: int
    name: str
    started: int
    is_new: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    status: str | None = None
    ended: int | None = None


class RefusedError(BlurbTuneError):
    """MLflow answers that it will not take an update, as it would again. run: the trial, and its attempt."""

    def __init__(self, update: RunUpdate, said: str):
        self.run = (update.trial, update.attempt)
        super().__init__(said)


class RunBuilder:
    """Folds events, in order, into updates of runs; `take` hands over those since the last call."""

    def __init__(self) -> None:
        self.record = SweepRecord()
        self._updates: dict[str | None, RunUpdate] = {}
        self._non_finite: dict[str, set[str]] = {}
        self._ended: set[str] = set()
        self._is_described = True

    def apply(self, event: ev.Event) -> None:
        """Take one event in. Raises LookupError when the log does not begin with the start of a sweep."""
        self.record.apply(event)
        if not isinstance(event, _NOT_DESCRIBED):
            self._is_described = False
        match event:
            case ev.SweepStarted():
                self._start_sweep(event)
            case ev.SweepResumed():
                update = self._update(None)
                update.status, update.ended = "RUNNING", None
            case ev.SweepExtended():
                seeds = ", ".join(map(str, event.seeds))
                self._update(None).tags |= _tags(seeds=seeds, configurations=_text(event.configurations))
            case ev.TrialStarted():
                self._start_trial(event)
            case ev.Measured():
                self._measure(event)
            case ev.TrialEnded():
                self._end_trial(event)
            case ev.ConfigurationEnded():
                self._end_configuration(event)
            case ev.SelectionMade():
                update = self._update(None)
                update.tags |= _tags(winner=event.configuration, reference=_text(event.reference))
            case ev.NoResultFound():
                self._update(None).tags |= _tags(no_result=event.reason[:_MAX_REASON])
            case ev.BudgetSpent():
                self._update(None).tags |= _tags(budget_spent=f"{event.budget}: {event.reason}"[:_MAX_REASON])
            case ev.Tested():
                self._test(event)
            case ev.SweepEnded():
                self._end_sweep(event)

    def take(self, is_early: Callable[[RunUpdate], bool] = lambda _: False) -> list[RunUpdate]:
        """The updates since the last call, the sweep's own run first.

        Those that begin a trial's run, do not end it and are early stay for a later call: with its end they make one update.
        """
        if not self._is_described:  # once for all events: it looks through all configurations
            self._update(None).tags[NOTE] = describe(self.record)
            self._is_described = True
        kept: dict[str | None, RunUpdate] = {
            trial: update
            for trial, update in self._updates.items()
            if trial is not None and update.is_new and update.status is None and is_early(update)
        }
        taken = [update for trial, update in self._updates.items() if trial not in kept]
        self._updates = kept
        return sorted(taken, key=lambda update: update.trial is not None)

    @property
    def kept(self) -> list[str]:
        """The trials whose updates nobody has taken."""
        return [trial for trial in self._updates if trial is not None]

    def _update(self, trial_id: str | None) -> RunUpdate:
        if trial_id not in self._updates:
            self._updates[trial_id] = self._blank(trial_id)
        return self._updates[trial_id]

    def _blank(self, trial_id: str | None) -> RunUpdate:
        header = self.record.header
        if trial_id is None:
            return RunUpdate(None, 1, header.sweep_id, _milliseconds(header.time))
        trial = self.record.trials[trial_id]
        name = f"{trial.configuration_id} {self.record.label(trial.configuration_id)} {trial.run}"
        return RunUpdate(trial_id, trial.attempt, name, _milliseconds(trial.started))

    def _start_sweep(self, event: ev.SweepStarted) -> None:
        update = self._update(None)
        update.is_new = True
        update.tags |= _tags(sweep_id=event.sweep_id, role="sweep") | self._owner()
        if event.host:
            update.tags |= _tags(host=event.host)
        if event.owner:  # the dashboard's table has no column for the user unless somebody adds it, but one for the source
            update.tags |= {
                "mlflow.source.name": "@".join(filter(None, (event.owner, event.host))),
                "mlflow.source.type": "LOCAL",
            }
        names = ("task", "metric", "objective", "score", "configurations", "trivial_score", "spec_digest")
        update.params |= {name: _text(getattr(event, name)) for name in names}
        update.params |= {"model": ", ".join(event.models), "blocks": ", ".join(map(str, event.models.values()))}
        update.params["seeds"] = ", ".join(str(seed) for seed in event.seeds)
        update.params |= {f"version/{_safe(name)}": version for name, version in event.versions.items()}

    def _owner(self) -> dict[str, str]:
        """Whose run it is, under the name that the dashboard's column "User" goes by as well."""
        owner = self.record.header.owner
        return {USER: owner} | _tags(owner=owner) if owner else {}

    def _start_trial(self, event: ev.TrialStarted) -> None:
        self._updates.pop(event.trial, None)
        self._non_finite[event.trial] = set()
        update = self._update(event.trial)
        update.is_new = True
        update.tags |= _tags(
            sweep_id=self.record.header.sweep_id,
            role="trial",
            trial_id=event.trial,
            attempt=event.attempt,
            configuration=event.configuration,
            seed=event.seed,
            strategy=self.record.label(event.configuration),
            family=self.record.family(event.configuration),
        )
        update.tags |= self._owner()
        if self.record.is_confirmation(self.record.trials[event.trial]):
            update.tags |= _tags(confirmation=True)
        values = self.record.configurations[event.configuration].configuration.values()
        update.params |= {name: _text(value) for name, value in values.items()}
        update.params |= {"configuration": event.configuration, "seed": str(event.seed)}
        if event.fold is not None:
            update.tags |= _tags(fold=event.fold)
            update.params["fold"] = str(event.fold)

    def _measure(self, event: ev.Measured) -> None:
        update = self._update(event.trial)
        values = _metrics(event.measurement, self.record.header.metric)
        broken = {name for name, value in values.items() if not math.isfinite(value)}
        if broken:
            self._non_finite[event.trial] |= broken
            update.tags |= _tags(non_finite=", ".join(sorted(self._non_finite[event.trial])))
        _add(update, values, event.time, event.measurement.step)

    def _end_trial(self, event: ev.TrialEnded) -> None:
        update = self._update(event.trial)
        outcome = Outcome(event.outcome)
        update.tags |= _tags(outcome=outcome)
        if event.reason:
            update.tags |= _tags(**{"prune_reason" if outcome.is_pruned else "reason": event.reason[:_MAX_REASON]})
        update.status, update.ended = _STATUS[outcome], _milliseconds(event.time)

    def _end_configuration(self, event: ev.ConfigurationEnded) -> None:
        """The sweep's run has a few series, with a step for each configuration, and none of a configuration's own: of
        thousands, nobody could find anything there. Each one's numbers stand in the description and in the sweep's tables."""
        self._ended.add(event.configuration)
        counts = {Outcome(name): count for name, count in self.record.outcome_counts().items()}
        ended = sum(counts.values())
        failed = sum(count for outcome, count in counts.items() if outcome.is_failed)
        values = {"trials/ended": float(ended), "trials/errored": float(counts[Outcome.ERRORED])}
        if ended:
            values["trials/failed_share"] = failed / ended
        update = self._update(None)
        best = self.record.leader
        if best is not None:
            spread = best.spread
            of_best = {"objective": best.objective, "mean": spread.mean, "std": spread.std, "failed_share": best.failed_share}
            values |= {f"best/{name}": value for name, value in of_best.items() if not math.isnan(value)}
            update.tags |= self._tags_of_best(best)
        _add(update, values, event.time, len(self._ended))

    def _tags_of_best(self, best: GroupResult) -> dict[str, str]:
        configuration = self.record.configurations[best.name].configuration
        facts = {"configuration": best.name, "strategy": self.record.label(best.name), "objective": best.objective}
        return {f"{PREFIX}best.{name}": _text(value) for name, value in (facts | configuration.values()).items()}

    def _test(self, event: ev.Tested) -> None:
        """Test scores stand beside the dev scores of the last step, and their means with the sweep."""
        trial = self.record.trials[event.trial]
        update = self._update(event.trial)
        _add(update, {f"test/{_safe(name)}": value for name, value in event.metrics.items()}, event.time, trial.steps)
        if event.error:
            update.tags |= _tags(test_error=event.error[:_MAX_REASON])
        for result in final_results(self.record):
            if result.configuration == trial.configuration_id and result.spread.n:
                means = {"mean": result.spread.mean, "std": result.spread.std}
                names = {f"test/{_safe(result.configuration)}/{name}": value for name, value in means.items()}
                _add(self._update(None), {n: v for n, v in names.items() if not math.isnan(v)}, event.time, result.spread.n)

    def _end_sweep(self, event: ev.SweepEnded) -> None:
        update = self._update(None)
        counts = {f"outcome/{name}": float(count) for name, count in self.record.outcome_counts().items()}
        seconds = {"wall_seconds": self.record.wall_seconds, "train_seconds": self.record.train_seconds}
        _add(update, counts | seconds, event.time, len(self._ended))
        update.tags |= _tags(outcome=event.status)
        update.status = "FINISHED" if event.status == "finished" else "KILLED"
        update.ended = _milliseconds(event.time)
        for trial in self.record.trials.values():
            if trial.is_running:
                stopped = self._update(trial.trial_id)
                stopped.status, stopped.ended = "KILLED", _milliseconds(event.time)


def _metrics(measurement: Measurement, metric: str) -> dict[str, float]:
    """A measurement's values under their names in MLflow; the fixed names win over further metrics of the same name."""
    extra = {f"dev/{_safe(name)}": float(value) for name, value in measurement.extra.items()}
    return extra | {
        f"dev/{_safe(metric)}": measurement.dev_score,
        "dev/loss": measurement.dev_loss,
        "dev/prediction_spread": measurement.prediction_spread,
        "train/loss": measurement.train_loss,
        "train/grad_norm": measurement.grad_norm,
        "train/learning_rate": measurement.learning_rate,
        "train/micro_batch_size": float(measurement.micro_batch_size),
        "epoch": measurement.epoch,
    }


def _add(update: RunUpdate, values: Mapping[str, float], time: float, step: int) -> None:
    """MLflow's SQL stores keep NaN but turn an infinity into the largest float, which ruins a chart: it becomes NaN here."""
    for name, value in values.items():
        known = value if math.isfinite(value) else math.nan
        update.points.append(Point(name, known, _milliseconds(time), step))


def identity(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of a run's tags by which it is found."""
    return {name: tags[name] for name in (SWEEP_ID, TRIAL_ID, ATTEMPT, ROLE) if name in tags}


def _tags(**values: object) -> dict[str, str]:
    return {PREFIX + name: str(value) for name, value in values.items()}


def _text(value: object) -> str:
    return "none" if value is None else str(value)


def _safe(name: str) -> str:
    """`name` as one part of a metric's name in MLflow: what is forbidden there, and the separator, become underscores."""
    part = re.sub(r"[^\w.\- ]", "_", name)[:_LONGEST_NAME]
    return part if part.strip(".") else "_"


def _milliseconds(time: float) -> int:
    return round(time * 1000)
