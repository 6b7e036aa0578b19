"""Which runs of several sweeps can be taken together, and the configurations that come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blurb_tune.core.trial import Configuration, Outcome
from blurb_tune.log.events import SweepStarted
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.claims import mean_over_orders
from blurb_tune.report.comparison.compared_sweeps import Sweep
from blurb_tune.results.groups import GroupResult
from blurb_tune.results.groups import rank as rank_by_seeds
from blurb_tune.stats.objectives import aggregate
from blurb_tune.stats.stability import summarize_scores

_SAME = 1e-9
_MOST_SHOWN = 5


@dataclass(frozen=True)
class Setting:
    """What has to be the same for scores to stand in one column of a table.

    task: name. metric: that is scored. score: of a run's final or best evaluation. data: digest of train and dev, empty where
    all sweeps of the task that say theirs have the same.
    """

    task: str
    metric: str
    score: str
    data: str = ""

    @property
    def label(self) -> str:
        """Such as `biosses (pearson)`."""
        more = [self.metric, *(["best evaluation"] if self.score == "best" else [])]
        more += [f"data {self.data[:8]}"] if self.data else []
        return f"{self.task} ({', '.join(more)})"


@dataclass
class Entry:
    """One configuration under one setting, over the seeds of the search of every sweep of its pool that ran it.

    ids: by the sweep's label the configuration's id. scores: by seed. comparable: the same, of crossed seeds the mean over
    the data orders by initialization. planned: seeds that it would have if nothing had been stopped. stopped: by the sweep's
    label, how many seeds it had where it was stopped before its last one; these are not in `result`, unless there are no
    others. is_censored: `result` is of such seeds alone.
    """

    configuration: Configuration
    ids: dict[str, str]
    result: GroupResult
    scores: Mapping[int, float]
    comparable: Mapping[int, float]
    planned: int
    stopped: Mapping[str, int] = field(default_factory=dict)
    is_censored: bool = False

    @property
    def sweeps(self) -> tuple[str, ...]:
        return tuple(self.ids)

    @property
    def lacks_seeds(self) -> bool:
        return self.result.n < self.planned

    @property
    def rank(self) -> tuple[bool, float, float]:
        """The winner's rule: full sets of seeds, least excess of failed runs, highest objective."""
        return rank_by_seeds(self.result, self.planned)


@dataclass(frozen=True)
class Pool:
    """Sweeps whose runs of one model under one setting differ in nothing but configuration and seed.

    entries: in the order of suggestion. is_alone: no other pool has this setting and model.
    """

    setting: Setting
    model: str
    sweeps: tuple[Sweep, ...]
    entries: tuple[Entry, ...]
    is_alone: bool

    @property
    def label(self) -> str:
        """The names of its sweeps."""
        return " + ".join(sweep.label for sweep in self.sweeps)

    @property
    def objective(self) -> str:
        return self.sweeps[0].record.header.objective


def pool(sweeps: Sequence[Sweep], notes: list[str]) -> list[Pool]:
    """The pools of these sweeps, in their order; why runs of the same task and model are apart, and where they contradict
    each other, is added to `notes`."""
    settings = _settings(sweeps)
    together: dict[tuple[Setting, str], dict[tuple[object, ...], list[Sweep]]] = {}
    for number, sweep in enumerate(sweeps):
        for model in dict.fromkeys(c.configuration.model for c in sweep.record.configurations.values()):
            pools = together.setdefault((settings[sweep.label], model), {})
            pools.setdefault(_conditions(sweep.record.header, number), []).append(sweep)
    found = []
    for (setting, model), pools in together.items():
        groups = list(pools.values())
        notes += _why_apart(setting, model, groups)
        for group in groups:
            entries = tuple(_entries(group, model, notes))
            found.append(Pool(setting, model, tuple(group), entries, len(groups) == 1))
    return found


def _settings(sweeps: Sequence[Sweep]) -> dict[str, Setting]:
    """By the sweep's label; the data are named only where sweeps of the same task and metric have different ones."""
    plain = {s.label: Setting(h.task, h.metric, h.score) for s in sweeps for h in [s.record.header]}
    data: dict[Setting, set[str]] = {}
    for sweep in sweeps:
        data.setdefault(plain[sweep.label], set()).add(sweep.record.header.data_digest)
    return {
        sweep.label: Setting(setting.task, setting.metric, setting.score, sweep.record.header.data_digest or "unknown")
        if len(data[setting] - {""}) > 1
        else setting
        for sweep in sweeps
        for setting in [plain[sweep.label]]
    }


_CONDITIONS = {
    "settings_digest": "the settings of their training",
    "precision": "the precision",
    "folds": "the folds",
    "crossed": "the crossing of seeds",
    "trivial_score": "the score of the trivial predictor",
}


