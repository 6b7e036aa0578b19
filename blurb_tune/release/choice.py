"""Which of a sweep's runs becomes the model that is released."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem, did_you_mean
from blurb_tune.core.trial import Outcome
from blurb_tune.log.events import CombinationTested
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord


@dataclass(frozen=True)
class Choice:
    """trial: the run, or the best on dev of several. why: in words, for the model's card. combination: what several runs are
    worth as one model, None for the model of one."""

    trial: TrialRecord
    why: str
    combination: CombinationTested | None = None


def choose(record: SweepRecord, trial: str | None = None, *, median: bool = False) -> Choice:
    """The winner's run with the best score on dev, or with the (lower) median of them, or the one of this name.

    Raises InputError for a name that no run of the sweep has, and BlurbTuneError where there is nothing to choose from.
    """
    if trial is not None:
        return _named(record, trial)
    selection = record.selection
    if selection is None:
        why = "has no result" if record.no_result else "has named no winner yet"
        raise BlurbTuneError(f"the sweep {why}: no model can be chosen; name a run with --trial where its weights are kept")
    ranked = best_first(
        record, [*record.trials_of(selection.configuration), *record.confirmations_of(selection.configuration)]
    )
    if not ranked:
        raise BlurbTuneError(f"no run of the winner, {record.label(selection.configuration)}, has ended with a model")
    chosen = ranked[len(ranked) // 2] if median else ranked[0]
    which = "the median" if median else "the best"
    return Choice(chosen, f"{which} on dev of the {len(ranked)} runs of the winning strategy")


def best_first(record: SweepRecord, trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Those that ended with a model and a score, the best on dev first."""
    ended = [trial for trial in trials if trial.is_final and trial.outcome is not Outcome.DIVERGED]
    scored = [(score, trial) for trial in ended if trial.measurements and (score := record.score(trial)) is not None]
    return [trial for _, trial in sorted(scored, key=lambda pair: (pair[0], pair[1].trial_id), reverse=True)]


def _named(record: SweepRecord, name: str) -> Choice:
    if name not in record.trials:
        raise InputError([Problem("--trial", f"the sweep has no run {name!r}{did_you_mean(name, record.trials)}")])
    found = record.trials[name]
    if not best_first(record, [found]):
        raise InputError([Problem("--trial", f"run {name!r} has no model: it has {found.outcome or 'not ended'}")])
    return Choice(found, "named by whoever released it")
