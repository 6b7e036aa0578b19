"""Which runs of a sweep may become one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blurb_tune.core.combination import Method
from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.seeds import streams
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.release.choice import best_first
from blurb_tune.report.wording import join_with_and
from blurb_tune.techniques.registry import active

_FEWEST = 2


def members_of(
    method: Method, record: SweepRecord, single: TrialRecord, has_weights: Callable[[TrialRecord], bool]
) -> list[TrialRecord]:
    """The runs that a method may combine, the best on dev first; runs that failed are not among them.

    single: the best run of the winner, of whose fold they are in a cross-validation. Raises BlurbTuneError where they are
    fewer than two, with what would make them more.
    """
    if method is Method.SINGLE:
        return [single]
    return _of_soup(record, single, has_weights) if method.is_soup else _of_ensemble(record, single, has_weights)


def _of_ensemble(record: SweepRecord, single: TrialRecord, has_weights: Callable[[TrialRecord], bool]) -> list[TrialRecord]:
    """All of the winner's."""
    runs = _usable(record, [single.configuration_id], single.fold)
    if len(runs) < _FEWEST:
        raise BlurbTuneError(
            f"an ensemble needs two runs of the winner that did not fail, and there is {_count(runs)}; "
            "`blurb-tune extend` runs more seeds"
        )
    if gone := [run.trial_id for run in runs if not has_weights(run)]:
        kept = "of the winner's runs they are kept where the spec says `final_test: true`"
        raise BlurbTuneError(f"the weights of {join_with_and(gone)} are gone; {kept}")
    return runs


def _of_soup(record: SweepRecord, single: TrialRecord, has_weights: Callable[[TrialRecord], bool]) -> list[TrialRecord]:
    """Those of the winner's model and strategy, whatever their other settings, that began from the same weights: of all such
    groups the one with the best run.

    Heads and re-initialized blocks are drawn from the seed of the initialization, so that runs of different seeds do not share
    them (Wortsman et al. 2022, arXiv 2203.05482: soups are of models that were fine-tuned from one initialization).
    """
    winner = record.configurations[single.configuration_id].configuration
    if adding := [technique.doing for technique in active(vars(winner.strategy)) if technique.adds_weights]:
        raise BlurbTuneError(
            f"runs with {adding[0]} cannot be averaged: each draws adapters of its own; --ensemble takes them"
        )
    alike = [
        name
        for name, of in record.configurations.items()
        if (of.configuration.model, of.configuration.strategy) == (winner.model, winner.strategy)
    ]
    runs, label = _usable(record, alike, single.fold), record.label(single.configuration_id)
    if len(runs) < _FEWEST:
        raise BlurbTuneError(f"a soup needs two runs of {label} that did not fail, and there is {_count(runs)}")
    groups = _by_initialization(record, runs)
    if not groups:
        raise BlurbTuneError(
            f"no two runs of {label} share their initialization, since each seed draws a head of its own: there is nothing to "
            "average. A soup needs `seeds: {init: 2, order: 5}`, or several configurations of a strategy and "
            "`keep_weights: all`; --ensemble takes any seeds"
        )
    kept = [[run for run in group if has_weights(run)] for group in groups]
    kept = [group for group in kept if len(group) >= _FEWEST]
    if not kept:
        gone = [run.trial_id for run in groups[0] if not has_weights(run)]
        raise BlurbTuneError(
            f"runs of {label} share their initialization, but the weights of {join_with_and(gone)} are gone: of all runs they "
            "are kept where the spec says `keep_weights: all`; --ensemble takes the winner's"
        )
    return kept[0]


def _usable(record: SweepRecord, configurations: Sequence[str], fold: int | None) -> list[TrialRecord]:
    """With a model and not failed, the best on dev first."""
    runs = [run for name in configurations for run in (*record.trials_of(name), *record.confirmations_of(name))]
    return best_first(
        record, [run for run in runs if run.fold == fold and run.outcome is not None and not run.outcome.is_failed]
    )


def _by_initialization(record: SweepRecord, ranked: Sequence[TrialRecord]) -> list[list[TrialRecord]]:
    """Two or more that share it, the group with the best run first."""
    groups: dict[int, list[TrialRecord]] = {}
    for run in ranked:
        groups.setdefault(streams(run.seed, record.header.crossed)[0], []).append(run)
    return [group for group in groups.values() if len(group) >= _FEWEST]


def _count(runs: Sequence[TrialRecord]) -> str:
    return "one" if runs else "none"
