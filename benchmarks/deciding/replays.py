"""Replays of simulated and of real curves: who wins, what is saved, and whether a cut log decides the same."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from deciding.world import call, seeds_for, spec_of, world_of

from blurb_tune.log import events as ev
from blurb_tune.replay.curve_files import read_curves
from blurb_tune.replay.replay import Arena, Replay


def _worlds(step: float, seeds: int, failing: bool, limit: float, rounds: int) -> tuple[Any, ...]:
    arguments = {"max_failed_share": limit}
    ours = full = vanilla = 0
    used = of = wrong_runs = runs = 0
    for number in range(rounds):
        curves = world_of(np.random.default_rng([number, seeds]), step, seeds, failing=failing)
        replay = next(Arena(curves, spec_of(**arguments), has_seeds=False).shuffles(1, number, 1))
        ours += replay.winner == "best"
        full += replay.full_grid_winner == "best"
        vanilla += replay.winner == "vanilla"
        used, of = used + replay.evaluations_used, of + replay.evaluations_all
        wrong_runs += sum(stops.wrongly for stops in replay.runs.values())
        runs += sum(stops.stopped for stops in replay.runs.values())
    return step, seeds, failing, limit, ours, full, vanilla, used / of, wrong_runs, runs


def worlds(pool: ProcessPoolExecutor, rounds: int) -> Iterator[str]:
    """The nine-strategy world: how often the best is named, and what is saved."""
    settings = [(0.01, 5, False, 0.0), (0.01, 10, False, 0.0), (0.015, 5, False, 0.0), (0.015, 10, False, 0.0)]
    settings += [(0.01, seeds, True, limit) for seeds in (5, 10) for limit in (0.0, 0.2)]
    for result in pool.map(partial(call, _worlds, rounds), settings):
        step, seeds, failing, limit, ours, full, vanilla, used, wrong, runs = result
        what = f"steps of {step}, {seeds:2} seeds" + (f", failing runs, {limit:.0%} tolerated" if failing else "")
        yield (
            f"{what}: best named in {ours / rounds:.1%}, without stopping {full / rounds:.1%}; vanilla {vanilla / rounds:.1%}"
            f"; {1 - used:.0%} of the evaluations saved" + (f"; {wrong} of {runs} stopped runs wrongly" if runs else "")
        )


def _shuffles(file: Path, rounds: int) -> list[Replay]:
    curves = read_curves(file)
    return list(Arena(curves, spec_of(seeds=seeds_for(curves)), has_seeds=True).shuffles(rounds, 0, 1))


def real(files: Sequence[Path], rounds: int) -> Iterator[str]:
    """Shuffled seeds of real runs: who is named, beside the full grid on the same seeds."""
    for file in files:
        started = time.process_time()
        replays = _shuffles(file, rounds)
        seconds = time.process_time() - started
        same = sum(r.winner == r.full_grid_winner for r in replays)
        names = sorted({str(r.winner) for r in replays} | {str(r.full_grid_winner) for r in replays})
        won = ", ".join(
            f"{name} {sum(r.winner == name for r in replays)} (full grid {sum(r.full_grid_winner == name for r in replays)})"
            for name in names
        )
        used = sum(r.evaluations_used for r in replays) / sum(r.evaluations_all for r in replays)
        wrong = sum(stops.wrongly for r in replays for stops in r.configurations.values())
        regret = [r.regret or 0.0 for r in replays]
        yield (
            f"{file.stem}: {used:.0%} of the evaluations; the full grid's winner in {same} of {rounds}: {won}; "
            f"{wrong} winners stopped; regret {np.mean(regret):.4f}; {seconds:.0f} s of CPU"
        )


def cuts(file: Path) -> Iterator[str]:
    """A log cut at 40 places, taken up again from there: the same decisions."""
    arena = Arena(read_curves(file), spec_of(), has_seeds=False)
    whole = arena.once(1)
    wanted, events = _decisions(whole.events), whole.events
    same = 0
    for number in range(1, 41):
        past = events[: max(1, len(events) * number // 41)]
        again = arena.replay(whole.seeds, whole.order, 1, past=past)
        same += _decisions(again.events) == wanted and again.winner == whole.winner
    yield f"{file.stem}: {same} of 40 cuts of a log of {len(events)} events end in the same decisions"


def _decisions(events: Sequence[ev.Event]) -> list[tuple[Any, ...]]:
    """What was decided, without times; what an interrupted attempt and the next were stopped for alike is one decision."""
    found: list[tuple[Any, ...]] = []
    for event in events:
        match event:
            case ev.PruneDecided():
                found.append((event.trial, event.rule, event.step, event.spared))
            case ev.ConfigurationStopped():
                found.append((event.configuration, event.rule, event.replicates, event.spared))
            case ev.ConfigurationReopened():
                found.append((event.configuration,))
            case ev.ConfigurationEnded():
                found.append((event.configuration, event.state, event.value))
    return list(dict.fromkeys(found))
