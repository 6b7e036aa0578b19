"""The searched settings of configurations that their strategy does not name, such as the learning rate, in few words."""

from __future__ import annotations

from collections.abc import Collection

from blurb_tune.core.numbers import compact
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration
from blurb_tune.log.record import SweepRecord

_WORDS = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "warmup_share": "warmup",
    "weight_decay": "weight decay",
    "bias_correction": "bias correction",
    "max_grad_norm": "clip",
}
NAMES = tuple(name for name in HYPERPARAMETER_NAMES if name not in ("model", *STRATEGY_NAMES))


def varying_settings(record: SweepRecord) -> list[str]:
    """The hyperparameters beside model and strategy that differ between the configurations so far, in their usual order."""
    configurations = [of.configuration for of in record.configurations.values()]
    return [name for name in NAMES if len({getattr(configuration, name) for configuration in configurations}) > 1]


def searched_settings(record: SweepRecord, configuration_id: str) -> list[str]:
    """Those that the sampler draws: known with the first configuration, whatever the others will be."""
    parameters = record.configurations[configuration_id].parameters
    return [name for name in NAMES if name in parameters]


def settings_in_words(configuration: Configuration, names: Collection[str]) -> str:
    """Such as `lr 5e-5, batch 16`; empty without names."""
    return ", ".join(f"{_WORDS.get(name, name)} {compact(getattr(configuration, name))}" for name in NAMES if name in names)
