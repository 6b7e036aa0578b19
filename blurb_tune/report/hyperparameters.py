"""Which hyperparameters a sweep searches, and what they are called."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from blurb_tune.core.numbers import compact
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration
from blurb_tune.log.record import SweepRecord

# As tables and figures have them; techniques name their own.
WORDS = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "warmup_share": "warmup",
    "weight_decay": "weight decay",
    "bias_correction": "bias correction",
    "max_grad_norm": "clip",
    "lr_scheduler_type": "schedule",
    "adam_beta1": "beta1",
    "adam_beta2": "beta2",
    "adam_epsilon": "epsilon",
    "no_weight_decay": "no decay on",
    "label_smoothing_factor": "smoothing",
    "hidden_dropout_prob": "hidden dropout",
    "attention_probs_dropout_prob": "attention dropout",
    "classifier_dropout": "head dropout",
}
NAMES = tuple(name for name in HYPERPARAMETER_NAMES if name not in ("model", *STRATEGY_NAMES))
_ALWAYS_TOLD = frozenset({"learning_rate", "batch_size", "epochs"})
_DEFAULTS = Configuration().values()


def telling_settings(configuration: Configuration) -> dict[str, Any]:
    """All that a spec needs to say for this configuration, beside the model: what is not at its default, and the three that
    everybody asks for."""
    values = configuration.values()
    return {
        name: value for name, value in values.items() if name != "model" and (name in _ALWAYS_TOLD or value != _DEFAULTS[name])
    }


def searched_hyperparameters(record: SweepRecord) -> list[str]:
    """The hyperparameters in which the configurations so far differ, in the order of `Configuration`."""
    return differing_hyperparameters(record, list(record.configurations))


def differing_hyperparameters(record: SweepRecord, configuration_ids: Sequence[str]) -> list[str]:
    """The hyperparameters in which these configurations differ, in the order of `Configuration`."""
    configurations = [record.configurations[name].configuration for name in configuration_ids]
    return [name for name in HYPERPARAMETER_NAMES if len({getattr(of, name) for of in configurations}) > 1]


def varying_settings(record: SweepRecord) -> list[str]:
    """Those in which they differ that are no part of model and strategy."""
    return [name for name in searched_hyperparameters(record) if name in NAMES]


def title_of(hyperparameter: str) -> str:
    """Such as `learning rate`: as in the spec, in words."""
    return hyperparameter.replace("_", " ")


def searched_settings(record: SweepRecord, configuration_id: str) -> list[str]:
    """Those that the sampler draws, of the same kind: known with the first configuration, whatever the others will be."""
    parameters = record.configurations[configuration_id].parameters
    return [name for name in NAMES if name in parameters]


def settings_in_words(configuration: Configuration, names: Collection[str]) -> str:
    """Such as `lr 5e-5, batch 16`; empty without names."""
    return ", ".join(f"{WORDS.get(name, name)} {compact(getattr(configuration, name))}" for name in NAMES if name in names)
