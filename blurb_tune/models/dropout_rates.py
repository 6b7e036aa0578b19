"""Dropout rates of a classifier, set in place as its family would have built it with them."""

from __future__ import annotations

import copy
from weakref import WeakSet

import torch
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights

from blurb_tune.models.families import family_of
from blurb_tune.models.layers import is_in

# Those whose rates are not what their configs say.
_changed: WeakSet[PreTrainedModel] = WeakSet()


def set_dropout(
    model: PreTrainedModel, *, hidden: float | None = None, attention: float | None = None, head: float | None = None
) -> None:
    """Set the dropout rates, 0 to below 1, of a classifier; None is what its config says, whatever was set before.

    hidden: of the embeddings and of what blocks add to their input; where the config gives the head no rate of its own, the
    head's too, as in transformers. attention: of the attention's weights. head: of all dropout above the encoder and its
    pooler. The config stays as it is.
    """
    is_own = (hidden, attention, head) != (None, None, None)
    if not is_own and model not in _changed:
        return
    family, config = family_of(model.config.model_type), copy.deepcopy(model.config)
    for names, rate in ((family.hidden_dropout, hidden), (family.attention_dropout, attention)):
        for name in names if rate is not None else ():
            setattr(config, name, rate)
    with no_init_weights(), torch.device("meta"):
        built = type(model)(config)
    for path, module in built.named_modules():
        if isinstance(module, torch.nn.Dropout) and head is not None and _is_of_head(path, model, family.pooler):
            module.p = head
        if isinstance(module, torch.nn.Dropout | torch.nn.Identity):  # ModernBERT has the latter for a rate of 0
            model.set_submodule(path, module)
        elif "attention_dropout" in vars(module):  # of its fused attention, which has no module
            vars(model.get_submodule(path))["attention_dropout"] = module.attention_dropout
    (_changed.add if is_own else _changed.discard)(model)


def _is_of_head(module: str, model: PreTrainedModel, pooler: tuple[str, ...]) -> bool:
    return not any(is_in(module, of) for of in (model.base_model_prefix, *pooler))
