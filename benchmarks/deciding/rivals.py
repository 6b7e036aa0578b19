"""How others stop, on the same curves. Each takes the curves, seeds and an order of the runs, and names a winner."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
from deciding.world import seeds_for, spec_of, world_of
from scipy.stats import ttest_rel

from blurb_tune.replay.curve_files import read_curves
from blurb_tune.replay.curves import CurveSet
from blurb_tune.replay.replay import Arena

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
    arena = Arena(curves, spec_of(objective="mean", seeds=seeds_for(curves)), has_seeds=True)
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
        arena = Arena(curves, spec_of(objective="mean", seeds=seeds_for(curves)), has_seeds=True)
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
