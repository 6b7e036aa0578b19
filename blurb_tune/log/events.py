"""The facts of a sweep, and how each is written as one line of JSON; `event_log` has the file they stand in."""

from __future__ import annotations

import json
import math
import re
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from blurb_tune.core.errors import visible
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, Configuration, Measurement, Outcome, trial_name
from blurb_tune.log.shapes import expect, made_of, short_repr
from blurb_tune.stats.objectives import parse
from blurb_tune.techniques.registry import AXES


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact. `time` is in seconds since the epoch."""

    kind: ClassVar[str]
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, kw_only=True)
class SweepStarted(Event):
    """The first event of a log.

    sweep_id: name and a random part, unique. models: blocks (L) by model name. folds: of a cross-validation, 0 without one.
    trivial_score: the trivial predictor's dev score, with which a run counts that failed without a score of its own.
    trivial_loss and noise_bound: with it the trivial level of a run (`results.trivial`). log_version: of the format, 0 before
    it was written. precision: of forward passes, for all of the sweep. max_failed_share: configurations with more failed runs
    come behind those with fewer, whatever their objective. notes: non-fatal findings about the data. confirmation_seeds: which
    winner and reference run when all is decided, and no other configuration. crossed: how many seeds of the initialization
    and of the data order are crossed (`core.seeds.streams`). owner: whose sweep it is. host: the machine of its first driver.
    data_source: where the data are from. data_digest: SHA-256 of train and dev, in hex. settings_digest: of what all trials
    have in common besides; two sweeps of the same two can be taken together, seed by seed. examples: by split.
    """

    kind = "sweep_started"
    sweep_id: str
    name: str
    spec_digest: str
    task: str
    metric: str
    models: dict[str, int]
    objective: str
    score: str
    seeds: list[int]
    configurations: int | None
    trivial_score: float
    slots: int
    versions: dict[str, str]
    folds: int = 0
    precision: str = ""
    max_failed_share: float = 0.0
    notes: list[str] = field(default_factory=list)
    trivial_loss: float = math.nan
    noise_bound: float = math.nan
    log_version: int = 0
    confirmation_seeds: list[int] = field(default_factory=list)
    crossed: list[int] | None = None
    owner: str = ""
    host: str = ""
    data_source: str = ""
    data_digest: str = ""
    settings_digest: str = ""
    examples: dict[str, int] = field(default_factory=dict)

    @property
    def replicates(self) -> int:
        """Results of a configuration that is whole: one per seed, over all folds."""
        return len(self.seeds)

    @property
    def replicates_per_configuration(self) -> int:
        """Trials of a configuration: one per seed and fold."""
        return len(self.seeds) * max(1, self.folds)


@dataclass(frozen=True, kw_only=True)
class SweepResumed(Event):
    """A new driver took over; trials that had no end in the log are started again. versions: of what is installed by now."""

    kind = "sweep_resumed"
    slots: int
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WarmStarted(Event):
    """What the sampler knows from earlier sweeps: of each configuration of theirs that lies in this space its values, its
    objective (or both of two) by this sweep's rule, and its share of failed runs.

    It is here, for the other folder may grow.
    """

    kind = "warm_started"
    configurations: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class SweepExtended(Event):
    """The plan is larger from now on: each field is that of `SweepStarted`, of the larger plan.

    Configurations that had all their seeds have more to run, and a winner, a spent budget or the lack of a result are no more.
    settings: what has changed in the spec, by key path. errored_again: trials that errored for good run once more.
    """

    kind = "sweep_extended"
    spec_digest: str
    seeds: list[int]
    configurations: int | None
    confirmation_seeds: list[int]
    settings: dict[str, Any] = field(default_factory=dict)
    errored_again: bool = False


@dataclass(frozen=True, kw_only=True)
class BudgetSpent(Event):
    """The search ends before all of its plan has run; `budget` is the setting that ends it."""

    kind = "budget_spent"
    budget: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ConfigurationSuggested(Event):
    """`parameters` is what the sampler drew (the study's view), `values` the hyperparameters that follow from it."""

    kind = "configuration_suggested"
    configuration: str
    parameters: dict[str, Any]
    values: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrialStarted(Event):
    kind = "trial_started"
    trial: str
    configuration: str
    seed: int
    attempt: int
    fold: int | None = None


@dataclass(frozen=True, kw_only=True)
class Measured(Event):
    kind = "measured"
    trial: str
    measurement: Measurement


@dataclass(frozen=True, kw_only=True)
class PruneDecided(Event):
    """A pruner wants the trial stopped. `spared` trials run on as the control group by which the pruner is judged."""

    kind = "prune_decided"
    trial: str
    step: int
    rule: str
    reason: str
    outcome: str
    spared: bool = False


@dataclass(frozen=True, kw_only=True)
class TrialEnded(Event):
    """`retry` says that this errored attempt is followed by another.

    setup_seconds: from the trial's start to its first training step. worker: the `node:pid` that ran it, where that is known.
    by_machine: its process or machine is to blame for the error, and the attempt spends none of the trial's retries. cause: of
    an error, see `core.trial.Cause`; empty in logs of before.
    """

    kind = "trial_ended"
    trial: str
    attempt: int
    outcome: str
    reason: str = ""
    error: str = ""
    setup_seconds: float = 0.0
    worker: str = ""
    retry: bool = False
    by_machine: bool = False
    cause: str = ""


@dataclass(frozen=True, kw_only=True)
class ConfigurationStopped(Event):
    """A configuration has lost after `replicates` results: it starts no further runs, and those at work stop.

    `spared` ones go on as the control group by which the stops are judged.
    """

    kind = "configuration_stopped"
    configuration: str
    rule: str
    reason: str
    replicates: int
    spared: bool = False


@dataclass(frozen=True, kw_only=True)
class ConfigurationReopened(Event):
    """A stopped configuration runs its other replicates after all: it stands above what the leader has reached in the end, or
    `is_reference`: it is the vanilla configuration that the winner is compared with, and no rule stops it again."""

    kind = "configuration_reopened"
    configuration: str
    reason: str
    is_reference: bool = False


@dataclass(frozen=True, kw_only=True)
class ConfigurationEnded(Event):
    """`state` is COMPLETE, STOPPED, INCOMPLETE (a budget was spent) or FAIL (PRUNED in old logs); `value` the aggregate over
    the seeds that have a result.

    A configuration that is reopened, or has more to run in a larger plan, ends a second time.
    """

    kind = "configuration_ended"
    configuration: str
    state: str
    value: float
    failed_share: float


@dataclass(frozen=True, kw_only=True)
class SelectionMade(Event):
    """The search is over and its winner is named, on dev scores alone; from here on the test split may be read.

    reference: vanilla fine-tuning of the same model, None where the sweep has none or it is itself the winner.
    """

    kind = "selection_made"
    configuration: str
    reference: str | None


@dataclass(frozen=True, kw_only=True)
class NoResultFound(Event):
    """The search is over and has no winner: what stands first is no better than chance. No test split is read."""

    kind = "no_result_found"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Tested(Event):
    """What a trial's model does on the test split.

    metrics: by name. interval: the score's 95 % interval from the test set's size. error: why there are no metrics.
    trained_again: its weights were gone, and it was run once more, to where it had ended.
    """

    kind = "tested"
    trial: str
    examples: int
    metrics: dict[str, float] = field(default_factory=dict)
    interval: list[float] = field(default_factory=list)
    error: str = ""
    trained_again: bool = False


@dataclass(frozen=True, kw_only=True)
class SweepEnded(Event):
    """`status` is `finished` or `interrupted`; `wall_seconds` the time since this driver's start or resumption."""

    kind = "sweep_ended"
    status: str
    wall_seconds: float


EVENT_TYPES: Mapping[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        SweepStarted,
        SweepResumed,
        WarmStarted,
        SweepExtended,
        BudgetSpent,
        ConfigurationSuggested,
        TrialStarted,
        Measured,
        PruneDecided,
        TrialEnded,
        ConfigurationStopped,
        ConfigurationReopened,
        ConfigurationEnded,
        SelectionMade,
        NoResultFound,
        Tested,
        SweepEnded,
    )
}


