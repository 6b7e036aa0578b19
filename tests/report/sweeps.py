"""Sweeps as event logs, written the way the driver writes them, for the tests of everything that is derived from the log."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from blurb_tune.core.trial import Configuration, Measurement, Outcome, Strategy
from blurb_tune.log import events as ev
from blurb_tune.log.lines import from_line, to_line
from blurb_tune.log.record import SweepRecord
from blurb_tune.stats.objectives import OBJECTIVES

NAN = math.nan
START = 1_700_000_000.0


class SweepWriter:
    """Appends events to `events`. Each measurement stands for one epoch of 10 steps, 2 s of training, 0.5 s of evaluation.

    is_checked: each event is read back from its line.
    """

    is_checked = True

    def __init__(self, *, seeds: Sequence[int] = (0, 1), configurations: int | None = 2, slots: int = 2, **header: Any):
        self.now = START
        self.events: list[ev.Event] = []
        defaults = {
            **{"sweep_id": "ab12cd", "name": "toy", "spec_digest": "0" * 8, "task": "biosses", "metric": "pearson"},
            **{"models": {"minilm": 6}, "objective": "mean_minus_std", "score": "final", "trivial_score": 0.0},
            "versions": {"torch": "2.13.0"},
        }
        header = {**defaults, **header}
        self.model = next(iter(header["models"]))
        self._add(ev.SweepStarted, seeds=list(seeds), configurations=configurations, slots=slots, **header)

    @property
    def record(self) -> SweepRecord:
        return SweepRecord.of(self.events)

    def configuration(self, name: str, **values: Any) -> str:
        """Suggest it; where `values` name no model, for the first of the sweep."""
        full = Configuration(**{"model": self.model} | values).values()
        self._add(ev.ConfigurationSuggested, configuration=name, parameters=values, values=full)
        return name

    def start(self, configuration: str, seed: int, *, attempt: int = 1, fold: int | None = None) -> str:
        trial = f"{configuration}-s{seed}" + ("" if fold is None else f"-f{fold}")
        self._add(ev.TrialStarted, trial=trial, configuration=configuration, seed=seed, attempt=attempt, fold=fold)
        return trial

    def measure(self, trial: str, epoch: int, score: float, **details: Any) -> None:
        self.now += 2.5
        values = {"dev_loss": 1.0, "train_loss": 1.0, "grad_norm": 1.0, "prediction_spread": 0.5, "learning_rate": 5e-5}
        seconds = {"train_seconds": 2.0 * epoch, "eval_seconds": 0.5 * epoch}
        measurement = Measurement(step=10 * epoch, epoch=float(epoch), dev_score=score, **values, **seconds)
        self._add(ev.Measured, trial=trial, measurement=measurement, **details)

    def want_pruned(self, trial: str, rule: str, outcome: Outcome, *, spared: bool = False) -> None:
        reason = f"{rule} says so"
        self._add(ev.PruneDecided, trial=trial, step=10, rule=rule, reason=reason, outcome=str(outcome), spared=spared)

    def end(self, trial: str, outcome: Outcome, *, attempt: int = 1, **details: Any) -> None:
        slot = int(trial.rpartition("-s")[2].partition("-f")[0]) % 2
        details = {"worker": f"node:{slot}"} | details
        self._add(ev.TrialEnded, trial=trial, attempt=attempt, outcome=str(outcome), **details)

    def trial(
        self,
        configuration: str,
        seed: int,
        scores: Sequence[float],
        outcome: Outcome = Outcome.COMPLETED,
        *,
        rule: str = "",
        spared_by: str = "",
        fold: int | None = None,
        **details: Any,
    ) -> str:
        """A whole trial: started, measured once an epoch, perhaps pruned by `rule` or spared by it, and ended."""
        trial = self.start(configuration, seed, fold=fold)
        for epoch, score in enumerate(scores, start=1):
            self.measure(trial, epoch, score)
        if spared_by:
            self.want_pruned(trial, spared_by, Outcome.PRUNED_UNSTABLE, spared=True)
        if rule:
            self.want_pruned(trial, rule, outcome)
            details.setdefault("reason", f"{rule} says so")
        self.end(trial, outcome, **details)
        return trial

    def end_configuration(self, configuration: str, state: str = "COMPLETE") -> None:
        result = self.record.group(configuration, self.record.trials_of(configuration))
        self._add(
            ev.ConfigurationEnded,
            **{"configuration": configuration, "state": state},
            **{"value": result.objective, "failed_share": result.failed_share},
        )

    def stop_configuration(self, configuration: str, rule: str = "race", *, replicates: int = 1, spared: bool = False) -> None:
        reason = f"{rule} says so"
        details = {"rule": rule, "reason": reason, "replicates": replicates, "spared": spared}
        self._add(ev.ConfigurationStopped, configuration=configuration, **details)

    def select(self, configuration: str, reference: str | None) -> None:
        self._add(ev.SelectionMade, configuration=configuration, reference=reference)

    def no_result(self, reason: str) -> None:
        self._add(ev.NoResultFound, reason=reason)

    def test(self, trial: str, score: float, interval: Sequence[float] = (), **details: Any) -> None:
        metrics = {} if "error" in details else {"pearson": score, "mse": 1.0}
        self._add(ev.Tested, trial=trial, examples=20, metrics=metrics, interval=list(interval), **details)

    def combine(self, method: str, members: Sequence[str], score: float, **details: Any) -> None:
        """Tested on 20 examples, 0.05 above the best single run; 90 MB for each member of an ensemble."""
        values = {"examples": 20, "score": score, "interval": [score - 0.2, score + 0.1], "difference": 0.05}
        values |= {"difference_interval": [-0.01, 0.12], "size": 90_000_000 * (len(members) if method == "ensemble" else 1)}
        details = values | {"dev_score": score + 0.1, "seconds": 0.004} | details
        self._add(ev.CombinationTested, method=method, members=list(members), **details)

    def finish(self, status: str = "finished", wall_seconds: float = 60.0) -> SweepRecord:
        self._add(ev.SweepEnded, status=status, wall_seconds=wall_seconds)
        return self.record

    def resume(self, slots: int = 2) -> None:
        self._add(ev.SweepResumed, slots=slots)

    def _add(self, kind: type[ev.Event], **values: Any) -> None:
        self.now += 0.25
        event = kind(time=self.now, **values)
        if self.is_checked:
            assert to_line(from_line(to_line(event))) == to_line(event)
        self.events.append(event)


def small_sweep(score: str = "final") -> SweepWriter:
    """Two strategies, four seeds, every outcome at least once; the scores are chosen to be summed by hand.

    c0 (vanilla, 4 epochs): 0.1, 0.3 completed; -0.2 collapsed; pruned as unstable after 2 epochs.
    c1 (freeze 2, reinit 1, 4 epochs): 0.5, 0.9 completed (0.9 spared by `stuck` and tried twice); cut short after 3; diverged.
    c2 (decay 0.8, 2 epochs): 0.4 with best 0.6; errored for good; collapsed undefined, spared by `stuck`; unfinished.
    """
    sweep = SweepWriter(seeds=(0, 1, 2, 3), configurations=3, score=score)
    sweep.configuration("c0", epochs=4)
    sweep.trial("c0", 0, [0.0, 0.2, 0.2, 0.1], setup_seconds=9.0)
    sweep.trial("c0", 1, [0.1, 0.1, 0.2, 0.3], setup_seconds=8.0)
    sweep.trial("c0", 2, [0.0, -0.1, NAN, -0.2], Outcome.COLLAPSED, setup_seconds=0.1)
    sweep.trial("c0", 3, [0.2, NAN], Outcome.PRUNED_UNSTABLE, rule="stuck", setup_seconds=0.2)
    sweep.end_configuration("c0")
    sweep.configuration("c1", epochs=4, freeze_depth=2, reinit_count=1)
    sweep.trial("c1", 0, [0.2, 0.3, 0.4, 0.5], setup_seconds=0.3)
    lost = sweep.start("c1", 1)
    sweep.measure(lost, 1, 0.1)
    sweep.end(lost, Outcome.ERRORED, error="Traceback (most recent call last):\n  File\nOSError: gone", retry=True)
    again = sweep.start("c1", 1, attempt=2)
    for epoch, value in enumerate([0.2, 0.6, 0.8, 0.9], start=1):
        sweep.measure(again, epoch, value)
    sweep.want_pruned(again, "stuck", Outcome.PRUNED_UNSTABLE, spared=True)
    sweep.end(again, Outcome.COMPLETED, attempt=2, setup_seconds=0.4)
    sweep.trial("c1", 2, [0.1, 0.1, 0.1], Outcome.PRUNED_UNDERPERFORMING, rule="median", setup_seconds=0.6)
    sweep.trial("c1", 3, [0.1, NAN], Outcome.DIVERGED, reason="loss is not finite", setup_seconds=0.3)
    sweep.end_configuration("c1")
    sweep.configuration("c2", epochs=2, decay_rate=0.8, learning_rate=3e-5, max_grad_norm=None, bias_correction=False)
    sweep.trial("c2", 0, [0.6, 0.4], setup_seconds=0.3)
    sweep.trial("c2", 1, [], Outcome.ERRORED, error='Traceback (most recent call last):\n  File\n    x\nValueError: a, "b"\n')
    sweep.trial("c2", 2, [0.1, NAN], Outcome.COLLAPSED, spared_by="stuck", setup_seconds=0.3)
    sweep.measure(sweep.start("c2", 3), 1, 0.2)
    return sweep


def large_sweep(configurations: int, seeds: int, epochs: int = 10) -> SweepWriter:
    """A sweep of many strategies with plausible scores, all trials ended; the same every time."""
    rng = random.Random(configurations * 1000 + seeds)
    sweep = SweepWriter(seeds=range(seeds), configurations=configurations)
    sweep.is_checked = configurations * seeds <= 1000
    strategies = [Strategy(f, d, r) for f in range(7) for d in (1.0, 0.9, 0.8, 0.7) for r in range(7 - f)]
    for index in range(configurations):
        strategy = strategies[index * 5 % len(strategies)] if index else Strategy()
        name = sweep.configuration(
            f"c{index:04d}",
            epochs=epochs,
            learning_rate=rng.choice([1e-5, 3e-5, 5e-5]),
            **{
                "freeze_depth": strategy.freeze_depth,
                "decay_rate": strategy.decay_rate,
                "reinit_count": strategy.reinit_count,
            },
        )
        level, noise = rng.uniform(0.2, 0.6), rng.uniform(0.02, 0.15)
        for seed in range(seeds):
            outcome = rng.choices(list(Outcome), weights=[8, 1, 0.4, 0.8, 2 if index else 0, 0.2])[0]
            last = rng.gauss(level, noise) if outcome is Outcome.COMPLETED else rng.uniform(-0.1, 0.0)
            ran = max(1, epochs // 3) if outcome.is_pruned else epochs
            curve = [last * (epoch + 1) / ran for epoch in range(ran)]
            rule = {Outcome.PRUNED_UNSTABLE: "stuck", Outcome.PRUNED_UNDERPERFORMING: "median"}.get(outcome, "")
            error = "RuntimeError: no" if outcome is Outcome.ERRORED else ""
            sweep.trial(name, seed, curve, outcome, rule=rule, error=error, setup_seconds=rng.uniform(0.1, 0.4))
        sweep._add(ev.ConfigurationEnded, configuration=name, state="COMPLETE", value=level, failed_share=0.0)
    return sweep


def model_sweep() -> SweepWriter:
    """Two models, each with vanilla and a frozen one, two seeds; the scores are chosen to be summed by hand.

    base: vanilla 0.2, 0.4 (c0), freeze 4 0.5, 0.7 (c2). large: vanilla 0.6, 0.8 (c1), freeze 4 0.3, 0.5 (c3).
    """
    sweep = SweepWriter(seeds=(0, 1), configurations=4, models={"base": 12, "large": 24})
    scores = {("base", 0): (0.2, 0.4), ("large", 0): (0.6, 0.8), ("base", 4): (0.5, 0.7), ("large", 4): (0.3, 0.5)}
    for index, ((model, depth), of) in enumerate(scores.items()):
        name = sweep.configuration(f"c{index}", model=model, freeze_depth=depth, epochs=1)
        for seed, score in enumerate(of):
            sweep.trial(name, seed, [score])
        sweep.end_configuration(name)
    return sweep


CONFIGURATIONS = st.builds(
    lambda depth, rate, count, epochs, lr: {
        **{"freeze_depth": depth, "decay_rate": rate, "reinit_count": count, "epochs": epochs, "learning_rate": lr}
    },
    st.integers(0, 12),
    st.one_of(st.just(1.0), st.floats(0.5, 0.99)),
    st.integers(0, 12),
    st.integers(1, 4),
    st.floats(1e-6, 1e-3),
)
SCORES = st.one_of(st.floats(-1, 1), st.just(NAN))


class _Driver:
    """Plays a driver that does, event by event, what `draw` says; every sequence it writes is a valid one."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]):
        self._draw = draw
        self._planned = draw(st.one_of(st.none(), st.integers(1, 12)))
        self._seeds = draw(st.lists(st.integers(0, 2**40), min_size=1, max_size=4, unique=True))
        self._slots = draw(st.integers(1, 12))
        names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=60)
        models = draw(st.dictionaries(names, st.integers(1, 24), min_size=1, max_size=3))
        self._models = sorted(models)
        self.sweep = SweepWriter(
            seeds=self._seeds,
            configurations=self._planned,
            slots=self._slots,
            score=draw(st.sampled_from(["final", "best"])),
            objective=draw(st.sampled_from(sorted(OBJECTIVES))),
            max_failed_share=draw(st.sampled_from([0.0, 0.3, 1.0])),
            name=draw(st.from_regex(r"[a-z][a-z0-9._-]{0,79}", fullmatch=True)),
            models=models,
        )
        self._waiting: list[tuple[str, int, int]] = []
        self._running: dict[str, tuple[str, int, int]] = {}
        self._suggested = 0

    def act(self) -> None:
        possible = [
            *([self._suggest] if self._suggested < (self._planned or 12) else []),
            *([self._start] * 3 if self._waiting and len(self._running) < self._slots else []),
            *([self._measure, self._measure, self._end, self._end] if self._running else []),
            self._break_off,
        ]
        self._draw(st.sampled_from(possible))()

    def _suggest(self) -> None:
        model = self._draw(st.sampled_from(self._models))
        name = self.sweep.configuration(f"c{self._suggested:03d}", model=model, **self._draw(CONFIGURATIONS))
        self._suggested += 1
        self._waiting += [(name, seed, 1) for seed in self._seeds]

    def _start(self) -> None:
        name, seed, attempt = self._waiting.pop(0)
        self._running[self.sweep.start(name, seed, attempt=attempt)] = (name, seed, attempt)

    def _measure(self) -> None:
        trial = self._draw(st.sampled_from(sorted(self._running)))
        record = self.sweep.record
        epoch = round(record.trials[trial].epochs) + 1
        if epoch <= record.configurations[self._running[trial][0]].configuration.epochs:
            self.sweep.measure(trial, epoch, self._draw(SCORES))
        if self._draw(st.integers(0, 4)) == 0 and not record.trials[trial].is_control:
            self.sweep.want_pruned(trial, "stuck", Outcome.PRUNED_UNSTABLE, spared=True)

    def _end(self) -> None:
        trial = self._draw(st.sampled_from(sorted(self._running)))
        name, seed, attempt = self._running.pop(trial)
        outcome = self._draw(st.sampled_from(Outcome))
        if outcome.is_pruned:
            self.sweep.want_pruned(trial, "median", outcome)
        retry = outcome is Outcome.ERRORED and attempt < 3 and self._draw(st.booleans())
        reason = self._draw(st.sampled_from(["", "a reason\nof [two] lines"]))
        self.sweep.end(trial, outcome, attempt=attempt, reason=reason, error=reason, retry=retry)
        if retry:
            self._waiting.append((name, seed, attempt + 1))
        elif sum(t.is_final for t in self.sweep.record.trials_of(name)) == len(self._seeds):
            self.sweep.end_configuration(name)

    def _break_off(self) -> None:
        """Now and then: a driver stops or dies, and another takes over."""
        if self._draw(st.integers(0, 5)):
            return
        if self._draw(st.booleans()):
            self.sweep.finish("interrupted", wall_seconds=10.0)
        self.sweep.resume(slots=self._slots)
        self._waiting += [(name, seed, attempt + 1) for name, seed, attempt in self._running.values()]
        self._running.clear()


@st.composite
def sweeps(draw: Callable[[st.SearchStrategy[Any]], Any], *, most_actions: int = 30) -> SweepWriter:
    """Any sweep that a driver could have written, up to any point of it."""
    driver = _Driver(draw)
    for _ in range(draw(st.integers(0, most_actions))):
        driver.act()
    if draw(st.booleans()):
        driver.sweep.finish(draw(st.sampled_from(["finished", "interrupted"])))
    return driver.sweep
