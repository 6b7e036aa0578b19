"""How configurations and their hyperparameters are named in figures."""

from __future__ import annotations

from collections.abc import Sequence

from blurb_tune.core.trial import STRATEGY_NAMES
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures.scale import short
from blurb_tune.report.hyperparameters import WORDS
from blurb_tune.techniques.registry import AXES

_SHORT = WORDS | {name: axis.word for name, axis in AXES.items()}

_RULES = {
    "non_finite_loss": "loss not finite",
    "exploding_gradient": "gradients exploded",
    "trivial_level": "stayed at the trivial level",
    "failures": "configuration failed too often",
    "race": "configuration lost the race",
}


def rule_text(rule: str) -> str:
    """What a stopping rule found; the name of a rule that is not known here."""
    return _RULES.get(rule, rule.replace("_", " "))


def value_text(value: object) -> str:
    """Such as `5e-5`, `on`, `unset`."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "on" if value else "off"
    return short(value) if isinstance(value, int | float) else str(value)


def settings_text(record: SweepRecord, configuration_id: str, names: Sequence[str]) -> str:
    """What a configuration has of the searched hyperparameters `names`, model and strategy left out: `lr 5e-5, epochs 20`."""
    configuration = record.configurations[configuration_id].configuration
    said = [name for name in names if name != "model" and name not in STRATEGY_NAMES]
    return ", ".join(f"{_SHORT.get(name, name)} {value_text(getattr(configuration, name))}" for name in said)


def score_text(value: float) -> str:
    """Three decimals, with a minus sign."""
    return f"{value:.3f}".replace("-", "\u2212")


def duration(seconds: float) -> str:
    """Such as `45 s`, `20 min`, `2 h 05 min` or `3 d 4 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60:02d} s" if whole % 60 and whole < 600 else "")
    if whole < 86400:
        return f"{whole // 3600} h" + (f" {whole % 3600 // 60:02d} min" if whole % 3600 >= 60 else "")
    return f"{whole // 86400} d" + (f" {whole % 86400 // 3600} h" if whole % 86400 >= 3600 else "")