LOG_VERSION = 1
_TEXTS = {"model", "lr_scheduler_type", *(name for name, axis in AXES.items() if axis.type is str)}
_LEAST = {name: 0 for name in HYPERPARAMETER_NAMES if name not in _TEXTS} | {"epochs": 1, "batch_size": 1}
_LAST_SECOND = 253_402_300_800.0  # of the year 9999
_STATES = ("COMPLETE", "STOPPED", "INCOMPLETE", "FAIL", "PRUNED")
_NO_CHARACTER = re.compile("[\ud800-\udfff]")
# As JSON has them: the first ones escaped, the others as they are; and halves of characters.
_CONTROL = re.compile(r"\\u00[01789]|\\[bfr]|[\x7f-\x9f]|\\u[dD][89a-fA-F]")
_CHECKSUM = re.compile(r', "crc": "([0-9a-f]{8})"\}$')
_OLD_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_line(event: Event) -> str:
    """One line of strict JSON; a NaN or infinity becomes `{"float": "nan"}`. It ends with its own CRC-32."""
    text = json.dumps({"kind": event.kind, **_encode(asdict(event))}, allow_nan=False, ensure_ascii=False)
    text = _NO_CHARACTER.sub(lambda found: f"\\{ascii(found[0])[1:-1]}", text)  # such as of a file's name that is no UTF-8
    return f'{text[:-1]}, "crc": "{zlib.crc32(text.encode("utf-8")):08x}"}}'


def from_line(line: str) -> Event:
    """The inverse of `to_line`; reads the lines of every earlier version too.

    Control characters in texts, which a terminal may obey, come written out. Raises ValueError on anything that is not a
    known event with values that can be, and on a line whose checksum does not fit.
    """
    line = line.rstrip("\r\n")
    found = _CHECKSUM.search(line)
    if found:
        text = line[: found.start()] + "}"
        if f"{zlib.crc32(text.encode('utf-8')):08x}" != found[1]:
            raise ValueError("its checksum does not fit: a part of it has changed since it was written")
        line = text
    try:
        data = _decode(json.loads(line))
        if _CONTROL.search(line):
            data = _visible(data)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    kind = data.pop("kind", None) if isinstance(data, dict) else None
    cls = EVENT_TYPES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError("not an event of this version")
    _modernize(cls, data)
    event = made_of(cls, data)
    _check(event)
    return event


