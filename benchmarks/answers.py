"""How often a report says "better than vanilla" where nothing is, and where something is.

Usage: python benchmarks/answers.py [--rounds 400]

README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import optuna

from blurb_tune.core.seeds import confirmation_seeds, derive
from blurb_tune.core.trial import Measurement, Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.replay.simulator import MemoryLog, simulate
from blurb_tune.report.answer import Verdict, answer_of
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.stats.intervals import wilson_interval
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.sweep import Sweep

SPREAD = 0.03
FACTS = SweepFacts(blocks={"tiny": 8}, train_examples=(64,), trivial_loss=2.0, trivial_score=0.0)


@dataclass(frozen=True)
class Case:
    """ahead: of the strategy with eight frozen blocks, in spreads over seeds. failing: share of the runs that fail."""

    name: str
    settings: dict[str, Any]
    ahead: float = 0.0
    failing: float = 0.0
    space: dict[str, Any] = field(default_factory=lambda: {"freeze_depth": list(range(9))})


GRID: dict[str, Any] = {"seeds": 10}
TUNED = {"freeze_depth": [0, 4, 8], "learning_rate": [1e-5, 3e-5, 5e-5]}
NO_RACE = {"pruning": {"instability": False, "race": "none"}}
CASES = (
    Case("nine strategies, 10 seeds, no race", GRID | NO_RACE),
    Case("nine strategies, 10 seeds, race", GRID),
    Case("nine strategies, 10 seeds, race, a fifth of the runs fail", GRID, failing=0.2),
    Case("three strategies at three rates, 10 seeds, no race", GRID | NO_RACE, space=TUNED),
    Case("three strategies at three rates, 10 seeds, race", GRID, space=TUNED),
    Case("nine strategies, 5 seeds, race, 5 confirmation seeds", {"seeds": 5, "confirm": 5}),
    Case("nine strategies, 10 seeds, race, one 1 spread ahead", GRID, ahead=1.0),
    Case("nine strategies, 10 seeds, race, one 2 spreads ahead", GRID, ahead=2.0),
    Case("nine strategies, 5 seeds, race, 10 confirmation seeds, one 2 spreads ahead", {"seeds": 5, "confirm": 10}, ahead=2.0),
)


def verdicts(numbers: Sequence[int], case: Case) -> Counter[str]:
    """What the report says of each sweep of a case."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spec = SweepSpec.model_validate(
        {"name": "a", "task": "demo", "model": "tiny", "search": {"sampler": "grid"}, "pruning": {"instability": False},
         "space": case.space | {"epochs": 1}, "max_failed_share": 1.0} | case.settings
    )  # fmt: skip
    planned = int(np.prod([len(values) for values in case.space.values()]))
    found: Counter[str] = Counter()
    for number in numbers:

        def behave(trial: TrialConfig, number: int = number) -> Iterator[tuple[float, TrialReport]]:
            generator = np.random.default_rng(derive(number, trial.configuration_id, trial.seed))
            score = 0.8 + case.ahead * SPREAD * (trial.configuration.freeze_depth == 8) + float(generator.normal(0, SPREAD))
            fails = generator.random() < case.failing
            outcome = Outcome.COLLAPSED if fails else Outcome.COMPLETED
            yield 1.0, TrialReport(Measurement(4, 1.0, 0.0 if fails else score, 1.0, 0.5, 1.0, 0.5, 1e-5, 1.0, 0.1), outcome)

        header = ev.SweepStarted(
            sweep_id="s", name="s", spec_digest=str(number), task="t", metric="pearson", models={"tiny": 8},
            objective=spec.objective, score="final", seeds=spec.seeds, configurations=planned, trivial_score=0.0, slots=1,
            versions={}, confirmation_seeds=confirmation_seeds(spec.confirm, spec.seeds), max_failed_share=1.0,
        )  # fmt: skip
        log = MemoryLog([header])
        sweep = Sweep(spec, FACTS, log, list(log.events), steps=lambda trial: 4)
        simulate(sweep, behave)
        sweep.record.apply(ev.SweepEnded(status="finished", wall_seconds=1.0))
        found[answer_of(sweep.record).verdict] += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--cases", type=int, nargs="*", help="their numbers, from 0; all by default")
    args = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        for index, case in enumerate(CASES):
            if args.cases and index not in args.cases:
                continue
            parts = [range(start, args.rounds, 8) for start in range(8)]
            counts = sum(pool.map(partial(verdicts, case=case), parts), Counter[str]())
            low, high = wilson_interval(counts[Verdict.BETTER], args.rounds)
            said = ", ".join(f"{verdict} {count / args.rounds:.1%}" for verdict, count in counts.most_common())
            better = f"better in {counts[Verdict.BETTER] / args.rounds:.1%} ({low:.1%} to {high:.1%})"
            print(f"{case.name}: {better}; {said}", flush=True)


if __name__ == "__main__":
    main()
