"""From events to what MLflow shall hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from blurb_tune.core.numbers import duration
from blurb_tune.core.trial import Measurement, Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.advice import failed_runs
from blurb_tune.report.hyperparameters import searched_settings, settings_in_words
from blurb_tune.report.progress import expected_trials
from blurb_tune.tracking.description import describe
from blurb_tune.tracking.run_data import ATTEMPT, NOTE, ROLE, SWEEP_ID, TRIAL_ID, USER, DataSet, Point, RunUpdate

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


class RunBuilder:
    """Folds events, in order, into updates of runs; `take` hands over those since the last call."""

    def __init__(self) -> None:
        self.record = SweepRecord()
        self._updates: dict[str | None, RunUpdate] = {}
        self._non_finite: dict[str, set[str]] = {}
        self._ended: set[str] = set()
        self._untested: set[str] = set()
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
                winner = self._name_of(event.configuration)
                self._update(None).tags |= _tags(winner=winner, reference=_text(event.reference))
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
            self._update(None).tags |= {NOTE: describe(self.record)} | _tags(progress=self._progress())
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
    def pending_trials(self) -> list[str]:
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
        configuration = self.record.configurations[trial.configuration_id].configuration
        settings = settings_in_words(configuration, searched_settings(self.record, trial.configuration_id))
        name = ", ".join(filter(None, (self.record.label(trial.configuration_id), settings, trial.seed_and_fold)))
        return RunUpdate(trial_id, trial.attempt, name[:_LONGEST_NAME], _milliseconds(trial.started))

    def _name_of(self, configuration_id: str) -> str:
        """Such as `c004 reinit 2, lr 5e-5`."""
        configuration = self.record.configurations[configuration_id].configuration
        settings = settings_in_words(configuration, searched_settings(self.record, configuration_id))
        return f"{configuration_id} " + ", ".join(filter(None, (self.record.label(configuration_id), settings)))

    def _progress(self) -> str:
        ended, expected = sum(self.record.outcome_counts().values()), expected_trials(self.record)
        return f"{ended} of {expected} trials" if expected is not None else f"{ended} trials"

    def _start_sweep(self, event: ev.SweepStarted) -> None:
        update = self._update(None)
        update.is_new = True
        update.tags |= {SWEEP_ID: event.sweep_id, ROLE: "sweep"} | _tags(metric=event.metric) | self._owner()
        if event.data_digest:
            update.data = DataSet(event.task, event.data_digest, event.data_source, event.examples)
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
        update.tags |= {SWEEP_ID: self.record.header.sweep_id, ROLE: "trial"}
        update.tags |= {TRIAL_ID: event.trial, ATTEMPT: str(event.attempt)}
        update.tags |= _tags(
            metric=self.record.header.metric,
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
        update.params["seed"] = str(event.seed)
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
        failed, ended = failed_runs(self.record)
        values = {"sweep/failed_share": failed / ended} if ended else {}
        update = self._update(None)
        best = self.record.leader
        if best is not None:
            of_best = {"objective": best.objective, "best_mean": best.summary.mean, "best_std": best.summary.std}
            values |= {f"sweep/{name}": value for name, value in of_best.items() if not math.isnan(value)}
            update.tags |= _tags(leader=self._name_of(best.name))
        _add(update, values, event.time, len(self._ended))

    def _test(self, event: ev.Tested) -> None:
        """Test scores stand beside the dev scores of the last step."""
        trial, metric = self.record.trials[event.trial], self.record.header.metric
        update = self._update(event.trial)
        scores = {"test/score": event.metrics[metric]} if metric in event.metrics else {}
        scores |= {f"other/test_{_safe(name)}": value for name, value in event.metrics.items() if name != metric}
        _add(update, scores, event.time, trial.steps)
        if event.error:
            self._untested.add(event.trial)
        if event.trial in self._untested:  # a later test takes back what an earlier one has said
            update.tags |= _tags(test_error=event.error[:_MAX_REASON])

    def _end_sweep(self, event: ev.SweepEnded) -> None:
        update = self._update(None)
        counts = [f"{count} {name}" for name, count in self.record.outcome_counts().items() if count]
        wall, training = duration(self.record.wall_seconds), duration(self.record.train_seconds)
        update.tags |= _tags(outcome=event.status, trials=", ".join(counts), wall_time=wall, training_time=training)
        update.status = "FINISHED" if event.status == "finished" else "KILLED"
        update.ended = _milliseconds(event.time)
        for trial in self.record.trials.values():
            if trial.is_running:
                stopped = self._update(trial.trial_id)
                stopped.status, stopped.ended = "KILLED", _milliseconds(event.time)


def _metrics(measurement: Measurement, metric: str) -> dict[str, float]:
    """A measurement's values under their names in MLflow; the fixed names win over further metrics of the same name.

    The score comes first, under the same name whatever the metric: the dashboard's comparisons begin with it. Its charts stand
    in sections by what is before the slash, in the order of the alphabet: `dev` is the first, and has no others in it.
    """
    extra = {f"other/dev_{_safe(name)}": float(value) for name, value in measurement.extra.items() if name != metric}
    return {
        "dev/score": measurement.dev_score,
        **extra,
        "dev/loss": measurement.dev_loss,
        "train/loss": measurement.train_loss,
        "other/dev_prediction_spread": measurement.prediction_spread,
        "train/grad_norm": measurement.grad_norm,
        "train/learning_rate": measurement.learning_rate,
        "train/micro_batch_size": float(measurement.micro_batch_size),
        "train/epoch": measurement.epoch,
    }


def _add(update: RunUpdate, values: Mapping[str, float], time: float, step: int) -> None:
    """MLflow's SQL stores keep NaN but turn an infinity into the largest float, which ruins a chart: it becomes NaN here."""
    for name, value in values.items():
        known = value if math.isfinite(value) else math.nan
        update.points.append(Point(name, known, _milliseconds(time), step))


def _tags(**values: object) -> dict[str, str]:
    """Tags that people search by, such as `tags.outcome = "completed"`; those by which runs are found have a prefix."""
    return {name: str(value) for name, value in values.items()}


def _text(value: object) -> str:
    return "none" if value is None else str(value)


def _safe(name: str) -> str:
    """`name` as one part of a metric's name in MLflow: what is forbidden there, and the separator, become underscores."""
    part = re.sub(r"[^\w.\- ]", "_", name)[:_LONGEST_NAME]
    return part if part.strip(".") else "_"


def _milliseconds(time: float) -> int:
    return round(time * 1000)