def _check(event: Event) -> None:
    """Raise WrongShapeError where a value is of the right type, and yet none that the field can have."""
    expect(0 <= event.time < _LAST_SECOND, f"time: expected seconds since the epoch, but got {event.time!r}")
    match event:
        case SweepStarted():
            _check_start(event)
        case SweepExtended():
            expect(bool(event.seeds), "seeds: expected at least one")
        case ConfigurationSuggested():
            _check_configuration(event.values)
            for name, value in event.parameters.items():
                is_plain = value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
                expect(
                    is_plain,
                    f"parameters: {short_repr(name)}: expected a value that a sampler draws, but got {short_repr(value)}",
                )
        case TrialStarted():
            name = trial_name(event.configuration, event.seed, event.fold)
            expect(event.trial == name, f"trial: expected {short_repr(name)}, but got {short_repr(event.trial)}")
        case WarmStarted():
            for item in event.configurations:
                known = made_of(_Known, item)
                _check_configuration(known.values)
                expect(all(map(math.isfinite, known.objectives)), "objectives: expected numbers")
        case Measured(measurement=measurement):
            expect(not math.isinf(measurement.dev_score), "dev_score: expected a number or none, but got an infinity")
            expect(measurement.step >= 0, f"step: expected 0 or more, but got {measurement.step}")
        case PruneDecided() | TrialEnded():
            expect(
                event.outcome in set(Outcome),
                f"outcome: expected one of {_listed(Outcome)}, but got {short_repr(event.outcome)}",
            )
        case ConfigurationEnded():
            expect(event.state in _STATES, f"state: expected one of {_listed(_STATES)}, but got {short_repr(event.state)}")
            expect(not math.isinf(event.value), "value: expected a number or none, but got an infinity")
        case Tested():
            expect(len(event.interval) in (0, 2), f"interval: expected two numbers, but got {short_repr(event.interval)}")
            expect(not any(map(math.isinf, event.metrics.values())), "metrics: expected numbers, but got an infinity")


def _check_configuration(values: dict[str, Any]) -> None:
    """Raise WrongShapeError unless these are hyperparameters that a trial can have."""
    strangers = sorted(values.keys() - set(HYPERPARAMETER_NAMES))
    expect(not strangers, f"values: unknown {', '.join(map(short_repr, strangers))}")
    found = made_of(Configuration, values)
    for name, least in _LEAST.items():
        value = getattr(found, name)
        expect(value is None or least <= value < math.inf, f"values: {name}: expected {least} or more, but got {value!r}")


def _check_start(event: SweepStarted) -> None:
    expect(
        event.log_version <= LOG_VERSION,
        f"it is of version {event.log_version} of the format, of which this program reads those up to {LOG_VERSION}; "
        "a newer blurb-tune reads it",
    )
    expect(bool(event.models), "models: expected at least one")
    expect(bool(event.seeds), "seeds: expected at least one")
    expect(event.folds >= 0, f"folds: expected 0 or more, but got {event.folds}")
    expect(event.score in ("final", "best"), f"score: expected final or best, but got {short_repr(event.score)}")
    expect(not math.isinf(event.trivial_score), "trivial_score: expected a number, but got an infinity")
    expect(
        event.crossed is None or len(event.crossed) == 2, f"crossed: expected two numbers, but got {short_repr(event.crossed)}"
    )
    parse(event.objective)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(str, names))


@dataclass(frozen=True)
class _Known:
    """An item of `WarmStarted.configurations`."""

    values: dict[str, Any]
    objectives: list[float]
    failed_share: float


def _modernize(cls: type[Event], data: dict[str, Any]) -> None:
    """Bring what an earlier version wrote into the present form, in place."""
    if cls is SweepStarted and "models" not in data and "model" in data:  # before there were several models
        data["models"] = {str(data["model"]): data.get("blocks", 0)}
    if data.get("outcome") == "pruned_dominated":
        data["outcome"] = "pruned_underperforming"
    measurement = data.get("measurement")
    extra = measurement.get("extra") if isinstance(measurement, dict) else None
    for values in (data, measurement, extra):  # the first two versions wrote numbers that are not finite as text
        if isinstance(values, dict):
            names = [name for name in values if values is extra or name in _FLOAT_FIELDS]
            values |= {
                name: _OLD_FLOATS[text] for name in names if isinstance(text := values[name], str) and text in _OLD_FLOATS
            }


_FLOAT_FIELDS = {f.name for f in fields(Measurement) if f.type == "float"} | {"value", "failed_share", "trivial_score"}


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _visible(value: Any) -> Any:
    if isinstance(value, dict):
        return {visible(key): _visible(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_visible(item) for item in value]
    return visible(value) if isinstance(value, str) else value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"float"} and isinstance(value["float"], str):
            return float(value["float"])
        return {key: _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return value
