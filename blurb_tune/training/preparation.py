"""What a trial's model is before its first step."""

from __future__ import annotations

from functools import partial

from transformers import PreTrainedModel

from blurb_tune.core.seeds import derive
from blurb_tune.core.trial import Configuration
from blurb_tune.models.dropout_rates import set_dropout
from blurb_tune.models.encoder import Pretrained, restore_weights
from blurb_tune.models.initialization import init_head, init_module
from blurb_tune.models.layers import LayerMap, layer_map
from blurb_tune.tasks.kind import Kind
from blurb_tune.techniques.protocol import Subject
from blurb_tune.techniques.treatment import Treatment, check_strategy, restore_modules
from blurb_tune.training.engines.dropout import Masks
from blurb_tune.training.parameter_groups import has_weight_decay


def prepare(
    model: PreTrainedModel,
    pretrained: Pretrained,
    configuration: Configuration,
    kind: Kind,
    *,
    init_seed: int,
    seed: int,
    steps: int,
    steps_per_epoch: int,
) -> tuple[Treatment, LayerMap]:
    """Set a model back to the pretrained weights, draw its head, and make it ready for a configuration.

    The layers are those of the model as it is then. Same seeds, same weights, whatever trial has had the model before, and the
    same head whatever the strategy. init_seed: of what is drawn now. seed: of what is drawn in training. Raises ValueError for
    a strategy that the model cannot have, before anything has changed.
    """
    strategy = vars(configuration.strategy)
    check_strategy(strategy, model.config.num_hidden_layers)
    restore_modules(model)
    set_dropout(
        model,
        hidden=configuration.hidden_dropout_prob,
        attention=configuration.attention_probs_dropout_prob,
        head=configuration.classifier_dropout,
    )
    restore_weights(model, pretrained)
    init_head(model, layer_map(model), pretrained.weights.keys(), init_seed)
    subject = Subject(
        model,
        partial(layer_map, model),
        set(pretrained.weights),
        steps,
        steps_per_epoch,
        kind.divergence,
        initialize=lambda module: init_module(model, module, init_seed),
        has_weight_decay=lambda name: has_weight_decay(name, configuration.no_weight_decay),
        generator=lambda name: Masks(derive(seed, "technique", name)),
    )
    treatment = Treatment(subject, strategy)
    treatment.freeze(model)
    return treatment, layer_map(model)
