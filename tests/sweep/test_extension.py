"""Sweeps that grow, on simulated time: as if the larger plan had been in force all the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blurb_tune.core.seeds import derive
from blurb_tune.core.storage import FolderStorage
from blurb_tune.core.trial import Outcome, TrialConfig, TrialReport
from blurb_tune.execution.cleanup import WeightsCleanup, weights_name
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.simulator import Behavior, MemoryLog, simulate
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.race import FAILURES
from blurb_tune.sweep.sweep import Sweep
from tests.sweep.simulation import FACTS, report
from tests.sweep.test_confirmation import header_of, spec_of

SPREAD = 0.08


def noisy(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
    """Normal scores, so far apart that the race stops some early and others late."""
    luck = np.random.default_rng(derive(trial.seed, trial.configuration_id)).normal(0, SPREAD)
    score = 0.3 + 0.04 * trial.configuration.freeze_depth + float(luck)
    yield 1.0, report(1, score)
    yield 1.0, report(5, score, outcome=Outcome.COMPLETED)


def run(spec: SweepSpec, past: list[ev.Event], behave: Behavior = noisy, facts: SweepFacts = FACTS) -> MemoryLog:
    log = MemoryLog(past)
    sweep = Sweep(spec, facts, log, list(log.events))
    simulate(sweep, behave)
    assert sweep.is_finished
    sweep.select()
    sweep.close(interrupted=False, started=0.0)
    return log


def grown(log: MemoryLog, spec: SweepSpec, configurations: int, **settings: Any) -> MemoryLog:
    seeds = header_of(spec).confirmation_seeds
    extended = ev.SweepExtended(
        spec_digest="larger", seeds=spec.seeds, configurations=configurations, confirmation_seeds=seeds
    )
    return run(spec, [*log.events, extended], **settings)


def outcome_of(record: SweepRecord) -> dict[str, Any]:
    """Who won, who was stopped when, and what everybody scored, without the order in which it happened."""
    return {
        "winner": record.selection.configuration if record.selection else None,
        "out": {n: (c.stopped.rule, c.stopped.replicates) for n, c in record.configurations.items() if c.is_out and c.stopped},
        "scores": {
            name: {t.seed: record.score(t) for t in record.trials_of(name)}
            for name, c in record.configurations.items()
            if not c.is_out
        },
    }  # fmt: skip


@pytest.mark.parametrize("digest", range(8))
def test_a_sweep_that_grew_twice_decides_as_one_that_was_as_large_from_the_first(digest: int) -> None:
    pruning = {"control_share": 0.0}
    small, middle, large = (spec_of(seeds=n, pruning=pruning, search={"sampler": "grid", "seed": digest}) for n in (4, 7, 12))
    # Other luck for each digest: the seeds begin elsewhere.
    specs = [
        spec.model_copy(update={"seeds": [seed + 100 * digest for seed in spec.seeds]}) for spec in (small, middle, large)
    ]
    log = run(specs[0], [header_of(specs[0])])
    for spec in specs[1:]:
        log = grown(log, spec, 6)
    at_once = run(specs[2], [header_of(specs[2])])
    record, other = SweepRecord.of(log.events), SweepRecord.of(at_once.events)
    assert outcome_of(record) == outcome_of(other)
    runs = [(e.configuration, e.seed) for e in log.events if isinstance(e, ev.TrialStarted)]
    assert len(runs) == len(set(runs)), "nothing ran twice"


def test_a_stop_that_the_larger_plan_would_not_have_made_is_taken_back() -> None:
    """At the last of four seeds all of alpha is spent; of twenty, a fifth of it."""
    taken_back = 0
    for start in range(0, 1000, 100):
        seeds = [start + k for k in range(4)]
        pruning = {"control_share": 0.0}
        small = spec_of(pruning=pruning).model_copy(update={"seeds": seeds})
        large = small.model_copy(update={"seeds": [start + k for k in range(20)]})
        log = run(small, [header_of(small)])
        begun = len(log.events)
        log = grown(log, large, 6)
        reopened = [e for e in log.events[begun:] if isinstance(e, ev.ConfigurationReopened)]
        taken_back += sum("in a plan of 20 seeds it had not lost" in e.reason for e in reopened)
        record = SweepRecord.of(log.events)
        for event in reopened:
            of = record.configurations[event.configuration]
            assert of.is_out or record.result_of(event.configuration).n == 20
    assert taken_back > 0


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_log_that_is_cut_after_the_extension_goes_on_to_the_same_end(share: float) -> None:
    small, large = (spec_of(seeds=n, pruning={"control_share": share}, confirm=2) for n in (4, 9))
    log = run(small, [header_of(small)])
    begun = len(log.events)
    whole = grown(log, large, 6)
    for cut in range(begun + 1, len(whole.events), 5):
        again = run(large, list(whole.events[:cut]))
        assert outcome_of(SweepRecord.of(again.events)) == outcome_of(SweepRecord.of(whole.events))


def test_more_configurations_are_opened_and_the_others_do_not_run_again() -> None:
    few = spec_of(search={"sampler": "grid", "configurations": 3})
    many = spec_of(search={"sampler": "grid"})
    log = run(few, [header_of(few)])
    begun = len(log.events)
    log = grown(log, many, 6)
    record = SweepRecord.of(log.events)
    assert len(record.configurations) == 6
    started = {e.configuration for e in log.events[begun:] if isinstance(e, ev.TrialStarted)}
    assert started == {"c003", "c004", "c005"}


def test_more_confirmation_runs_for_winner_and_vanilla_alone() -> None:
    before = spec_of(confirm=2)
    after = spec_of(confirm=6)
    log = run(before, [header_of(before)])
    begun = len(log.events)
    log = grown(log, after, 6)
    record = SweepRecord.of(log.events)
    assert record.selection is not None
    names = [record.selection.configuration, record.selection.reference]
    runs = [(e.configuration, e.seed) for e in log.events[begun:] if isinstance(e, ev.TrialStarted)]
    assert runs == [(name, 1_000_000 + k) for name in names for k in range(2, 6)]


def test_a_spent_budget_is_lifted() -> None:
    small = spec_of(budget={"trials": 9}, pruning={"race": "none"})
    large = spec_of(pruning={"race": "none"})
    log = grown(run(small, [header_of(small)]), large, 6)
    record = SweepRecord.of(log.events)
    assert record.budget_spent is None
    assert all(configuration.state == "COMPLETE" for configuration in record.configurations.values())
    assert len(record.trials) == 24


def test_a_fold_that_failed_counts_also_where_the_budget_ended_within_its_seed() -> None:
    failing = ("c001", 3, 0)

    def behave(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        has_failed = (trial.configuration_id, trial.seed, trial.fold) == failing
        yield 1.0, report(5, -0.1, 1.99, Outcome.COLLAPSED) if has_failed else report(5, 0.5, outcome=Outcome.COMPLETED)

    settings: dict[str, Any] = {"behave": behave, "facts": replace(FACTS, folds=2, train_examples=(64, 64))}
    plan: dict[str, Any] = {"seeds": 5, "max_failed_share": 0.0, "pruning": {"control_share": 0.0}}
    whole = spec_of(**plan)
    header = replace(header_of(whole), folds=2)
    at_once = run(whole, [header], **settings)
    runs = [(e.configuration, e.seed, e.fold) for e in at_once.events if isinstance(e, ev.TrialStarted)]
    ends_there = spec_of(**plan, budget={"trials": runs.index(failing) + 1})
    record = SweepRecord.of(grown(run(ends_there, [header], **settings), whole, 6, **settings).events)
    assert outcome_of(record) == outcome_of(SweepRecord.of(at_once.events))
    assert outcome_of(record)["out"] == {"c001": (FAILURES, 4)}


def test_the_weights_of_confirmation_runs_outlast_an_extension(tmp_path: Path) -> None:
    """They are tested at the end, and a new driver removes what it does not know of."""
    small, large = (spec_of(seeds=n, confirm=2, pruning={"control_share": 0.0}) for n in (4, 6))
    log = run(small, [header_of(small)])
    begun = len(log.events)
    log = grown(log, large, 6)
    record = SweepRecord()
    keeper = WeightsCleanup(FolderStorage(tmp_path), record)
    for number, event in enumerate(log.events):
        record.apply(event)
        if isinstance(event, ev.TrialEnded):
            (tmp_path / f"{weights_name(event.trial, event.attempt)}.safetensors").touch()
        if number == begun:
            keeper = WeightsCleanup(FolderStorage(tmp_path), record)
        keeper.on_event(event)
    assert record.selection is not None
    kept = {file.stem for file in tmp_path.iterdir()}
    for name in (record.selection.configuration, record.selection.reference):
        assert name is not None
        assert {trial.trial_id for trial in record.confirmations_of(name)} <= kept
        assert len(record.confirmations_of(name)) == 2