def _conditions(header: SweepStarted, number: int) -> tuple[object, ...]:
    """What runs of one pool have in common; a log that does not say its data shares them with no other."""
    alone = None if header.data_digest and header.settings_digest else number
    return (alone, header.data_digest, *(str(getattr(header, name)) for name in _CONDITIONS))


def _why_apart(setting: Setting, model: str, groups: Sequence[Sequence[Sweep]]) -> Iterator[str]:
    if len(groups) == 1:
        return
    headers = [group[0].record.header for group in groups]
    names = " and ".join(" + ".join(sweep.label for sweep in group) for group in groups)
    reasons = [
        what for name, what in _CONDITIONS.items() if len({str(getattr(h, name)) for h in headers if h.data_digest}) > 1
    ]
    if not all(h.data_digest and h.settings_digest for h in headers):
        reasons.append("whether the data are the same, which logs of an earlier version do not say")
    yield f"{model} on {setting.label}: the seeds of {names} are not pooled. They differ in {' and '.join(reasons)}."


@dataclass(frozen=True)
class _Part:
    """What one sweep has of a configuration."""

    sweep: Sweep
    name: str
    scores: Mapping[int, float]
    is_censored: bool

    @property
    def trials(self) -> list[TrialRecord]:
        """Those that have ended."""
        return [trial for trial in self.sweep.record.trials_of(self.name) if trial.is_final]


def _entries(sweeps: Sequence[Sweep], model: str, notes: list[str]) -> Iterator[Entry]:
    parts: dict[tuple[Configuration, int], list[_Part]] = {}
    for sweep in sweeps:
        record, seen = sweep.record, Counter[Configuration]()
        for name, of in record.configurations.items():
            if of.configuration.model == model and record.trials_of(name):
                scores = record.seed_scores(record.trials_of(name)).get(name, {})
                part = _Part(sweep, name, scores, record.is_censored(name))
                # Recorded curves may not say in what two configurations differ.
                parts.setdefault((of.configuration, seen[of.configuration]), []).append(part)
                seen[of.configuration] += 1
    for (configuration, _), of_sweeps in parts.items():
        yield _entry(configuration, of_sweeps, sweeps[0], notes)


def _entry(configuration: Configuration, parts: Sequence[_Part], first: Sweep, notes: list[str]) -> Entry:
    """Of each seed the first run that has a result: a seed of a configuration is the same run in every sweep of a pool."""
    whole = [part for part in parts if not part.is_censored]
    used = whole or list(parts)
    owners: dict[int, _Part] = {}
    for part in used:
        for seed in part.scores:
            owners.setdefault(seed, part)
        notes += _contradictions(part, owners)
    for part in used:  # runs without a result count where no sweep has one of their seed
        for trial in part.trials:
            owners.setdefault(trial.seed, part)
    scores = {seed: owner.scores[seed] for seed, owner in owners.items() if seed in owner.scores}
    outcomes = [trial.outcome for part in used for trial in part.trials if owners[trial.seed] is part]
    header = first.record.header
    return Entry(
        configuration=configuration,
        ids={part.sweep.label: part.name for part in used},
        result=_result(used[0].name, list(scores.values()), outcomes, header),
        scores=scores,
        comparable=mean_over_orders(scores, header.crossed),
        planned=len({seed for part in used for seed in part.sweep.record.header.seeds}),
        stopped={part.sweep.label: len(part.scores) for part in parts if part.is_censored},
        is_censored=not whole,
    )


def _contradictions(part: _Part, owners: Mapping[int, _Part]) -> Iterator[str]:
    differing = sorted(seed for seed, score in part.scores.items() if abs(owners[seed].scores[seed] - score) > _SAME)
    if differing:
        which = ", ".join(map(str, differing[:_MOST_SHOWN])) + (", ..." if len(differing) > _MOST_SHOWN else "")
        other = owners[differing[0]].sweep.label
        yield (
            f"{part.sweep.label}, {part.name}: the score of seed {which} differs from that in {other}, "
            "as on another kind of machine or with other versions; each seed counts once, as it is there."
        )


def _result(name: str, scores: Sequence[float], outcomes: Sequence[Outcome | None], header: SweepStarted) -> GroupResult:
    return GroupResult(
        name=name,
        summary=summarize_scores(scores),
        objective=aggregate(header.objective, scores),
        n=len(scores),
        completed=outcomes.count(Outcome.COMPLETED),
        failed=sum(outcome is not None and outcome.is_failed for outcome in outcomes),
        pruned_unstable=outcomes.count(Outcome.PRUNED_UNSTABLE),
        underperforming=outcomes.count(Outcome.PRUNED_UNDERPERFORMING),
        errored=outcomes.count(Outcome.ERRORED),
        max_failed_share=header.max_failed_share,
    )
