"""In which order configurations get a seed of the same round."""

from __future__ import annotations

from collections.abc import Sequence

from blurb_tune.core.trial import Configuration
from blurb_tune.techniques.registry import step_cost

# More than any trial costs, in blocks times epochs.
_MODEL = 1 << 40


def place_in_round(configuration: Configuration, *, models: Sequence[str], blocks: int, round_number: int) -> int:
    """Lower comes first: model by model, and of a model the long trials before the short ones.

    A slot that takes up another model loads it first, so the round begins with the model that the one before has ended with.
    Short trials at the end leave no slot idle for long. What a trial costs: epochs times the blocks that learn.
    """
    at = models.index(configuration.model) if configuration.model in models else len(models)
    if round_number % 2:
        at = len(models) - at
    return at * _MODEL - configuration.epochs * step_cost(configuration.values(), blocks + 1)
