"""What the fields of an event can hold, each by itself; `transitions` says what can follow from what."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from blurb_tune.core.combination import Method
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, Configuration, Outcome, trial_name
from blurb_tune.log.events import (
    LOG_VERSION,
    CombinationTested,
    ConfigurationEnded,
    ConfigurationSuggested,
    Event,
    Measured,
    PruneDecided,
    SweepExtended,
    SweepStarted,
    Tested,
    TrialEnded,
    TrialStarted,
    WarmStarted,
)
from blurb_tune.log.shapes import build_dataclass, expect, short_repr
from blurb_tune.stats.objectives import parse

_TEXTS = {f.name for f in fields(Configuration) if f.type == "str"}
_LEAST = {name: 0 for name in HYPERPARAMETER_NAMES if name not in _TEXTS} | {"epochs": 1, "batch_size": 1}
_LAST_SECOND = 253_402_300_800.0  # of the year 9999
_STATES = ("COMPLETE", "STOPPED", "INCOMPLETE", "FAIL", "PRUNED")


def check_values(event: Event) -> None:
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
                known = build_dataclass(_Known, item)
                _check_configuration(known.values)
                expect(all(map(math.isfinite, known.objectives)), "objectives: expected numbers")
        case Measured(measurement=measurement, resumed_seconds=seconds):
            expect(0 <= seconds < math.inf, f"resumed_seconds: expected 0 or more, but got {seconds}")
            expect(not math.isinf(measurement.dev_score), "dev_score: expected a number or none, but got an infinity")
            expect(measurement.step >= 0, f"step: expected 0 or more, but got {measurement.step}")
        case PruneDecided() | TrialEnded():
            expect(
                event.outcome in set(Outcome),
                f"outcome: expected one of {_names(Outcome)}, but got {short_repr(event.outcome)}",
            )
        case ConfigurationEnded():
            expect(event.state in _STATES, f"state: expected one of {_names(_STATES)}, but got {short_repr(event.state)}")
            expect(not math.isinf(event.value), "value: expected a number or none, but got an infinity")
        case Tested():
            expect(len(event.interval) in (0, 2), f"interval: expected two numbers, but got {short_repr(event.interval)}")
            expect(not any(map(math.isinf, event.metrics.values())), "metrics: expected numbers, but got an infinity")
        case CombinationTested():
            _check_combination(event)


def _check_configuration(values: dict[str, Any]) -> None:
    """Raise WrongShapeError unless these are hyperparameters that a trial can have."""
    strangers = sorted(values.keys() - set(HYPERPARAMETER_NAMES))
    expect(not strangers, f"values: unknown {', '.join(map(short_repr, strangers))}")
    found = build_dataclass(Configuration, values)
    for name, least in _LEAST.items():
        value = getattr(found, name)
        expect(value is None or least <= value < math.inf, f"values: {name}: expected {least} or more, but got {value!r}")


def _check_combination(event: CombinationTested) -> None:
    expect(event.method in set(Method), f"method: expected one of {_names(Method)}, but got {short_repr(event.method)}")
    expect(bool(event.members), "members: expected at least one")
    expect(min(event.size, event.examples) >= 0, "size, examples: expected 0 or more")
    for name in ("interval", "difference_interval"):
        bounds = getattr(event, name)
        expect(len(bounds) in (0, 2), f"{name}: expected two numbers, but got {short_repr(bounds)}")
    numbers = (event.dev_score, event.score, event.difference, event.seconds)
    expect(not any(map(math.isinf, numbers)), "expected numbers, but got an infinity")


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


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(str, names))


@dataclass(frozen=True)
class _Known:
    """An item of `WarmStarted.configurations`."""

    values: dict[str, Any]
    objectives: list[float]
    failed_share: float
