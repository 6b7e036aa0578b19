"""A sweep decided again on recorded curves: the same policy, rules and log as on a cluster, in simulated time."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.core.seeds import derive
from blurb_tune.core.trial import Configuration, Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.curves import CurveSet, is_diverged
from blurb_tune.replay.simulator import MemoryLog, simulate
from blurb_tune.results.groups import GroupResult, best_of
from blurb_tune.search.study import Suggestion
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.stats.objectives import aggregate
from blurb_tune.stats.stability import summarize_scores
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.sweep import Sweep


@dataclass(frozen=True)
class Stops:
    """How often a rule stopped something for good, and how often wrongly: a run that would not have failed, a configuration
    that would have won on these seeds."""

    stopped: int
    wrongly: int


@dataclass(frozen=True)
class Replay:
    """What came of one replay.

    winner: the configuration that the sweep names, None where nothing has a result. full_grid_winner: what it would have named
    on the same seeds if nothing had been stopped. rank: the winner's among all configurations by the objective over all seeds
    of the file, 1 is best. regret: by how much that objective lies below the best one. evaluations_used, evaluations_all: what
    was run, and what there was to run on these seeds. seconds: simulated. runs, configurations: stops by rule. record: the
    sweep itself, its configurations named c000... in the order of `order`.
    """

    winner: str | None
    full_grid_winner: str | None
    rank: int | None
    regret: float | None
    evaluations_used: int
    evaluations_all: int
    seconds: float
    runs: Mapping[str, Stops]
    configurations: Mapping[str, Stops]
    reopened: int
    seeds: tuple[int, ...]
    order: tuple[str, ...]
    events: Sequence[ev.Event]
    record: SweepRecord


class ListedStudy:
    """Configurations in a given order, with no sampler."""

    def __init__(self, curves: CurveSet, order: Sequence[str]):
        self.planned = len(order)
        self.is_exhausted = False
        self._configurations = [curves.configurations[name] for name in order]
        self._asked = 0

    def knows(self, configuration_id: str) -> bool:
        return int(configuration_id[1:]) < self._asked

    def ask(self) -> Suggestion | None:
        if self._asked == self.planned:
            self.is_exhausted = True
            return None
        self._asked += 1
        return Suggestion(f"c{self._asked - 1:03d}", {}, self._configurations[self._asked - 1])

    def replay(self, parameters: dict[str, object]) -> Suggestion:
        suggestion = self.ask()
        if suggestion is None:
            raise LookupError("the log has more configurations than there are")
        return suggestion

    def learn(self, configuration: Configuration, values: Sequence[float], failed_share: float) -> None:
        """Nothing follows from it."""

    def tell(self, configuration_id: str, values: Sequence[float], failed_share: float) -> None:
        """Nothing follows from it."""


class Arena:
    """Curves under a spec, replayed as often as one likes.

    curves: as they are where the spec has trials stop early. objectives: of each configuration over all its seeds in the file.
    best: the one with the highest.

    spec: `seeds` says how many of the file's seeds a sweep has, or which; all of them where `has_seeds` is false. Raises
    InputError when the file has too few or other seeds.
    """

    def __init__(self, curves: CurveSet, spec: SweepSpec, *, has_seeds: bool):
        self._whole, self.spec = curves, spec
        patience, threshold = spec.training.early_stopping_patience, spec.training.early_stopping_threshold
        self.curves = curves if patience is None else curves.stop_early(patience, threshold)
        wanted = spec.seeds if has_seeds else list(curves.seeds)
        is_count = wanted == list(range(len(wanted)))
        if len(wanted) > len(curves.seeds):
            fault = f"the spec asks for {len(wanted)} seeds, and all configurations have {len(curves.seeds)} in common"
            raise InputError([Problem(curves.name, fault)])
        missing = sorted(set(wanted) - set(curves.seeds))
        if missing and not is_count:
            raise InputError([Problem(curves.name, f"not all configurations have the seeds {', '.join(map(str, missing))}")])
        self._count = len(wanted)
        self._pool = list(curves.seeds) if is_count else list(wanted)
        final_results = {name: self._group(name, tuple(runs)) for name, runs in self.curves.runs.items()}
        self.objectives = {name: result.objective for name, result in final_results.items()}
        self.best = max(self.objectives, key=lambda name: self.objectives[name])

    def shuffles(self, count: int, seed: int, slots: int) -> Iterator[Replay]:
        """So many replays, each with the seeds resampled and the configurations in another order."""
        for number in range(count):
            generator = random.Random(derive(seed, "replay", number))
            order = list(self.curves.runs)
            generator.shuffle(order)
            yield self.replay(generator.sample(self._pool, self._count), order, slots)

    def once(self, slots: int) -> Replay:
        """The seeds and configurations in the order of the file."""
        return self.replay(self._pool[: self._count], list(self.curves.runs), slots)

    def replay(
        self, seeds: Sequence[int], order: Sequence[str], slots: int, *, past: Sequence[ev.Event] | None = None
    ) -> Replay:
        """One replay, with these seeds and configurations in this order; the reference comes first, if the spec says so.

        past: the first events of an earlier one, which is taken up from there.
        """
        curves = self.curves
        if self.spec.search.vanilla_first and curves.reference is not None:
            order = [curves.reference, *(name for name in order if name != curves.reference)]
        spec = self.spec.model_copy(update={"seeds": list(seeds)})
        level = curves.level
        facts = SweepFacts(
            blocks={}, train_examples=(1,), trivial_loss=level.loss, trivial_score=level.score, noise_bound=level.noise_bound
        )
        names = {f"c{index:03d}": name for index, name in enumerate(order)}
        log = MemoryLog(past or [_header(curves, spec, order, slots)])
        began = log.events[0].time

        def tell_time(seconds: float) -> None:
            log.now = began + seconds

        sweep = Sweep(
            spec,
            facts,
            log,
            log.events,
            study=ListedStudy(curves, order),
            steps=lambda trial: self._whole.runs[names[trial.configuration_id]][trial.seed][-1].step,
        )
        tell_time(0.0)
        behave = partial(self._reports_of, names)
        seconds = simulate(sweep, behave, slots=slots, tell_time=tell_time)
        sweep.select()
        log.append(ev.SweepEnded(status="finished", wall_seconds=seconds))
        return self._judge(sweep.record, log.events, names, seeds, seconds)

    def _reports_of(self, names: Mapping[str, str], trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        """What a run would report: to its end, to where it stops early, or to where its loss is not finite."""
        name = names[trial.configuration_id]
        run = self.curves.runs[name][trial.seed]
        is_cut = len(run) < len(self._whole.runs[name][trial.seed])
        before = 0.0
        for measurement in run:
            outcome = None
            if is_diverged(measurement):
                outcome = Outcome.DIVERGED
            elif measurement is run[-1]:
                outcome, _ = self.curves.end_of(name, trial.seed, self.spec.score)
            reason = "" if outcome in (None, Outcome.COMPLETED) else "as recorded"
            stopped_early = is_cut and outcome not in (None, Outcome.DIVERGED)
            report = TrialReport(measurement, outcome, reason, stopped_early=stopped_early)
            yield measurement.train_seconds - before, report
            if outcome is not None:
                return
            before = measurement.train_seconds

    def _group(self, name: str, seeds: Sequence[int]) -> GroupResult:
        """A configuration's result over these seeds, with nothing stopped."""
        ends = [self.curves.end_of(name, seed, self.spec.score) for seed in seeds]
        scores = [score for _, score in ends]
        failed = sum(outcome.is_failed for outcome, _ in ends)
        summary, objective, n = summarize_scores(scores), aggregate(self.spec.objective, scores), len(scores)
        return GroupResult(name, summary, objective, n, n - failed, failed, 0, 0, 0, self.spec.max_failed_share)

    def _judge(
        self, record: SweepRecord, events: Sequence[ev.Event], names: Mapping[str, str], seeds: Sequence[int], seconds: float
    ) -> Replay:
        best = record.best_configuration()
        winner = names[best.name] if best else None
        full = best_of([self._group(name, seeds) for name in names.values()], len(seeds))
        runs: Counter[str] = Counter()
        wrong_runs: Counter[str] = Counter()
        used = 0
        for event in events:
            if isinstance(event, ev.Measured):
                used += 1
            elif isinstance(event, ev.PruneDecided) and not event.spared:
                trial = record.trials[event.trial]
                outcome, _ = self.curves.end_of(names[trial.configuration_id], trial.seed, self.spec.score)
                runs[event.rule] += 1
                wrong_runs[event.rule] += not outcome.is_failed
        stopped = [c for c in record.configurations.values() if c.stopped and c.is_out]
        configurations = Counter(c.stopped.rule for c in stopped if c.stopped)
        wrong = Counter(c.stopped.rule for c in stopped if c.stopped and full and names[c.configuration_id] == full.name)
        objectives = self.objectives
        return Replay(
            winner=winner,
            full_grid_winner=full.name if full else None,
            rank=1 + sum(value > objectives[winner] for value in objectives.values()) if winner else None,
            regret=objectives[self.best] - objectives[winner] if winner else None,
            evaluations_used=used,
            evaluations_all=sum(len(self.curves.runs[name][seed]) for name in names.values() for seed in seeds),
            seconds=seconds,
            runs={rule: Stops(count, wrong_runs[rule]) for rule, count in runs.items()},
            configurations={rule: Stops(count, wrong[rule]) for rule, count in configurations.items()},
            reopened=sum(c.reopened for c in record.configurations.values()),
            seeds=tuple(seeds),
            order=tuple(names.values()),
            events=events,
            record=record,
        )


def _header(curves: CurveSet, spec: SweepSpec, order: Sequence[str], slots: int) -> ev.SweepStarted:
    digest = hashlib.sha256(repr((curves.name, spec, order)).encode()).hexdigest()
    return ev.SweepStarted(
        sweep_id=f"replay-of-{curves.name}", name=curves.name, spec_digest=digest, task=curves.task, metric=curves.metric,
        models=dict.fromkeys((of.model for of in curves.configurations.values()), 0), objective=spec.objective,
        score=spec.score, seeds=spec.seeds, configurations=len(curves.runs),
        trivial_score=curves.level.score, trivial_loss=curves.level.loss, noise_bound=curves.level.noise_bound, slots=slots,
        versions={}, max_failed_share=spec.max_failed_share, log_version=ev.LOG_VERSION,
    )  # fmt: skip
