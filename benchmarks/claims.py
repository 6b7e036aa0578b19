"""Whether what a sweep says of its winner is true: the winner's curse, and how many seeds would settle it.

Usage: python benchmarks/claims.py [CURVES...] [--rounds 1000]

README.md beside this file says what is measured. CURVES are recorded runs with a reference, many seeds of each configuration.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import optuna

from blurb_tune.core.seeds import confirmation_seeds, derive
from blurb_tune.core.trial import Measurement, Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.replay.curve_files import read_curves
from blurb_tune.replay.simulator import MemoryLog, simulate
from blurb_tune.report.claims import confirmation_of
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.stats.comparison import compare_all
from blurb_tune.stats.power import seeds_needed
from blurb_tune.stats.stability import summarize_scores
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.sweep import Sweep

SPREAD = 0.03
FACTS = SweepFacts(blocks={"tiny": 8}, train_examples=(64,), trivial_loss=2.0, trivial_score=0.0)


def _curse(numbers: Sequence[int], ahead: float) -> list[tuple[float, float, float, float, float]]:
    """Of sweeps of nine strategies that are equal, or of which the last is ahead: how far, in spreads over seeds, the winner's
    mean is above its true one, the difference to vanilla above the true one, both again by five confirmation seeds; and
    whether the interval of the confirmed difference holds the truth."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spec = SweepSpec.model_validate(
        {"name": "c", "task": "demo", "model": "tiny", "seeds": 5, "confirm": 5, "search": {"sampler": "grid"},
         "space": {"freeze_depth": list(range(9)), "epochs": 1}, "pruning": {"instability": False}}
    )  # fmt: skip
    found = []
    for number in numbers:

        def behave(trial: TrialConfig, number: int = number) -> Iterator[tuple[float, TrialReport]]:
            generator = np.random.default_rng(derive(number, trial.configuration_id, trial.seed))
            score = 0.8 + ahead * SPREAD * (trial.configuration.freeze_depth == 8) + float(generator.normal(0, SPREAD))
            measurement = Measurement(4, 1.0, score, 1.0, 0.5, 1.0, 0.5, 1e-5, 1.0, 0.1)
            yield 1.0, TrialReport(measurement, Outcome.COMPLETED)

        header = ev.SweepStarted(
            sweep_id="s", name="s", spec_digest=str(number), task="t", metric="pearson", models={"tiny": 8},
            objective=spec.objective, score="final", seeds=spec.seeds, configurations=9, trivial_score=0.0, slots=1,
            versions={}, confirmation_seeds=confirmation_seeds(spec.confirm, spec.seeds),
        )  # fmt: skip
        log = MemoryLog([header])
        sweep = Sweep(spec, FACTS, log, list(log.events), steps=lambda trial: 4)
        simulate(sweep, behave)
        record = sweep.record
        best = record.best_configuration()
        confirmed = confirmation_of(record)
        assert best is not None
        assert confirmed is not None
        truth = 0.8 + ahead * SPREAD * (record.configurations[best.name].configuration.freeze_depth == 8)
        if confirmed.comparison is None or confirmed.reference is None:
            continue  # vanilla has won
        low, high = confirmed.comparison.interval
        reference = record.result_of(confirmed.reference.name)
        found.append((
            (best.summary.mean - truth) / SPREAD,
            (best.summary.mean - reference.summary.mean - (truth - 0.8)) / SPREAD,
            (confirmed.winner.summary.mean - truth) / SPREAD,
            (confirmed.comparison.difference - (truth - 0.8)) / SPREAD,
            float(low <= truth - 0.8 <= high),
        ))  # fmt: skip
    return found


def curse(pool: ProcessPoolExecutor, rounds: int) -> Iterator[str]:
    """Nine strategies, five seeds, race on, five confirmation seeds."""
    for ahead in (0.0, 1.0):
        parts = [range(start, rounds, 8) for start in range(8)]
        rows = np.array([row for rows in pool.map(partial(_curse, ahead=ahead), parts) for row in rows])
        errors = rows.std(axis=0, ddof=1) / math.sqrt(len(rows))
        columns = zip(rows.mean(axis=0), errors, strict=True)
        mean, difference, fair_mean, fair_difference, _ = (f"{value:+.3f} ({error:.3f})" for value, error in columns)
        above, fair_above = np.mean(rows[:, [1, 3]] > 0, axis=0)
        what = f"one ahead by {ahead:g} spread" if ahead else "all equal"
        yield (
            f"{what}: the winner's mean is {mean} spreads too high, its difference to vanilla {difference}, above the truth "
            f"in {above:.0%}; confirmed {fair_mean} and {fair_difference}, {fair_above:.0%}, the interval holds the truth "
            f"in {rows[:, 4].mean():.1%}"
        )


def seeds(files: Sequence[Path], rounds: int) -> Iterator[str]:
    """Predicted after five seeds of each, beside what all seeds say: quartiles over draws."""
    for file in files:
        curves = read_curves(file)
        scores = {name: [curves.end_of(name, seed, "final")[1] for seed in runs] for name, runs in curves.runs.items()}
        reference = curves.reference or next(iter(scores))
        generator = np.random.default_rng(1)
        for name in scores:
            if name == reference:
                continue
            whole = _needed(scores[name], scores[reference])
            drawn = [
                _needed(*(generator.choice(scores[which], 5, replace=False).tolist() for which in (name, reference)))
                for _ in range(rounds)
            ]
            known = [math.inf if needed is None else needed for needed in drawn]
            low, middle, high = np.quantile(known, [0.25, 0.5, 0.75], method="nearest")
            yield (
                f"{file.stem}, {name} against {reference}: {whole} by all {len(scores[name])} seeds; after five {middle:g} "
                f"({low:g} to {high:g})"
            )


def _needed(first: Sequence[float], second: Sequence[float]) -> int | None:
    a, b = summarize_scores(first), summarize_scores(second)
    return seeds_needed(a.mean - b.mean, a.std, b.std)


def findings(files: Sequence[Path]) -> Iterator[str]:
    """Each configuration beside the reference, on all seeds."""
    for file in files:
        curves = read_curves(file)
        scores = {name: {seed: curves.end_of(name, seed, "final")[1] for seed in runs} for name, runs in curves.runs.items()}
        reference = curves.reference or next(iter(scores))
        pairs = {name: (of, scores[reference]) for name, of in scores.items() if name != reference}
        for name, found in compare_all(pairs).items():
            (low, high), better = found.interval, found.superiority
            yield (
                f"{file.stem}, {name} against {reference}: {found.difference:+.4f} ({low:+.4f} to {high:+.4f}), "
                f"p {found.p_holm:.2g}; P(better) {better.probability:.2f} ({better.interval[0]:.2f} to "
                f"{better.interval[1]:.2f}); spreads differ p {found.p_variance_holm:.2g}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=1000)
    arguments = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {arguments.rounds} rounds")
    with ProcessPoolExecutor() as pool:
        for name, lines in (
            ("curse", curse(pool, arguments.rounds)),
            ("seeds", seeds(arguments.curves, arguments.rounds)),
            ("findings", findings(arguments.curves)),
        ):
            print(f"\n{name}", flush=True)
            for line in lines:
                print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
