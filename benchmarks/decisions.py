"""Whether sweeps decide rightly: false stops, the right winner, evaluations saved, beside how others stop.

Usage: python benchmarks/decisions.py [CURVES...] [--rounds N] [--only SECTION...]

README.md beside this file says what is measured. CURVES are further sets of curves beside those in benchmarks/curves.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from blurb_tune.core.trial import Configuration, Measurement, Outcome, Prune, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.replay.curves import CurveSet, read_curves
from blurb_tune.replay.replay import Arena, Replay
from blurb_tune.replay.simulator import MemoryLog, simulate
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.spec.pruning import InstabilitySpec, RaceSpec
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.stopping.instability import judge
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.race import Race
from blurb_tune.sweep.sweep import Sweep

CURVES = Path(__file__).parent / "curves"
EVALUATIONS = 20
SPREAD = 0.03
Floats = NDArray[np.float64]


def spec_of(**settings: Any) -> SweepSpec:
    """The spec of five lines, with these settings."""
    return SweepSpec.model_validate({"name": "b", "task": "demo", "model": "tiny", "search": {"sampler": "grid"}} | settings)


# The rules for runs, on real runs.


def audit_runs(files: Sequence[Path]) -> Iterator[str]:
    """How many failed runs are stopped, when, and how many others are."""
    settings = InstabilitySpec()
    for file in files:
        curves = read_curves(file)
        failed = good = 0
        caught: list[float] = []
        wrong: list[str] = []
        for name, runs in curves.runs.items():
            for seed, run in runs.items():
                has_failed = curves.end_of(name, seed, "final")[0].is_failed
                stop = _stop_of(curves, run, settings)
                failed, good = failed + has_failed, good + (not has_failed)
                if stop is not None and has_failed:
                    caught.append(stop)
                elif stop is not None:
                    wrong.append(f"{name}, seed {seed}")
        when = f" at {np.mean(caught):.2f} of their steps" if caught else ""
        yield f"{curves.name}: stops {len(caught)} of {failed} failed runs{when}; {len(wrong)} of {good} others" + (
            f": {'; '.join(wrong)}" if wrong else ""
        )


def _stop_of(curves: CurveSet, run: Sequence[Measurement], settings: InstabilitySpec) -> float | None:
    history: list[tuple[float, Measurement]] = []
    for measurement in run:
        history.append((measurement.step / run[-1].step, measurement))
        if isinstance(judge(settings, curves.level, history), Prune):
            return history[-1][0]
    return None


# The level of the race.


def _equal(kind: str, generator: np.random.Generator, m: int, n: int) -> Floats:
    match kind:
        case "normal":
            return generator.normal(0.8, SPREAD, (m, n))
        case "skewed":
            return 0.9 - generator.gamma(1.0, SPREAD, (m, n))
        case _:
            failing = generator.random((m, n)) < 0.3
            return np.where(failing, 0.0, generator.normal(0.8, SPREAD, (m, n)))


def _false_stops(kind: str, m: int, n: int, rounds: int) -> str:
    generator = np.random.default_rng([m, n, len(kind)])
    stopped = any_stopped = 0
    for _ in range(rounds):
        scores = _equal(kind, generator, m, n)
        race = Race(RaceSpec(), n, tolerated=n)
        live = {f"c{i}": i for i in range(m)}
        for name in live:
            race.enter(name)
        for replicate in range(n):
            for name, i in live.items():
                race.score(name, float(scores[i, replicate]))
            for verdict in race.verdicts():
                race.lose(verdict.configuration)
                del live[verdict.configuration]
            race.close_look()
        stopped += m - len(live)
        any_stopped += len(live) < m
    share, races = stopped / m / rounds, any_stopped / rounds
    return f"{kind:8} m={m:2} n={n:2}: {share:.3f} of the configurations, in {races:.3f} of the races"


def level(pool: ProcessPoolExecutor, rounds: int) -> Iterator[str]:
    """Equal configurations: the share that is stopped, at most alpha = 0.1."""
    settings = list(product(("normal", "skewed", "failing"), (2, 5, 10), (5, 10)))
    yield from pool.map(partial(_call, _false_stops, rounds), settings)


def _call(function: Callable[..., Any], rounds: int, arguments: tuple[Any, ...]) -> Any:
    return function(*arguments, rounds)


# A world with a known truth.


# Nine strategies, the best one 0.03 ahead of the next, those a step apart, vanilla (the first) the worst.
def world_of(generator: np.random.Generator, step: float, seeds: int, *, failing: bool) -> CurveSet:
    """Runs of 20 evaluations; with `failing` a tenth of the best's runs fail, two in ten of the others', four of vanilla's."""
    ends = 0.77 - step * np.arange(7, -1, -1)
    means = np.array([*ends, 0.80])
    rates = np.array([0.4, *[0.2] * 7, 0.1]) if failing else np.zeros(9)
    names = ["vanilla", *(f"s{number}" for number in range(1, 8)), "best"]
    runs: dict[str, dict[int, tuple[Measurement, ...]]] = {}
    for name, mean, rate in zip(names, means, rates, strict=True):
        runs[name] = {}
        for seed in range(seeds):
            falls = (0, EVALUATIONS // 2)[int(generator.integers(2))] if generator.random() < rate else None
            runs[name][seed] = _run(generator, float(generator.normal(mean, SPREAD)), falls)
    configurations = {name: Configuration(reinit_count=number) for number, name in enumerate(names)}
    return CurveSet("world", "pearson", TrivialLevel(0.0, 0.0, 2.0), "vanilla", configurations, runs)


def _run(generator: np.random.Generator, end: float, falls: int | None) -> tuple[Measurement, ...]:
    """A run that learns, to `falls` if that is given, and is at the trivial level from there on."""
    noise = generator.normal(0, 0.01, (3, EVALUATIONS))
    run = []
    for k in range(1, EVALUATIONS + 1):
        progress = 1 - math.exp(-k / 4)
        learned = falls is None or k <= falls
        score = end if k == EVALUATIONS else end * progress + noise[0, k - 1]
        train = 2.0 - 1.8 * progress if learned else 2.0 + noise[1, k - 1]
        dev = 2.0 - 1.2 * progress if learned else 2.0 + noise[2, k - 1]
        spread = 0.5 if learned else 0.01
        run.append(Measurement(k, k, score if learned else -abs(noise[0, k - 1]), dev, train, 1.0, spread, 1e-5, k, 0.0))
    return tuple(run)


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
    for result in pool.map(partial(_call, _worlds, rounds), settings):
        step, seeds, failing, limit, ours, full, vanilla, used, wrong, runs = result
        what = f"steps of {step}, {seeds:2} seeds" + (f", failing runs, {limit:.0%} tolerated" if failing else "")
        yield (
            f"{what}: best named in {ours / rounds:.1%}, without stopping {full / rounds:.1%}; vanilla {vanilla / rounds:.1%}"
            f"; {1 - used:.0%} of the evaluations saved" + (f"; {wrong} of {runs} stopped runs wrongly" if runs else "")
        )


# Real curves.


def _seeds_for(curves: CurveSet) -> int:
    return min(10, len(curves.seeds))


def _shuffles(file: Path, rounds: int) -> list[Replay]:
    curves = read_curves(file)
    return list(Arena(curves, spec_of(seeds=_seeds_for(curves)), has_seeds=True).shuffles(rounds, 0, 1))


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


# How others stop, on the same curves. Each takes the curves, seeds and an order of the runs, and names a winner.

Rival = Callable[[CurveSet, Sequence[int], random.Random], tuple[str, int]]


def _order(curves: CurveSet, seeds: Sequence[int], generator: random.Random) -> list[tuple[str, int]]:
    runs = [(name, seed) for name in curves.runs for seed in seeds]
    generator.shuffle(runs)
    return runs


def _by_trial(
    should_stop: Callable[[str, int, float], bool], curves: CurveSet, order: Sequence[tuple[str, int]]
) -> tuple[str, int]:
    """Trials are single seeds, eight at a time in turns; the winner has the best mean over the seeds that ran to their end."""
    waiting = list(order)
    running: list[list[Any]] = []
    ended: dict[str, list[float]] = {}
    used = 0
    while waiting or running:
        while waiting and len(running) < 8:
            running.append([*waiting.pop(0), 0])
        for trial in list(running):
            name, seed, k = trial
            run = curves.runs[name][seed]
            used += 1
            trial[2] = k + 1
            score = curves.level.score if math.isnan(run[k].dev_score) else run[k].dev_score
            if k + 1 == len(run):
                ended.setdefault(name, []).append(score)
                running.remove(trial)
            elif should_stop(f"{name}/{seed}", k + 1, score):
                running.remove(trial)
    best = max(ended, key=lambda name: float(np.mean(ended[name])))
    return best, used


def asha(curves: CurveSet, seeds: Sequence[int], generator: random.Random) -> tuple[str, int]:
    """Ray Tune's ASHAScheduler, each seed a trial."""
    from ray.tune.schedulers import ASHAScheduler

    longest = max(len(run) for runs in curves.runs.values() for run in runs.values())
    scheduler = ASHAScheduler(metric="score", mode="max", max_t=longest)
    trials: dict[str, Any] = {}

    def should_stop(name: str, k: int, score: float) -> bool:
        if name not in trials:
            trials[name] = SimpleNamespace(trial_id=name)
            scheduler.on_trial_add(None, trials[name])
        return bool(scheduler.on_trial_result(None, trials[name], {"training_iteration": k, "score": score}) == "STOP")

    return _by_trial(should_stop, curves, _order(curves, seeds, generator))


def _optuna_pruner(pruner: optuna.pruners.BasePruner, curves: CurveSet, seeds: Sequence[int], generator: random.Random) -> Any:
    study = optuna.create_study(direction="maximize", pruner=pruner)
    trials: dict[str, optuna.Trial] = {}
    lengths = {f"{name}/{seed}": len(run) for name, runs in curves.runs.items() for seed, run in runs.items()}

    def should_stop(name: str, k: int, score: float) -> bool:
        if name not in trials:
            trials[name] = study.ask()
        trials[name].report(score, k)
        stop = trials[name].should_prune()
        if stop:
            study.tell(trials[name], state=optuna.trial.TrialState.PRUNED)
        elif k == lengths[name] - 1:  # its last evaluation follows for certain
            study.tell(trials[name], score)
        return stop

    return _by_trial(should_stop, curves, _order(curves, seeds, generator))


def optuna_median(curves: CurveSet, seeds: Sequence[int], generator: random.Random) -> tuple[str, int]:
    """Optuna's MedianPruner, each seed a trial."""
    found: tuple[str, int] = _optuna_pruner(optuna.pruners.MedianPruner(), curves, seeds, generator)
    return found


def optuna_hyperband(curves: CurveSet, seeds: Sequence[int], generator: random.Random) -> tuple[str, int]:
    """Optuna's HyperbandPruner, each seed a trial."""
    longest = max(len(run) for runs in curves.runs.values() for run in runs.values())
    found: tuple[str, int] = _optuna_pruner(optuna.pruners.HyperbandPruner(max_resource=longest), curves, seeds, generator)
    return found


def _score(curves: CurveSet, name: str, seed: int) -> float:
    return curves.end_of(name, seed, "final")[1]


def repeater(curves: CurveSet, seeds: Sequence[int], generator: random.Random) -> tuple[str, int]:
    """Ray Tune's Repeater: every configuration with every seed, by the mean."""
    means = {name: np.mean([_score(curves, name, seed) for seed in seeds]) for name in curves.runs}
    return max(means, key=lambda name: means[name]), sum(
        len(curves.runs[name][seed]) for name in curves.runs for seed in seeds
    )


def _eliminate(
    lost: Callable[[dict[str, list[float]], str, str], bool], first: int, curves: CurveSet, seeds: Sequence[int]
) -> tuple[str, int]:
    """All configurations seed by seed; from `first` seeds on, those that have lost to the leader leave."""
    scores: dict[str, list[float]] = {name: [] for name in curves.runs}
    used = 0
    for n, seed in enumerate(seeds, start=1):
        for name in scores:
            scores[name].append(_score(curves, name, seed))
            used += len(curves.runs[name][seed])
        leader = max(scores, key=lambda name: float(np.mean(scores[name])))
        if n >= first:
            scores = {name: values for name, values in scores.items() if name == leader or not lost(scores, name, leader)}
    return max(scores, key=lambda name: float(np.mean(scores[name]))), used


def naive(curves: CurveSet, seeds: Sequence[int], generator: random.Random) -> tuple[str, int]:
    """A configuration leaves once its mean and one standard error lie below the leader's mean, after two seeds."""

    def lost(scores: dict[str, list[float]], name: str, leader: str) -> bool:
        values = scores[name]
        error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return float(np.mean(values)) + error < float(np.mean(scores[leader]))

    return _eliminate(lost, 2, curves, seeds)


def irace(curves: CurveSet, seeds: Sequence[int], generator: random.Random) -> tuple[str, int]:
    """irace's t-race: paired t-tests against the leader at 0.05, from the fifth seed on."""

    def lost(scores: dict[str, list[float]], name: str, leader: str) -> bool:
        if np.ptp(np.subtract(scores[name], scores[leader])) == 0:
            return scores[name] != scores[leader]
        return bool(ttest_rel(scores[name], scores[leader], alternative="less").pvalue < 0.05)

    return _eliminate(lost, min(5, len(seeds)), curves, seeds)


def smac(curves: CurveSet, seeds: Sequence[int], generator: random.Random) -> tuple[str, int]:
    """SMAC3's intensifier, with at most as many calls of a configuration as there are seeds, until all configurations have
    been looked at or as many evaluations were spent as ours took."""
    import logging
    import tempfile

    from ConfigSpace import Categorical, Configuration, ConfigurationSpace
    from smac import AlgorithmConfigurationFacade, Scenario
    from smac.initial_design import RandomInitialDesign
    from smac.main.exceptions import ConfigurationSpaceExhaustedException
    from smac.runhistory.dataclasses import TrialValue

    logging.disable(logging.WARNING)
    space = ConfigurationSpace(seed=generator.randrange(2**31))
    space.add(Categorical("strategy", list(curves.runs)))
    budget = generator.budget  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(
            space, deterministic=False, n_trials=10_000, output_directory=Path(folder), seed=generator.randrange(2**31)
        )
        everything = [Configuration(space, {"strategy": name}) for name in curves.runs]
        facade = AlgorithmConfigurationFacade(
            scenario,
            lambda config, seed=0: 0.0,
            intensifier=AlgorithmConfigurationFacade.get_intensifier(scenario, max_config_calls=len(seeds)),
            initial_design=RandomInitialDesign(scenario, n_configs=0, additional_configs=everything),
            logging_level=False,
            overwrite=True,
        )
        used, drawn = 0, dict[int, int]()
        while used < budget:
            try:
                info = facade.ask()
            except (StopIteration, ConfigurationSpaceExhaustedException):
                break
            name = info.config["strategy"]
            seed = drawn.setdefault(info.seed or 0, seeds[len(drawn) % len(seeds)])
            used += len(curves.runs[name][seed])
            facade.tell(info, TrialValue(cost=-_score(curves, name, seed), time=1.0))
        incumbents = facade.intensifier.get_incumbents()
        return (incumbents[0]["strategy"] if incumbents else ""), used


RIVALS: dict[str, Rival] = {
    "Ray Tune ASHA": asha,
    "Optuna median": optuna_median,
    "Optuna hyperband": optuna_hyperband,
    "Ray Tune Repeater": repeater,
    "mean + 1 SE": naive,
    "irace's t-race": irace,
    "SMAC3": smac,
}


def _rival(name: str, source: str, rounds: int) -> tuple[str, str, int, float]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    right, used, of = 0, 0, 0
    for number, (curves, best, seeds, spent) in enumerate(_cases(source, rounds)):
        generator = random.Random(number)
        generator.budget = spent  # type: ignore[attr-defined]
        winner, taken = RIVALS[name](curves, seeds, generator)
        right += winner == best
        used += taken
        of += sum(len(curves.runs[c][seed]) for c in curves.runs for seed in seeds)
    return name, source, right, used / of


def _cases(source: str, rounds: int) -> Iterator[tuple[CurveSet, str, Sequence[int], int]]:
    """Curves, the truly best configuration, the seeds of a sweep, and the evaluations that ours takes for it."""
    if source.startswith("world"):
        _, step, seeds = source.split()
        for number in range(rounds):
            curves = world_of(np.random.default_rng([number, int(seeds)]), float(step), int(seeds), failing=False)
            replay = next(Arena(curves, spec_of(objective="mean"), has_seeds=False).shuffles(1, number, 1))
            yield curves, "best", replay.seeds, replay.evaluations_used
        return
    curves = read_curves(Path(source))
    arena = Arena(curves, spec_of(objective="mean", seeds=_seeds_for(curves)), has_seeds=True)
    for replay in arena.shuffles(rounds, 0, 1):
        yield curves, arena.best, replay.seeds, replay.evaluations_used


def _ours(source: str, rounds: int) -> tuple[str, str, int, float]:
    right = used = of = 0
    spec = spec_of(objective="mean")
    if source.startswith("world"):
        _, step, seeds = source.split()
        replays = []
        for number in range(rounds):
            curves = world_of(np.random.default_rng([number, int(seeds)]), float(step), int(seeds), failing=False)
            replays += list(Arena(curves, spec, has_seeds=False).shuffles(1, number, 1))
        best = "best"
    else:
        curves = read_curves(Path(source))
        arena = Arena(curves, spec_of(objective="mean", seeds=_seeds_for(curves)), has_seeds=True)
        replays, best = list(arena.shuffles(rounds, 0, 1)), arena.best
    for replay in replays:
        right += replay.winner == best
        used, of = used + replay.evaluations_used, of + replay.evaluations_all
    return "blurb-tune", source, right, used / of


def rivals(pool: ProcessPoolExecutor, files: Sequence[Path], rounds: int) -> Iterator[str]:
    """By the mean, since that is what they know: how often each names the truly best, and for how many evaluations."""
    sources = ["world 0.01 5", "world 0.01 10", *map(str, files)]
    names = [name for name in RIVALS if name != "SMAC3" or find_spec("smac")]
    for source in sources:
        ours = pool.submit(_ours, source, rounds)
        others = [pool.submit(_rival, name, source, rounds) for name in names]
        for future in (ours, *others):
            name, _, right, used = future.result()
            where = Path(source).stem if "/" in source else source
            yield f"{where}: {name:18} right in {right / rounds:6.1%}, {used:.0%} of the evaluations"
    if "SMAC3" not in names:
        yield "SMAC3 is not installed, and left out"


# A log that is cut, and a sampler that learns.


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


def _level_of(configuration: Configuration) -> float:
    """The true level of a strategy in a made-up space: a ridge in rate and decay, and a bonus for re-initialization."""
    rate = math.log10(configuration.learning_rate / 3e-5)
    return (
        0.8 - 0.25 * rate**2 - 1.5 * (configuration.decay_rate - 0.9) ** 2 - 0.01 * abs(configuration.reinit_count - 2)
        - 0.01 * abs(configuration.freeze_depth - 1)
    )  # fmt: skip


def _searched(sampler: str, race: str, rounds: int) -> tuple[str, str, list[float], int]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {
        "freeze_depth": {"low": 0, "high": 4}, "reinit_count": {"low": 0, "high": 4}, "decay_rate": {"low": 0.7, "high": 1.0},
        "learning_rate": {"low": 1e-6, "high": 1e-3, "log": True}, "epochs": 4,
    }  # fmt: skip
    found, used = [], 0
    for number in range(rounds):
        spec = spec_of(
            space=space, search={"sampler": sampler, "configurations": 30, "seed": number}, seeds=5, objective="mean",
            pruning={"race": race},
        )  # fmt: skip

        def behave(trial: TrialConfig, number: int = number) -> Iterator[tuple[float, TrialReport]]:
            generator = np.random.default_rng([number, trial.seed, int(trial.configuration_id[1:])])
            end = _level_of(trial.configuration) + float(generator.normal(0, SPREAD))
            for measurement in _run(generator, end, None):
                is_last = measurement.step == EVALUATIONS
                yield 1.0, TrialReport(measurement, Outcome.COMPLETED if is_last else None)

        header = ev.SweepStarted(
            sweep_id="s", name="s", spec_digest=str(number), task="t", metric="pearson", models={"tiny": 8}, objective="mean",
            score="final", seeds=spec.seeds, configurations=30, trivial_score=0.0, slots=1, versions={},
        )  # fmt: skip
        log = MemoryLog([header])
        facts = SweepFacts(blocks={"tiny": 8}, train_examples=(64,), trivial_loss=2.0, trivial_score=0.0)
        sweep = Sweep(spec, facts, log, log.events, steps=lambda trial: EVALUATIONS)
        simulate(sweep, behave)
        best = sweep.record.best_configuration()
        found.append(_level_of(sweep.record.configurations[best.name].configuration) if best else 0.0)
        used += sum(isinstance(event, ev.Measured) for event in log.events)
    return sampler, race, found, used


def search(pool: ProcessPoolExecutor, rounds: int) -> Iterator[str]:
    """Thirty configurations of a made-up space: the true level of the winner (the best possible is 0.8)."""
    settings = [
        *product(("tpe", "random"), ("permutation", "none")),
        *product(("gp", "nsga2", "quasi_random"), ("permutation",)),
    ]
    for sampler, race, found, used in pool.map(partial(_call, _searched, rounds), settings):
        error = np.std(found, ddof=1) / math.sqrt(len(found))
        level = f"{np.mean(found):.4f} (standard error {error:.4f})"
        yield f"{sampler:12} race {race:11}: {level}, {used / rounds:,.0f} evaluations a sweep"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="*", type=Path, help="further sets of curves")
    parser.add_argument("--rounds", type=int, default=200, help="replays and simulated sweeps; ten times as many races")
    parser.add_argument("--only", nargs="+", default=[], help="runs, level, worlds, real, rivals, cuts, search")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    files = [*arguments.curves, *sorted(CURVES.glob("*.csv"))]
    rounds = arguments.rounds
    print(f"{datetime.now(UTC):%Y-%m-%d}, {rounds} rounds")
    with ProcessPoolExecutor() as pool:
        sections: dict[str, Callable[[], Iterator[str]]] = {
            "runs": lambda: audit_runs(files),
            "level": lambda: level(pool, 10 * rounds),
            "worlds": lambda: worlds(pool, 5 * rounds),
            "real": lambda: real(files, rounds),
            "rivals": lambda: rivals(pool, files, rounds),
            "cuts": lambda: (line for file in files for line in cuts(file)),
            "search": lambda: search(pool, max(2, rounds // 7)),
        }
        for name, section in sections.items():
            if not arguments.only or name in arguments.only:
                print(f"\n{name}", flush=True)
                for line in section():
                    print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
