from __future__ import annotations

import itertools

from blurb_tune.core.trial import Configuration
from blurb_tune.sweep.order import place_in_round

MODELS = ["small", "large", "wide"]
CONFIGURATIONS = [
    Configuration(model=model, freeze_depth=depth, epochs=epochs)
    for epochs, depth, model in itertools.product((3, 10), (0, 2, 6), MODELS)
]


def in_round(number: int) -> list[Configuration]:
    return sorted(CONFIGURATIONS, key=lambda c: place_in_round(c, models=MODELS, blocks=6, round_number=number))


def test_a_slot_changes_its_model_as_seldom_as_it_can() -> None:
    """Through five rounds one slot loads each model once a round, but for the one that it has."""
    models = [c.model for number in range(5) for c in in_round(number)]
    changes = sum(a != b for a, b in itertools.pairwise(models))
    assert changes == 5 * 2


def test_of_a_model_the_long_trials_come_first() -> None:
    for number in (0, 1):
        for _, group in itertools.groupby(in_round(number), key=lambda c: c.model):
            assert [(c.epochs, c.freeze_depth) for c in group] == [(10, 0), (10, 2), (3, 0), (3, 2), (10, 6), (3, 6)]


def test_each_configuration_has_its_place_whatever_the_round() -> None:
    assert all(sorted(map(repr, in_round(number))) == sorted(map(repr, CONFIGURATIONS)) for number in range(3))
    assert place_in_round(Configuration(model="unknown"), models=MODELS, blocks=0, round_number=0) > 0
